"""NMEA 0183: a sentence on the wire, and how it is found in a stream.

Spec: NMEA 0183, published as IEC 61162-1. The device pushes, as a rule once a second; 4800 8N1.

    $WIMWV,045,R,011.63,N,A*09CRLF
    $ | talker WI | sentence MWV | , field … | * check | CR LF

check: exclusive or of all between $ and *, two hex digits, now and then small ones. A field may be empty: the
device has no such value. Fields are separated by commas, "$", "!" and "*" stand in none.

A sentence without a check is not believed: before version 3 some devices sent such, but then a single flipped
bit, in "*", lets any other pass. The 82 characters that the standard allows are exceeded by real receivers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.framing import Direction, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

MAX_LENGTH: Final = 1024

_CHECK: Final = CHECKSUMS["xor8"].of
_HEAD = re.compile(rb"[$!][A-Z][A-Z0-9]{2}")
_END = re.compile(rb"[^ -~]|[$!]")
_LINE_END = re.compile(rb"\r?\n")
_SENTENCE = re.compile(rb"[$!]([^*]*)\*([0-9A-Fa-f]{2})\r?\n")
_NUMBER = re.compile(r"[+-]?(?=\.?\d)\d{0,12}(?:\.\d{0,12})?")


@dataclass(frozen=True, slots=True)
class Sentence:
    """The content of a sentence, between its start and its check.

    Attributes:
        talker: two letters; P… is a maker's own sentence.
        type: the sentence: MWV.
        fields: the fields as they are sent, "" where empty.
    """

    talker: str
    type: str
    fields: tuple[str, ...]

    def text(self, number: int) -> str:
        """Return the field of this number, from 1 on, stripped of blanks; "" if there are fewer."""
        return self.fields[number - 1].strip() if number <= len(self.fields) else ""

    def number(self, number: int) -> Decimal | None:
        """Return the field of this number, from 1 on, as a decimal; None if it is none."""
        return decimal(self.text(number))


def parse(data: bytes) -> Sentence:
    """Return the sentence in a frame."""
    address, *fields = data[1:].rpartition(b"*")[0].decode("ascii").split(",")
    return Sentence(address[:2], address[2:], tuple(fields))


def build(talker: str, sentence: str, fields: Sequence[str], start: str = "$") -> bytes:
    """Return the frame of a sentence."""
    body = ",".join((talker + sentence, *fields))
    return f"{start}{body}*{_CHECK(body.encode('ascii')):02X}\r\n".encode("ascii")


class StreamFramer(SearchFramer):
    """Framer of sentences."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def decimal(text: str) -> Decimal | None:
    """Return the number in a field; None if it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _extent(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    """Return the length of the sentence at `at`.

    None of the first `searched_length` octets ends it, but for a CR as the last of them.
    """
    end = _END.search(buffer, max(at, searched_length - 2) + 1, at + MAX_LENGTH - 1)
    if end is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    line_end = _LINE_END.match(buffer, end.start())
    if line_end:
        return line_end.end() - at
    return None if end[0] == b"\r" and end.end() == len(buffer) else 0


def _flaw(data: bytes) -> NoiseReason | None:
    match = _SENTENCE.fullmatch(data)
    return None if match and _CHECK(match[1]) == int(match[2], 16) else NoiseReason.CHECKSUM


def _direction(data: bytes) -> Direction:
    return Direction.REPLY


_SHAPE: Final = Shape(_HEAD, 4, b"$!", MAX_LENGTH, _extent, _flaw, _direction, resumed=_extent)
