"""Modbus ASCII: the catalogue's entry, and how its frames are found.

Spec: Modbus over Serial Line V1.02 §2.5.2 (ASCII mode); the PDU is that of `pdu`. The sensor is asked.

    ":" | address 2 | PDU 2–506 | LRC 2 | CR LF      two hexadecimal digits an octet, at most 513 characters

LRC: two's complement of the sum of all octets before it, so that with it they add up to 0. It has only 8
bits, so a frame is taken only if its PDU is also exactly as long as its function and counts say.

A colon begins a frame wherever it stands: no digit is a colon, so what came before was cut. Lower-case
digits, which the specification does not have, are read; upper case is sent. CR LF is required.

The mode's characters are 7E1, many devices are delivered as 8N1 all the same, and the baud rate is the
device's own: `line` has no default here, the sensor's manual decides.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.record import modbus_protocol
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Event, Frame, Noise

MAX_LENGTH: Final = 513  # §2.5.2.1

_START, _END = b":", b"\r\n"
_ENDED = re.compile(rb":[^:\n]{7,511}\n")  # from a colon to a line feed: a frame, whole or broken
_FRAME = re.compile(rb":((?:[0-9A-Fa-f]{2}){3,255})\r\n")


def lrc(octets: bytes) -> int:
    """The longitudinal redundancy check of address and PDU."""
    return -sum(octets) & 0xFF


def adu(unit: int, body: bytes) -> bytes:
    """A PDU as it goes on the wire."""
    octets = bytes((unit,)) + body
    return _START + (octets + bytes((lrc(octets),))).hex().upper().encode() + _END


def unit(frame: Frame) -> int:
    """The unit address of a frame that a framer found."""
    return int(frame.data[1:3], 16)


def body(frame: Frame) -> bytes:
    """The PDU of a frame that a framer found."""
    return bytes.fromhex(frame.data[3:-4].decode())


def octets(pdu_length: int) -> int:
    """Characters of the ADU whose PDU has so many octets."""
    return len(_START) + 2 * (1 + pdu_length + 1) + len(_END)


class StreamFramer:
    """Finds the frames of both directions of a line, or the reply to one known request."""

    def __init__(self, asked: bytes | None = None) -> None:
        """`asked`: the request that was just sent, as it went on the wire."""
        self._pending = b""
        self._asked = Frame(asked) if asked else None

    @property
    def pending(self) -> bytes:
        """At most 512 characters: the unfinished frame that they may begin."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Takes bytes as they arrived; returns the events they settle."""
        buffer = self._pending + data
        events: list[Event] = []
        at = 0
        while ended := _ENDED.search(buffer, at):
            if ended.start() > at:
                events.append(Noise(buffer[at : ended.start()], "noise"))
            events.append(self._judge(ended[0]))
            at = ended.end()
        start = buffer.rfind(_START, at)
        if start < 0 or len(buffer) - start >= MAX_LENGTH or b"\n" in buffer[start:]:
            start = len(buffer)
        if start > at:
            events.append(Noise(buffer[at:start], "noise"))
        self._pending = buffer[start:]
        return events

    def silence(self) -> list[Event]:
        """Settles what is pending: an unfinished frame was cut."""
        cut, self._pending = self._pending, b""
        return [Noise(cut, "cut")] if cut else []

    def _judge(self, data: bytes) -> Event:
        """What stood between a colon and a line feed."""
        digits = _FRAME.fullmatch(data)
        if digits is None:
            return Noise(data, "checksum")  # no pair of digits, no sum
        octets = bytes.fromhex(digits[1].decode())
        if sum(octets) & 0xFF:
            return Noise(data, "checksum")
        direction = self._direction(octets[0], octets[1:-1])
        if direction is None:
            return Noise(data, "length")
        frame = Frame(data, direction)
        self._asked = frame if direction is Direction.REQUEST else None
        return frame

    def _direction(self, address: int, found: bytes) -> Direction | None:
        """Who sent this PDU; None: it is as long as no request or reply of its function."""
        is_reply = _fits(pdu.reply_layout(found[0]), found)
        asked = self._asked
        if is_reply and asked and unit(asked) == address and pdu.answers(body(asked), found):
            return Direction.REPLY
        request = pdu.REQUESTS.get(found[0])
        if request and _fits(request, found) and (not is_reply or _makes_sense(request, found)):
            return Direction.REQUEST
        return Direction.REPLY if is_reply else None


class RequestFramer(StreamFramer):
    """Finds the requests that a sensor hears; no reading as a reply is tried."""

    def _direction(self, address: int, found: bytes) -> Direction | None:
        return Direction.REQUEST if _fits(pdu.REQUESTS.get(found[0]), found) else None


def _fits(layout: pdu.Layout | None, found: bytes) -> bool:
    return layout is not None and layout.length(found) == len(found) <= pdu.MAX_LENGTH


def _makes_sense(layout: pdu.Layout, found: bytes) -> bool:
    try:
        return layout.makes_sense(layout.parse(found))
    except ProtocolError:
        return False


ASCII: Final = Carrier(
    adu=adu,
    unit=unit,
    body=body,
    octets=octets,
    per_octet=2,
    request_framer=RequestFramer,
    reply_framer=StreamFramer,
)


PROTOCOL = modbus_protocol(
    name="modbus-ascii",
    title="Modbus ASCII",
    spec="Modbus Application Protocol V1.1b3, Modbus over Serial Line V1.02 §2.5.2",
    framer=StreamFramer,
    carrier=ASCII,
    bytesizes=frozenset({7, 8}),
)
