"""JBD's frame on the wire, and how it is found in a stream (JBD general protocol V4).

request   DD | A5 | register | length | data | check 2 | 77      A5 read, 5A write
reply     DD | register | status | length | data | check 2 | 77  status 00: done, 80: refused

check: the sum of the octets from the third on, with the check, is zero modulo 65536; the second octet is
not covered. All numbers are big endian.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from construct import Byte, Bytes, Const, Int16ub, Rebuild, Struct, len_, this

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

READ: Final = 0xA5
WRITE: Final = 0x5A
DONE: Final = 0x00
REFUSED: Final = 0x80

_START, _END = b"\xdd", b"\x77"
_CHECK: Final = 2
MAX_DATA: Final = 128  # of 32 cells there are 64 octets
AROUND: Final = 7  # octets of a frame without data
MAX_LENGTH: Final = AROUND + MAX_DATA
LAYOUT: Final = "frame" / Struct(
    "start" / Const(_START),
    "order" / Byte,  # of a reply its register
    "register" / Byte,  # of a reply its status
    "length" / Rebuild(Byte, len_(this.data)),
    "data" / Bytes(this.length),
    "check" / Int16ub,
    "end" / Const(_END),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request: READ or WRITE."""

    order: int
    register: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply."""

    register: int
    status: int
    data: bytes = b""


def build(message: Request | Reply) -> bytes:
    """Return the frame of a request or reply."""
    if isinstance(message, Request):
        order, register = message.order, message.register
    else:
        order, register = message.register, message.status
    frame = layout.build(LAYOUT, order=order, register=register, data=message.data, check=0)
    end = len(frame) - _CHECK - 1
    return frame[:end] + _check(frame[2:end]).to_bytes(_CHECK, "big") + _END


def parse(frame: Frame) -> Request | Reply:
    """Return the message in a good frame."""
    fields = layout.parse(LAYOUT, frame.data)
    make = Request if frame.direction is Direction.REQUEST else Reply
    return make(fields["order"], fields["register"], fields["data"])


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _check(octets: bytes) -> int:
    return -sum(octets) & 0xFFFF


def _extent(buffer: bytes, at: int) -> int:
    return AROUND + buffer[at + 3]


def _flaw(frame: bytes) -> NoiseReason | None:
    if frame[-1:] != _END:
        return NoiseReason.END
    end = len(frame) - 1 - _CHECK
    is_good = _check(frame[2:end]) == int.from_bytes(frame[end:-1], "big")
    return None if is_good else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[1] in (READ, WRITE) else Direction.REPLY


_SHAPE: Final = Shape(
    head=re.compile(rb"(?s)\xdd(?:[\xa5\x5a].|.[\x00\x80])[\x00-\x%02x]" % MAX_DATA),
    head_length=4,
    starts=_START,
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
