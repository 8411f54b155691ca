"""DLMS/COSEM on wired M-Bus, as Austrian meters push it on their customer interface.

Spec: IEC 62056-7-3; EN 13757-2 (the frame), EN 13757-1 (CI 00 to 1F).

    68 | L | L | 68 | C | A | CI | STSAP | DTSAP | data | check | 16

    CI: 000 | last of the APDU | number, from 0
    check: the sum of all octets from C to the last of the data, modulo 256
"""

from __future__ import annotations

from typing import Final, NamedTuple

from construct import Byte, Bytes, Const, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.framing import NoiseReason

STARTS: Final = b"\x68"
HEAD: Final = rb"\x68[\x05-\xff]{2}\x68[\x00-\xff]{2}[\x00-\x1f]"
HEAD_LENGTH: Final = 7
LONGEST: Final = 0xFF + 6
MAX_DATA: Final = 0xFF - 5

_BEFORE, _AROUND = 4, 6  # octets of a frame that L does not count: before C, and in all
_LAST, _NUMBER = 0x10, 0x0F
_sum8 = CHECKSUMS["sum8"].of

LONG: Final = "long frame" / Struct(
    "start" / Const(b"\x68"),
    "length" / Byte,
    "length_again" / Byte,
    "start_again" / Const(b"\x68"),
    "c" / Byte,
    "a" / Byte,
    "ci" / Byte,
    "stsap" / Byte,
    "dtsap" / Byte,
    "data" / Bytes(this.length - 5),
    "check" / Byte,
    "stop" / Const(b"\x16"),
)


class Segment(NamedTuple):
    """A part of an APDU: its number, and whether it is the last one."""

    number: int
    is_last: bool
    data: bytes


def extent(buffer: bytes, at: int) -> int:
    """Return the octets of the frame that begins here; 0 if its two lengths differ."""
    return buffer[at + 1] + _AROUND if buffer[at + 1] == buffer[at + 2] else 0


def flaw(frame: bytes) -> NoiseReason | None:
    """Return the flaw of a frame of the right length; None if it is good."""
    if frame[-1] != 0x16:
        return NoiseReason.STOP
    return None if _sum8(frame[_BEFORE:-2]) == frame[-2] else NoiseReason.CHECKSUM


def parse(frame: bytes) -> Segment:
    """Return the segment in a good frame."""
    fields = layout.parse(LONG, frame)
    return Segment(fields["ci"] & _NUMBER, bool(fields["ci"] & _LAST), fields["data"])


def build(segment: Segment) -> bytes:
    """Return the frame that carries a segment to all clients."""
    length = 5 + len(segment.data)
    ci = segment.number | segment.is_last * _LAST
    fields = {"length": length, "length_again": length, "c": 0x53, "a": 0xFF, "ci": ci}
    draft = layout.build(LONG, **fields, stsap=1, dtsap=0x67, data=segment.data, check=0)
    return draft[:-2] + bytes((_sum8(draft[_BEFORE:-2]),)) + draft[-1:]
