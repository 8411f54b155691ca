"""Frames of both directions, all in hexadecimal digits, two for an octet.

    ~ | version 2 | address 2 | CID1 46 | CID2 or RTN | length 4 | info … | check 4 | CR

    length: the digits of info in its low twelve bits, above them the sum of their three digits, negated
    check:  the sum of all characters between ~ and check, negated

A reply does not say what it answers: what its info says, and in how many octets, must fit the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

NORMAL: Final = 0x00
REFUSALS: Final[Mapping[int, str]] = {
    0x01: "wrong version",
    0x02: "wrong checksum",
    0x03: "wrong checksum of the length",
    0x04: "unknown command",
    0x05: "wrong format",
    0x06: "wrong data",
    0x90: "wrong address",
    0x91: "communication error",
}

_VERSION, _CID1 = 0x20, 0x46
_HEAD: Final = 13  # characters up to the length
_TAIL: Final = 5
_MAX_INFO: Final = 0x200
SHORTEST: Final = _HEAD + _TAIL
MAX_LENGTH: Final = SHORTEST + _MAX_INFO


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def build(address: int, code: int, info: bytes = b"") -> bytes:
    """Return the frame of a request (`code` is CID2) or a reply (RTN)."""
    length = 2 * len(info)
    text = f"{_VERSION:02X}{address:02X}{_CID1:02X}{code:02X}{_length_check(length):X}{length:03X}"
    text += info.hex().upper()
    return f"~{text}{-sum(text.encode()) & 0xFFFF:04X}\r".encode()


def octets(frame: Frame) -> bytes:
    """Return what stands between ~ and CR: version, address, CID1, CID2 or RTN, length 2, info, check 2."""
    return bytes.fromhex(frame.data[1:-1].decode("ascii"))


def address(frame: Frame) -> int:
    """Return the number of the battery that is asked or answers."""
    return octets(frame)[1]


def code(frame: Frame) -> int:
    """Return CID2 of a request, RTN of a reply."""
    return octets(frame)[3]


def info(frame: Frame) -> bytes:
    """Return the information."""
    return octets(frame)[6:-2]


def refusal(code: int) -> str:
    """Return what a reply means that is not normal."""
    return REFUSALS.get(code, f"RTN {code:02X}, not in the document")


def _length_check(length: int) -> int:
    return -((length >> 8) + (length >> 4 & 0xF) + (length & 0xF)) & 0xF


def _extent(buffer: bytes, at: int) -> int:
    field = int(buffer[at + 9 : at + _HEAD], 16)
    length = field & 0xFFF
    is_right = field >> 12 == _length_check(length) and length % 2 == 0 and length <= _MAX_INFO
    return SHORTEST + length if is_right else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if not _WHOLE.fullmatch(frame):
        return NoiseReason.DIGIT
    is_good = -sum(frame[1:-_TAIL]) & 0xFFFF == int(frame[-_TAIL:-1], 16)
    return None if is_good else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    code = int(frame[7:9], 16)
    is_reply = code == NORMAL or code in REFUSALS
    return Direction.REPLY if is_reply else Direction.REQUEST


_WHOLE = re.compile(rb"~[0-9A-F]+\r")
_SHAPE: Final = Shape(
    head=re.compile(rb"~[0-9A-F]{4}46[0-9A-F]{6}"),
    head_length=_HEAD,
    starts=b"~",
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
