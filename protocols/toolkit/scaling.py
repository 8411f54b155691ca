"""The value of a raw number, wherever it stands: in a register, or in a declared frame.

    number → invalid? → mask or bit → enum, or scale and offset → min, max

Scaled integers are reckoned exactly, by one division of whole numbers, so a value has the shortest decimals
that say it: 303 with `multiply = 0.1` is 30.3. A float32 becomes the float with the same shortest text: 23.4,
never 23.399999618530273. What has no value (invalid, NaN, a hexadecimal digit in BCD) is left out, never
published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Final

from protocols.toolkit.polling import Value

if TYPE_CHECKING:
    from fractions import Fraction


class Missing(Enum):
    """The reason why there is no value."""

    NO_VALUE = "no value"
    OUT_OF_LIMITS = "out of limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The rule by which a raw number becomes a value.

    Attributes:
        divide, multiply, offset: value = raw × multiply ÷ divide + offset.
        bit, mask: take one bit, or the masked bits shifted down to bit 0.
        enum: number → text; an unknown number is published itself.
        invalid: raw values, signed or unsigned, that mean "no value".
        min, max: limits of the value; outside it is left out and counted.
        unit: for people.
    """

    divide: float = 1
    multiply: float = 1
    offset: float = 0
    bit: int | None = None
    mask: int | None = None
    enum: Mapping[int, str] = field(default_factory=dict)
    invalid: Set[float] = frozenset()
    min: float | None = None
    max: float | None = None
    unit: str = ""

    def meant(self, number: int | float, pattern: int) -> Value | Missing:
        """Return the value of a raw number, whose octets are `pattern` as an unsigned number."""
        if number in self.invalid or pattern in self.invalid:
            return Missing.NO_VALUE
        if isinstance(number, int):
            if self.bit is not None:
                bit_value = number >> self.bit & 1
                return self.named(bit_value, bool(bit_value))
            if self.mask is not None:
                number = (number & self.mask) >> _lowest_bit(self.mask)
            if self.enum:
                return self.named(number, number)
        return self.scaled(number)

    @property
    def is_raw(self) -> bool:
        """Return whether a raw integer is the value itself, unless it is invalid or taken apart."""
        return (self.multiply, self.divide, self.offset, self.min, self.max) == (1, 1, 0, None, None)

    def scaled(self, number: int | float) -> int | float | Missing:
        """Return the value of a number: scaled, and checked against the limits."""
        return self._within(_scaled(number, self.multiply, self.divide, self.offset))

    def named(self, number: int, otherwise: Value) -> Value:
        """Return the text for a number of the enum, or `otherwise`."""
        return self.enum.get(number, otherwise)

    def _within(self, value: int | float) -> int | float | Missing:
        if not math.isfinite(value):
            return Missing.NO_VALUE
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            return Missing.OUT_OF_LIMITS
        return value


def bcd(octets: bytes) -> int | None:
    """Return the number whose decimal digits are these octets, highest first; None if one is no digit."""
    digits = octets.hex()
    return int(digits) if digits.isdecimal() else None


ENCODINGS: Final[Mapping[str, tuple[str, int]]] = {  # Python's codec, and the octets of a character
    "utf-8": ("utf-8", 1),
    "latin-1": ("latin-1", 1),
    "utf-16": ("utf-16-be", 2),
}


def text(octets: bytes, encoding: str | None = None) -> str | Missing:
    """Return the text in these octets, up to the padding, without control characters and spaces around it.

    Args:
        octets: the characters; NUL or FF (of two octets: 0000 or FFFF) ends them.
        encoding: a key of `ENCODINGS`. None: UTF-8, or Latin-1 where the octets are not UTF-8.
    """
    codec, size = ENCODINGS[encoding or "utf-8"]
    padding = (bytes(size), b"\xff" * size)
    ends = (at for at in range(0, len(octets), size) if octets[at : at + size] in padding)
    octets = octets[: next(ends, len(octets))]
    try:
        characters = octets.decode(codec)
    except UnicodeDecodeError:
        characters = octets.decode(codec if encoding else "latin-1", "ignore")
    return (
        "".join(character for character in characters if character.isprintable()).strip() or Missing.NO_VALUE
    )


def _scaled(raw: int | float, multiply: float, divide: float, offset: float) -> int | float:
    if multiply == divide == 1 and offset == 0:
        return raw
    factor, shift = _exact(multiply, divide, offset)
    if isinstance(raw, int):
        numerator = raw * factor.numerator * shift.denominator + shift.numerator * factor.denominator
        denominator = factor.denominator * shift.denominator
        return numerator if denominator == 1 else numerator / denominator
    return float(f"{raw * factor.numerator / factor.denominator + float(shift):.15g}")


@cache
def _exact(multiply: float, divide: float, offset: float) -> tuple[Fraction, Fraction]:
    """Return factor and shift as the decimals that were written, not as the nearest binary fractions."""
    from fractions import Fraction  # here, because few sensors need more than a division by ten

    return Fraction(repr(multiply)) / Fraction(repr(divide)), Fraction(repr(offset))


def _lowest_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
