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

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

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
_CONTROL_AT: Final = 8
_LENGTH_AT: Final = 9
MAX_LENGTH: Final = MAX_PREAMBLE + _AROUND + MAX_DATA

_ADD = bytes((octet + _OFFSET) & 0xFF for octet in range(256))
_SUBTRACT = bytes((octet - _OFFSET) & 0xFF for octet in range(256))

# Preamble and head; a request is neither refused nor followed by more.
_HEAD = re.compile(
    rb"(?s)\xfe{0,%d}(\x68.{6}\x68[\x00-\x1f\x80-\xff][\x00-\x%02x])" % (MAX_PREAMBLE, MAX_DATA)
)


@dataclass(frozen=True, slots=True)
class Message:
    """The content of a frame.

    Attributes:
        address: twelve digits, the first pair first; A stands for any digit.
        control: the function, and the flags of a reply.
        data: the octets without the offset.
    """

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """Return the function, which a request and its replies share."""
        return self.control & FUNCTION


def build(message: Message, preamble: int = PREAMBLE) -> bytes:
    """Return the frame of a message, with `preamble` octets FE before it."""
    fields = {
        "address": bytes.fromhex(message.address)[::-1],
        "control": message.control,
        "data": message.data.translate(_ADD),
    }
    frame = layout.build(LAYOUT, **fields, check=0)
    return _IDLE * preamble + frame[:-2] + bytes((_check(frame[:-2]),)) + _END


def parse(frame: Frame) -> Message:
    """Return the message in a good frame."""
    fields = layout.parse(LAYOUT, frame.data[preamble(frame) :])
    address = fields["address"][::-1].hex().upper()
    return Message(address, fields["control"], fields["data"].translate(_SUBTRACT))


def preamble(frame: Frame) -> int:
    """Return the number of FE before the frame."""
    return len(frame.data) - len(frame.data.lstrip(_IDLE))


def length(data: int) -> int:
    """Return the length of a frame, in octets, from that of its data; the usual preamble included."""
    return PREAMBLE + _AROUND + data


def covers(pattern: str, address: str) -> bool:
    """Return whether the address in a request is that of a meter; A stands for any digit."""
    return all(digit in ("A", actual) for digit, actual in zip(pattern, address, strict=True))


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _check(octets: bytes) -> int:
    return sum(octets) & 0xFF


def _extent(buffer: bytes, at: int) -> int:
    return _AROUND + buffer[at + _LENGTH_AT]


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if frame.endswith(bytes((_check(frame[:-2]),)) + _END) else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REPLY if frame[_CONTROL_AT] & REPLY else Direction.REQUEST


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=MAX_PREAMBLE + _LENGTH_AT + 1,
    starts=_IDLE + _START,
    longest=_AROUND + MAX_DATA,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
