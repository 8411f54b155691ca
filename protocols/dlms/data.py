"""A-XDR, the encoding of COSEM data: every element begins with its type.

Spec: IEC 62056-6-2 (Blue Book 12 §4.1.5, common data types); IEC 61334-6 (lengths).

    type | value                       numbers, of a fixed length
    type | length | octets             strings
    type | number of elements | …      arrays and structures

    length: below 80 as it is; 8n: in the n octets that follow

A structure has no end of its own, so data are read whole or not at all.

Quirk: Landis+Gyr ZMF100 writes type and length of some OBIS codes the wrong way round, 06 09 for 09 06.
Behind an unsigned 06 would stand 07, which is no type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from construct import (
    Byte,
    Bytes,
    Construct,
    Float32b,
    Float64b,
    Int8sb,
    Int16sb,
    Int16ub,
    Int32sb,
    Int32ub,
    Int64sb,
    Int64ub,
    Struct,
)

from protocols.toolkit import layout
from protocols.toolkit.errors import DecodeError, FrameError
from protocols.toolkit.octet_reader import OctetReader


class Enumerated(int):
    """An element of type enum, such as a unit."""


Element = bytes | str | bool | int | float | list["Element"] | None

_NULL, _ARRAY, _STRUCTURE, _BOOLEAN, _BIT_STRING = 0, 1, 2, 3, 4
_OCTET_STRING, _VISIBLE_STRING, _UTF8_STRING, _ENUM = 9, 10, 12, 22
_NUMBERS: Final[Mapping[int, Construct[Any, Any]]] = {
    5: Int32sb,
    6: Int32ub,
    13: Byte,  # BCD, two digits
    15: Int8sb,
    16: Int16sb,
    17: Byte,
    18: Int16ub,
    20: Int64sb,
    21: Int64ub,
    _ENUM: Byte,
    23: Float32b,
    24: Float64b,
    25: Bytes(12),  # date-time
    26: Bytes(5),  # date
    27: Bytes(4),  # time
}
_TURNED_CODE = re.compile(rb"(?s)\x06\x09.{3}\x07.\xff")
_MAX_DEPTH = 8
_MAX_ELEMENTS = 1024

DATE_TIME: Final = "date-time" / Struct(
    "year" / Int16ub,
    "month" / Byte,
    "day" / Byte,
    "weekday" / Byte,
    "hour" / Byte,
    "minute" / Byte,
    "second" / Byte,
    "hundredths" / Byte,
    "deviation" / Int16sb,  # minutes from local time to UTC
    "status" / Byte,
)
DATE_TIME_LENGTH: Final = DATE_TIME.sizeof()
_NOT_SPECIFIED = -0x8000
_INVALID = 0x01  # status: the clock is not set


class Reader(OctetReader):
    """Reads elements, one after the other."""

    def element(self, name: str, depth: int = 0) -> Element:
        """Read the next element, which the specification calls `name`."""
        kind = self.octets(name, 1)[0]
        if kind in (_ARRAY, _STRUCTURE):
            return self._list(name, depth)
        if kind in _NUMBERS:
            return self._number(name, kind)
        if kind == _NULL:
            return None
        if kind == _BOOLEAN:
            return self.octets(name, 1) != b"\0"
        if kind in (_OCTET_STRING, _VISIBLE_STRING, _UTF8_STRING):
            octets = self.octets(name, self.length(name))
            return octets if kind == _OCTET_STRING else octets.decode("utf-8", "replace")
        if kind == _BIT_STRING:
            return self.octets(name, (self.length(name) + 7) // 8)
        raise self._error(name, "there is no such type", kind)

    def length(self, name: str) -> int:
        """Read the next length."""
        first = self.octets(name, 1)[0]
        if first < 0x80:
            return first
        if not 1 <= first & 0x7F <= 4:
            raise self._error(name, "is not a length", first)
        return int.from_bytes(self.octets(name, first & 0x7F), "big")

    def end(self, name: str) -> None:
        """Check that nothing is left."""
        if not self.is_at_end:
            raise self._error(name, "ends too early", self._data[self.at :].hex())

    def _list(self, name: str, depth: int) -> Element:
        count = self.length(name)
        if depth == _MAX_DEPTH or count > _MAX_ELEMENTS:
            raise self._error(name, f"more than {_MAX_DEPTH} deep or {_MAX_ELEMENTS} long", count)
        if _TURNED_CODE.match(self._data, self.at):
            self.at += 2
            return [self.octets(name, 6), *(self.element(name, depth + 1) for _ in range(count - 1))]
        return [self.element(name, depth + 1) for _ in range(count)]

    def _number(self, name: str, kind: int) -> Element:
        declaration = _NUMBERS[kind]
        value: Element = declaration.parse(self.octets(name, declaration.sizeof()))
        if kind == _ENUM and isinstance(value, int):
            return Enumerated(value)
        return value


def split_length(data: bytes, name: str) -> bytes:
    """Return the octets after a length, which must be exactly their number.

    Raises:
        DecodeError: there are more or fewer.
    """
    reader = Reader(data)
    octets = reader.octets(name, reader.length(name))
    reader.end(name)
    return octets


def iso_date(octets: bytes) -> str | None:
    """Return a date-time in ISO 8601, with its offset from UTC if it has one; None if it is not set."""
    try:
        fields = layout.parse(DATE_TIME, octets)
    except (DecodeError, FrameError):
        return None
    if fields["status"] != 0xFF and fields["status"] & _INVALID:
        return None
    minutes = fields["deviation"]
    try:
        zone = None if minutes == _NOT_SPECIFIED else timezone(timedelta(minutes=-minutes))
        moment = datetime(
            fields["year"],
            fields["month"],
            fields["day"],
            fields["hour"],
            fields["minute"],
            fields["second"] if fields["second"] != 0xFF else 0,
            tzinfo=zone,
        )
    except ValueError:
        return None
    return moment.isoformat()
