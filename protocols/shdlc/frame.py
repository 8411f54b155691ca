"""SHDLC's frame on the wire, and how it is found in a stream (SPS30 datasheet V2.0 §5.2).

    MOSI, the request   7E | address | command | length | data 0–255 | check | 7E
    MISO, the reply     7E | address | command | state | length | data 0–255 | check | 7E

    state:  bit 7 an error flag of the device is set | bits 6–0 why the command was not executed, 0 it was

Between the two 7E each 7E, 7D, 11 and 13 is sent as 7D and the octet with bit 5 inverted (stuffing), the
checksum too. check: the sum of what stands before it, without stuffing, inverted.

A frame goes from one 7E to the next; those of two frames stand side by side. It is taken if its stuffing,
its length as a request or as a reply, and its checksum are right. Otherwise its first 7E is no start, and the
second may be one. A request for something numbered is also well formed as the reply that refuses the command:
`D0 01 00` asks for information 0, or answers with error 1 and no data. Of such a frame nobody can tell who
sent it; it has no direction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from construct import Byte, Bytes, Rebuild, Struct, len_, this

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

MAX_DATA: Final = 255
ERROR_FLAG: Final = 0x80
ERROR_CODE: Final = 0x7F

_FLAG, _ESCAPE = b"\x7e", b"\x7d"
_MOSI: Final = "MOSI frame" / Struct(
    "address" / Byte,
    "command" / Byte,
    "length" / Rebuild(Byte, len_(this.data)),
    "data" / Bytes(this.length),
)
_MISO: Final = "MISO frame" / Struct(
    "address" / Byte,
    "command" / Byte,
    "state" / Byte,
    "length" / Rebuild(Byte, len_(this.data)),
    "data" / Bytes(this.length),
)
_MOSI_LENGTH_AT, _MISO_LENGTH_AT = 2, 3
_LEAST: Final = 4  # octets between the flags of a request without data
MAX_LENGTH: Final = 2 + 2 * (_MISO_LENGTH_AT + 1 + MAX_DATA + 1)  # every octet stuffed

_RESERVED = re.compile(rb"[\x7e\x7d\x11\x13]")
_STUFFED = re.compile(rb"\x7d([\x5e\x5d\x31\x33])")
_WELL_STUFFED = re.compile(rb"(?s)(?:[^\x7d]|\x7d[\x5e\x5d\x31\x33])*")


@dataclass(frozen=True, slots=True)
class Mosi:
    """A request: master out, slave in."""

    address: int
    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Miso:
    """A reply: master in, slave out."""

    address: int
    command: int
    state: int
    data: bytes = b""

    @property
    def error(self) -> int:
        """Return the error code: why the command was not executed; 0 if it was."""
        return self.state & ERROR_CODE


def build(message: Mosi | Miso) -> bytes:
    """Return the frame of a request or reply."""
    if isinstance(message, Mosi):
        fields = {"address": message.address, "command": message.command, "data": message.data}
        return _checked(layout.build(_MOSI, **fields))
    fields = {
        "address": message.address,
        "command": message.command,
        "state": message.state,
        "data": message.data,
    }
    return _checked(layout.build(_MISO, **fields))


def request(frame: Frame) -> Mosi | None:
    """Return a frame from a framer as a request; None if it is none."""
    octets = content(frame.data)
    if not _is_mosi(octets):
        return None
    fields = layout.parse(_MOSI, octets[:-1])
    return Mosi(fields["address"], fields["command"], fields["data"])


def reply(frame: Frame) -> Miso | None:
    """Return a frame from a framer as a reply; None if it is none."""
    octets = content(frame.data)
    if not _is_miso(octets):
        return None
    fields = layout.parse(_MISO, octets[:-1])
    return Miso(fields["address"], fields["command"], fields["state"], fields["data"])


def content(frame: bytes) -> bytes:
    """Return the octets between the two 7E of a frame, unstuffed, the checksum included."""
    octets = frame[1:-1]
    if _ESCAPE not in octets:
        return octets
    return _STUFFED.sub(lambda pair: bytes((pair[1][0] ^ 0x20,)), octets)


def enclosed(content: bytes) -> bytes:
    """Return the frame with this content: stuffed, between two 7E."""
    return _FLAG + _RESERVED.sub(lambda octet: bytes((0x7D, octet[0][0] ^ 0x20)), content) + _FLAG


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _checked(content: bytes) -> bytes:
    return enclosed(content + bytes((_check(content),)))


def _check(octets: bytes) -> int:
    return ~sum(octets) & 0xFF


def _is_mosi(content: bytes) -> bool:
    return len(content) >= _LEAST and len(content) == _LEAST + content[_MOSI_LENGTH_AT]


def _is_miso(content: bytes) -> bool:
    return len(content) > _LEAST and len(content) == _LEAST + 1 + content[_MISO_LENGTH_AT]


def _extent(buffer: bytes, at: int) -> int | None:
    end = buffer.find(_FLAG, at + 1, at + MAX_LENGTH)
    if end < 0:
        return None if len(buffer) < at + MAX_LENGTH else 0
    return end + 1 - at


def _flaw(frame: bytes) -> NoiseReason | None:
    if _ESCAPE in frame and not _WELL_STUFFED.fullmatch(frame, 1, len(frame) - 1):
        return NoiseReason.STUFFING
    octets = content(frame)
    if not (_is_mosi(octets) or _is_miso(octets)):
        return NoiseReason.LENGTH
    return None if _check(octets[:-1]) == octets[-1] else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction | None:
    octets = content(frame)
    if _is_mosi(octets):
        return None if _is_miso(octets) else Direction.REQUEST
    return Direction.REPLY


_SHAPE: Final = Shape(
    head=re.compile(rb"\x7e[^\x7e]{%d}" % _LEAST),
    head_length=1 + _LEAST,
    starts=_FLAG,
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
