"""DL/T 645-2007 §5: the frame on the wire, and how it is found in a stream.

    FE … | 68 | address 6 | 68 | control | length | data 0–200 | check | 16

    control:  bit 7 a reply | bit 6 refused | bit 5 more data follow | bits 4–0 function

FE: preamble, wakes the receiver; four before a request, any number before a reply, also none. They belong to
the frame here, up to MAX_PREAMBLE of them. The address is twelve BCD digits, the last pair first; AA in its
high octets stands for any digits. Each octet of the data is sent with 0x33 added. check: sum of all octets
from the first 68 on, modulo 256.

A frame is taken if both 68, control, length, check and 16 are right. Otherwise its 68 is no start, and the
next octet is looked at. The longest frame bounds what must be kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from construct import Byte, Bytes, Const, Rebuild, Struct, len_, this

from protocols import layout
from protocols.framing import Direction, Event, Frame, Noise

MAX_DATA: Final = 200  # of a read; a write has at most 50
MAX_PREAMBLE: Final = 16
PREAMBLE: Final = 4  # before a request

REPLY: Final = 0x80
REFUSED: Final = 0x40
MORE_FOLLOW: Final = 0x20
FUNCTION: Final = 0x1F

READ_DATA: Final = 0x11
READ_FOLLOWING_DATA: Final = 0x12
READ_ADDRESS: Final = 0x13

ANY_ADDRESS: Final = "A" * 12
BROADCAST: Final = "9" * 12

_OFFSET: Final = 0x33
_START, _END, _IDLE = b"\x68", b"\x16", b"\xfe"

LAYOUT: Final = "frame" / Struct(
    "start" / Const(_START),
    "address" / Bytes(6),
    "start_again" / Const(_START),
    "control" / Byte,
    "length" / Rebuild(Byte, len_(this.data)),
    "data" / Bytes(this.length),
    "check" / Byte,
    "end" / Const(_END),
)
_AROUND: Final = 12  # octets of a frame without data
_LENGTH_AT: Final = 9
MAX_LENGTH: Final = MAX_PREAMBLE + _AROUND + MAX_DATA

_ADD = bytes((octet + _OFFSET) & 0xFF for octet in range(256))
_SUBTRACT = bytes((octet - _OFFSET) & 0xFF for octet in range(256))

_CONTROL = rb"[\x00-\x1f\x80-\xff]"  # a request is neither refused nor followed by more
_HEAD = re.compile(rb"(?s)\x68.{6}\x68%b[\x00-\xc8]" % _CONTROL)  # c8: MAX_DATA
_BEGUN = re.compile(rb"(?s)\x68(?:.{0,6}|.{6}\x68%b?)\Z" % _CONTROL)


@dataclass(frozen=True, slots=True)
class Message:
    """What a frame says.

    Attributes:
        address: twelve digits, the first pair first; A stands for any digit.
        control: function, and what the reply is.
        data: as meant, without the offset.
    """

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """The function, of a request and of its replies."""
        return self.control & FUNCTION


def build(message: Message, preamble: int = PREAMBLE) -> bytes:
    """The frame of a message, with so many FE before it."""
    fields = {
        "address": bytes.fromhex(message.address)[::-1],
        "control": message.control,
        "data": message.data.translate(_ADD),
    }
    frame = layout.build(LAYOUT, **fields, check=0)
    return _IDLE * preamble + frame[:-2] + bytes((_check(frame[:-2]),)) + _END


def parse(frame: Frame) -> Message:
    """The message of a frame that a framer found."""
    fields = layout.parse(LAYOUT, frame.data[preamble(frame) :])
    address = fields["address"][::-1].hex().upper()
    return Message(address, fields["control"], fields["data"].translate(_SUBTRACT))


def preamble(frame: Frame) -> int:
    """How many FE stand before the frame."""
    return len(frame.data) - len(frame.data.lstrip(_IDLE))


def length(data: int) -> int:
    """Octets of a frame with so many octets of data, the usual preamble included."""
    return PREAMBLE + _AROUND + data


def covers(asked: str, address: str) -> bool:
    """Whether an address in a request is that of this meter; A stands for any digit."""
    return all(digit in ("A", actual) for digit, actual in zip(asked, address, strict=True))


class StreamFramer:
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        self._pending = b""
        self._broken = 0  # so many pending octets belonged to a frame whose check was wrong

    @property
    def pending(self) -> bytes:
        """The unfinished frame, shorter than the longest there is."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Takes bytes as they arrived; returns the events they settle."""
        return self._settle(self._pending + data, final=False)

    def silence(self) -> list[Event]:
        """Settles what is pending: unfinished starts are noise, finished frames behind them are not."""
        return self._settle(self._pending, final=True)

    def _settle(self, buffer: bytes, *, final: bool) -> list[Event]:
        events: list[Event] = []
        end = len(buffer)
        at = taken = 0
        broken = self._broken
        while head := _HEAD.search(buffer, at):
            at = head.start()
            behind = at + _AROUND + buffer[at + _LENGTH_AT]
            if behind > end:
                if not final:
                    break
                at += 1
                continue
            if buffer.startswith(_END, behind - 1) and _check(buffer[at : behind - 2]) == buffer[behind - 2]:
                start = _idle_from(buffer, taken, at)
                events += _noise(buffer, taken, broken, start, final)
                direction = Direction.REPLY if buffer[at + 8] & REPLY else Direction.REQUEST
                events.append(Frame(buffer[start:behind], direction))
                at = taken = broken = behind
                continue
            if at >= broken:
                events += _noise(buffer, taken, broken, at, final)
                taken, broken = at, behind
            at += 1
        else:
            begun = None if final else _BEGUN.search(buffer, max(at, end - _LENGTH_AT))
            at = begun.start() if begun else end
        if not final:
            at = _idle_from(buffer, taken, at)
        events += _noise(buffer, taken, broken, at, final)
        self._pending = buffer[at:]
        self._broken = max(0, broken - at)
        return events


def _check(octets: bytes) -> int:
    return sum(octets) & 0xFF


def _idle_from(buffer: bytes, least: int, at: int) -> int:
    """Where the preamble before `at` begins, not before `least`."""
    least = max(least, at - MAX_PREAMBLE)
    return least + len(buffer[least:at].rstrip(_IDLE))


def _noise(buffer: bytes, taken: int, broken: int, at: int, final: bool) -> list[Event]:
    """What lies before `at` and is no frame: up to `broken`, it belonged to one whose check was wrong."""
    broken = min(max(taken, broken), at)
    parts = (buffer[taken:broken], "checksum"), (buffer[broken:at], "cut" if final else "noise")
    return [Noise(data, reason) for data, reason in parts if data]
