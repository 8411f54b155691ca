"""Modbus ASCII: the protocol `modbus-ascii`, and how its frames are found.

Spec: Modbus over Serial Line V1.02 §2.5.2 (ASCII mode); the PDU is that of `pdu`. The sensor is polled.

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
from collections.abc import Callable
from typing import Final

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.transmission_mode import TransmissionMode
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Event, Frame, Noise, NoiseReason

MAX_LENGTH: Final = 513  # §2.5.2.1

_START, _END = b":", b"\r\n"
_CANDIDATE = re.compile(rb":[^:\n]{7,511}\n")  # from a colon to a line feed: a frame, whole or broken
_FRAME = re.compile(rb":((?:[0-9A-Fa-f]{2}){3,255})\r\n")


def lrc(octets: bytes) -> int:
    """Return the longitudinal redundancy check (§2.5.2.2) of these octets: address and PDU."""
    return -sum(octets) & 0xFF


def adu(unit: int, body: bytes) -> bytes:
    """Return the ADU that carries a PDU to or from a unit: the characters on the wire."""
    octets = bytes((unit,)) + body
    return _START + (octets + bytes((lrc(octets),))).hex().upper().encode() + _END


def unit(frame: Frame) -> int:
    """Return the unit address in a frame of `StreamFramer`."""
    return int(frame.data[1:3], 16)


def body(frame: Frame) -> bytes:
    """Return the PDU in a frame of `StreamFramer`."""
    return bytes.fromhex(frame.data[3:-4].decode())


def octets(pdu_length: int) -> int:
    """Return the length, in characters, of the ADU whose PDU has `pdu_length` octets."""
    return len(_START) + 2 * (1 + pdu_length + 1) + len(_END)


def answered_by(request: bytes) -> Callable[[Frame], bool]:
    """Return the test whether a frame answers this request: the same unit, and `pdu.answers`."""
    asked = Frame(request)
    return lambda frame: unit(frame) == unit(asked) and pdu.answers(body(asked), body(frame))


class StreamFramer:
    """Framer of both directions of a line, or of the reply to one known request."""

    def __init__(self, request: bytes | None = None) -> None:
        """Begin with an empty buffer.

        Args:
            request: the request that was just sent, as it went on the wire.
        """
        self._pending = b""
        self._request = Frame(request) if request else None

    @property
    def pending(self) -> bytes:
        """Return the beginning of an unfinished frame, at most 512 characters."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        buffer = self._pending + data
        events: list[Event] = []
        position = 0
        while candidate := _CANDIDATE.search(buffer, position):
            if candidate.start() > position:
                events.append(Noise(buffer[position : candidate.start()], NoiseReason.NOISE))
            events.append(self._judge(candidate[0]))
            position = candidate.end()
        start = buffer.rfind(_START, position)
        if start < 0 or len(buffer) - start >= MAX_LENGTH or b"\n" in buffer[start:]:
            start = len(buffer)
        if start > position:
            events.append(Noise(buffer[position:start], NoiseReason.NOISE))
        self._pending = buffer[start:]
        return events

    def silence(self) -> list[Event]:
        """Settle the pending octets: an unfinished frame was cut."""
        cut_frame, self._pending = self._pending, b""
        return [Noise(cut_frame, NoiseReason.CUT)] if cut_frame else []

    def _judge(self, data: bytes) -> Event:
        """Return the event of one candidate: the characters from a colon to a line feed."""
        digits = _FRAME.fullmatch(data)
        if digits is None:
            return Noise(data, NoiseReason.CHECKSUM)  # no pair of digits, no sum
        octets = bytes.fromhex(digits[1].decode())
        if sum(octets) & 0xFF:
            return Noise(data, NoiseReason.CHECKSUM)
        direction = self._direction(octets[0], octets[1:-1])
        if direction is None:
            return Noise(data, NoiseReason.LENGTH)
        frame = Frame(data, direction)
        self._request = frame if direction is Direction.REQUEST else None
        return frame

    def _direction(self, address: int, pdu_octets: bytes) -> Direction | None:
        """Return the sender of a PDU; None if no request or reply of its function has this length."""
        is_reply = _fits(pdu.reply_layout(pdu_octets[0]), pdu_octets)
        request = self._request
        if is_reply and request and unit(request) == address and pdu.answers(body(request), pdu_octets):
            return Direction.REPLY
        layout = pdu.REQUESTS.get(pdu_octets[0])
        if layout and _fits(layout, pdu_octets) and (not is_reply or _makes_sense(layout, pdu_octets)):
            return Direction.REQUEST
        return Direction.REPLY if is_reply else None


class RequestFramer(StreamFramer):
    """Framer of requests, for a simulated sensor; nothing is read as a reply."""

    def _direction(self, address: int, pdu_octets: bytes) -> Direction | None:
        return Direction.REQUEST if _fits(pdu.REQUESTS.get(pdu_octets[0]), pdu_octets) else None


def _fits(layout: pdu.Layout | None, pdu_octets: bytes) -> bool:
    return layout is not None and layout.length(pdu_octets) == len(pdu_octets) <= pdu.MAX_LENGTH


def _makes_sense(layout: pdu.Layout, pdu_octets: bytes) -> bool:
    try:
        return layout.makes_sense(layout.parse(pdu_octets))
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
    answered_by=answered_by,
)


PROTOCOL = TransmissionMode(
    name="modbus-ascii",
    title="Modbus ASCII",
    spec="Modbus Application Protocol V1.1b3, Modbus over Serial Line V1.02 §2.5.2",
    framer=StreamFramer,
    carrier=ASCII,
    bytesizes=frozenset({7, 8}),
).protocol()
