"""EN 13757-3 annex A: the encoding of values in the data of a record.

    number  data field 1–4, 6, 7   integer, lowest octet first (type B; unsigned: type C)
    real    data field 5           IEEE 754, 32 bits (type H)
    BCD     data field 9–C, E      two digits an octet, lowest first; a leading F is a minus (type A)
    LVAR    data field D           its first octet tells the coding and the length of what follows

The absence of a value has a pattern of its own: a BCD digit A to E (the meter's display of an error), the
lowest integer, NaN, a date with its invalid bit, or one that no calendar has. All of these are None here.
"""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Final

from protocols.toolkit.layout import shortest_float32

LVAR: Final = 0xD
SPECIAL: Final = 0xF
OCTETS: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
"""Octets of the data, by data field; of LVAR they stand in the record."""

_REAL: Final = 5
_IN_BCD: Final = (9, 10, 11, 12, 14)
_TEXT, _BCD, _NEGATIVE_BCD, _BINARY, _LONG_BINARY = range(0xC0), 0xC0, 0xD0, 0xE0, 0xEC
_TO_CENTURY: Final = 81  # a year of two digits from here on is of the last century


def variable_length(lvar: int) -> int | None:
    """Return the number of octets that follow an LVAR; None if it is reserved."""
    if lvar in _TEXT:
        return lvar
    if 0xC0 <= lvar <= 0xC9 or 0xD0 <= lvar <= 0xD9 or 0xE0 <= lvar <= 0xEF:
        return lvar & 0x0F
    if 0xF0 <= lvar <= 0xF4:
        return 4 * (lvar - _LONG_BINARY)
    return {0xF5: 48, 0xF6: 64}.get(lvar)


def number(
    data_field: int, data: bytes, lvar: int | None = None, *, is_unsigned: bool = False
) -> int | float | str | None:
    """Return the number or text in the data, before any scaling; None if there is no value.

    Args:
        data_field: bits 3–0 of the DIF.
        data: the octets; for a variable length without LVAR.
        lvar: the LVAR of data of variable length.
        is_unsigned: an integer is of type C.
    """
    if lvar is not None:
        return _variable(lvar, data)
    if data_field in _IN_BCD:
        return bcd(data)
    if data_field == _REAL:
        real = shortest_float32(data[::-1])
        return real if math.isfinite(real) else None
    return integer(data, is_unsigned=is_unsigned) if data else None


def integer(data: bytes, *, is_unsigned: bool = False) -> int | None:
    """Return an integer, lowest octet first; None if it is the lowest signed one, which means invalid."""
    value = int.from_bytes(data, "little", signed=not is_unsigned)
    return None if value == -1 << 8 * len(data) - 1 else value


def bcd(data: bytes) -> int | None:
    """Return the number in BCD digits, lowest octet first; None if one of them is no digit."""
    digits = data[::-1].hex()
    is_negative = digits.startswith("f")
    if is_negative:
        digits = digits[1:]
    if not digits.isdecimal():
        return None
    return -int(digits) if is_negative else int(digits)


def _variable(lvar: int, data: bytes) -> int | str | None:
    if lvar in _TEXT:
        return text(data)
    if not data:
        return None
    if lvar < _BINARY:
        digits = data[::-1].hex()
        if not digits.isdecimal():
            return None
        return -int(digits) if lvar >= _NEGATIVE_BCD else int(digits)
    return integer(data)


def text(data: bytes) -> str:
    """Return a text in ISO 8859-1, last character first on the wire, without unprintable characters."""
    return "".join(char for char in data[::-1].decode("latin-1") if char.isprintable()).strip()


def scaled(raw: int | float, exponent: int, factor: int = 1) -> int | float:
    """Return raw × factor × 10^exponent, computed exactly: 234 × 10^-1 is 23.4."""
    if isinstance(raw, float):
        return float(Decimal(repr(raw)).scaleb(exponent) * factor)
    whole = raw * factor
    return whole * int(10**exponent) if exponent >= 0 else whole / 10**-exponent


def date_g(data: bytes) -> str | None:
    """Return a date of type G, 16 bits, as "2014-03-31"; None if it is invalid."""
    day, year, month = data[0] & 0x1F, data[0] >> 5 | data[1] >> 4 << 3, data[1] & 0x0F
    return _date(year, month, day)


def date_time(data: bytes) -> str | None:
    """Return a time; None if it is invalid.

    Type F (32 bits): "2014-03-31T23:59"; I (48): "2014-03-31T23:59:00"; J (24): "23:59:00".
    """
    if len(data) == 4:
        return _type_f(data)
    if len(data) == 3:
        return _time(data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F) if data != b"\xff" * 3 else None
    if len(data) == 6:
        return _type_i(data)
    return None


def _type_f(data: bytes) -> str | None:
    minute, hour, low, high = data
    day = _date(low >> 5 | high >> 4 << 3, high & 0x0F, low & 0x1F, hour >> 5 & 0x03)
    time = _time(hour & 0x1F, minute & 0x3F)
    return None if minute & 0x80 or day is None or time is None else f"{day}T{time}"


def _type_i(data: bytes) -> str | None:
    second, minute, hour, low, high, _week = data
    day = _date(low >> 5 | high >> 4 << 3, high & 0x0F, low & 0x1F)
    time = _time(hour & 0x1F, minute & 0x3F, second & 0x3F)
    return None if minute & 0x80 or day is None or time is None else f"{day}T{time}"


def _date(year: int, month: int, day: int, century: int = 0) -> str | None:
    """Return a date in ISO 8601; None if the calendar does not have it, as "every day"."""
    if year > 99:
        return None
    hundreds = 1900 + 100 * century if century or year >= _TO_CENTURY else 2000
    try:
        return date(hundreds + year, month, day).isoformat()
    except ValueError:
        return None


def _time(hour: int, minute: int, second: int | None = None) -> str | None:
    if hour > 23 or minute > 59 or (second or 0) > 59:
        return None
    return f"{hour:02}:{minute:02}" + ("" if second is None else f":{second:02}")
