"""The data link layer.

    to the meter     80 | address 3F | CID | data … | CRC 2 | 0D
    from the meter   40 | address 3F | CID | data … | CRC 2 | 0D
    CRC: CRC-16/XMODEM from the address on, high octet first

Between start and 0D the octets 06 0D 1B 40 80 are sent as 1B and their complement; the CRC is reckoned
before that.
"""

from __future__ import annotations

import re
from typing import Final

from fastcrc.crc16 import xmodem

from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

METER: Final = 0x3F
MAX_LENGTH: Final = 256
AROUND: Final = 6  # octets of a frame beside its data: start, address, CID, CRC, stop

TO_METER, FROM_METER = 0x80, 0x40
_STOP, _STUFFING = 0x0D, 0x1B
_LEAST: Final = 4  # octets between start and stop: address, CID, CRC


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def build(start: int, content: bytes) -> bytes:
    """Return the frame of a content, from the address to the last octet before the CRC."""
    stuffed = _SPECIAL.sub(
        lambda octet: bytes((_STUFFING, octet[0][0] ^ 0xFF)), content + xmodem(content).to_bytes(2, "big")
    )
    return bytes((start,)) + stuffed + bytes((_STOP,))


def content(frame: Frame) -> bytes:
    """Return what stands between start and the CRC as it was before it was stuffed: address, CID, data."""
    return _unstuffed(frame.data)[:-2]


def _unstuffed(frame: bytes) -> bytes:
    """Return what stands between start and stop as it was before it was stuffed, with the CRC."""
    return _STUFFED.sub(lambda pair: bytes((pair[0][1] ^ 0xFF,)), frame[1:-1])


def _extent(buffer: bytes, at: int) -> int | None:
    return _extent_from(buffer, at, at + 1)


def _extent_from(buffer: bytes, at: int, begin: int) -> int | None:
    end = _END.search(buffer, max(begin, at + 1), at + MAX_LENGTH)
    if end is None:
        return None if len(buffer) < at + MAX_LENGTH else 0
    return end.end() - at if end[0][0] == _STOP else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if not _WHOLE.fullmatch(frame):
        return NoiseReason.ESCAPE
    octets = _unstuffed(frame)
    if len(octets) < _LEAST:
        return NoiseReason.LENGTH
    return NoiseReason.CHECKSUM if xmodem(octets) else None


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[0] == TO_METER else Direction.REPLY


_SPECIAL: Final = re.compile(rb"[\x06\x0d\x1b\x40\x80]")
_STUFFED: Final = re.compile(rb"\x1b[\xf9\xf2\xe4\xbf\x7f]")
_END: Final = re.compile(rb"[\x06\x0d\x40\x80]")  # what stands in no frame but at its ends
_WHOLE: Final = re.compile(rb"[\x40\x80](?:[^\x1b]|\x1b[\xf9\xf2\xe4\xbf\x7f])*\x0d", re.DOTALL)
_SHAPE: Final = Shape(
    head=re.compile(rb"[\x40\x80][^\x06\x0d\x40\x80]"),
    head_length=2,
    starts=bytes((FROM_METER, TO_METER)),
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
    resumed=_extent_from,
)
