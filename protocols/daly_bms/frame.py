"""Daly's frame of thirteen octets, and how it is found in a stream (Daly UART/485 protocol V1.2).

    A5 | address | command | 08 | data 8 | check      check: sum of all octets before it, modulo 256

    address: the sender of a request (40 a computer, 80 a telephone, 20 GPRS), of a reply 01, the BMS

A reply that is longer than eight octets is a block: consecutive frames of the same command, numbered by
the first octet of their data. The document counts from 0, real units from 1.
"""

from __future__ import annotations

import re
from typing import Final

from construct import Byte, Bytes, Const, Struct

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

COMPUTER: Final = 0x40
BMS: Final = 0x01
_SENDERS: Final = (COMPUTER, 0x80, 0x20)

_START, _LENGTH = b"\xa5", b"\x08"
LAYOUT: Final = "frame" / Struct(
    "start" / Const(_START),
    "address" / Byte,
    "command" / Byte,
    "length" / Const(_LENGTH),
    "data" / Bytes(8),
    "check" / Byte,
)
LENGTH: Final = LAYOUT.sizeof()
MAX_BLOCK: Final = 16  # frames: 48 cells, three in each
_HEAD_LENGTH: Final = 4


def build(address: int, command: int, data: bytes = bytes(8)) -> bytes:
    """Return the frame of a request or reply."""
    octets = layout.build(LAYOUT, address=address, command=command, data=data, check=0)[:-1]
    return octets + bytes((_check(octets),))


def parse(frame: Frame) -> tuple[int, bytes]:
    """Return the command and the data in a good frame."""
    fields = layout.parse(LAYOUT, frame.data)
    return fields["command"], fields["data"]


def frames_of(block: bytes) -> list[bytes]:
    """Return the frames of a block."""
    return [block[at : at + LENGTH] for at in range(0, len(block), LENGTH)]


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class BlockFramer(SearchFramer):
    """Framer of the block of `count` frames that answers a command; the block is one frame."""

    def __init__(self, command: int, count: int) -> None:
        start = re.escape(bytes((_START[0], BMS, command)) + _LENGTH)
        shape = Shape(
            head=re.compile(start + rb"[\x00\x01]"),
            head_length=_HEAD_LENGTH + 1,
            starts=_START,
            longest=LENGTH * count,
            extent=lambda buffer, at: LENGTH * count,
            flaw=_block_flaw,
            direction=_direction,
        )
        super().__init__(shape)


def _check(octets: bytes) -> int:
    return sum(octets) & 0xFF


def _extent(buffer: bytes, at: int) -> int:
    return LENGTH


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if _check(frame[:-1]) == frame[-1] else NoiseReason.CHECKSUM


def _block_flaw(block: bytes) -> NoiseReason | None:
    head, number = block[:_HEAD_LENGTH], block[_HEAD_LENGTH]
    for at in range(0, len(block), LENGTH):
        if not block.startswith(head, at) or block[at + _HEAD_LENGTH] != number:
            return NoiseReason.ORDER
        if _flaw(block[at : at + LENGTH]):
            return NoiseReason.CHECKSUM
        number += 1
    return None


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[1] in _SENDERS else Direction.REPLY


_SHAPE: Final = Shape(
    head=re.compile(rb"(?s)\xa5..\x08"),
    head_length=_HEAD_LENGTH,
    starts=_START,
    longest=LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
