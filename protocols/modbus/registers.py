"""What a register of a device holds, and how its octets become a value.

A value is decoded in the order in which a datasheet describes it:

    octets → word and byte order → type → invalid? → mask or bit → enum, or scale and offset → min, max

Scaled integers are reckoned exactly, by one division of whole numbers, so a value has the shortest decimals
that say it: 303 with `multiply = 0.1` is 30.3. A float32 becomes the float with the same shortest text: 23.4,
never 23.399999618530273. What has no value (invalid, NaN, a hexadecimal digit in BCD) is left out, never
published.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Final

from protocols import layout
from protocols.dialogue import Value
from protocols.modbus import pdu


class Table(Enum):
    """The four tables of a device (App. Protocol §4.3): key in site.toml, function code, reference digit."""

    COIL = ("coil", pdu.READ_COILS, "0")
    DISCRETE = ("discrete", pdu.READ_DISCRETE_INPUTS, "1")
    INPUT = ("input", pdu.READ_INPUT_REGISTERS, "3")
    HOLDING = ("holding", pdu.READ_HOLDING_REGISTERS, "4")

    def __init__(self, key: str, function: int, digit: str) -> None:
        self.key = key
        self.function = function
        self.digit = digit

    @property
    def of_bits(self) -> bool:
        """Whether it holds single bits."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def plural(self) -> str:
        """For messages: "holding registers 0–9"."""
        return {"coil": "coils", "discrete": "discrete inputs"}.get(self.key, f"{self.key} registers")


@dataclass(frozen=True, slots=True)
class Type:
    """A type of register value: how many words it takes, and its `struct` code (None: decoded by hand)."""

    words: int
    code: str | None = None

    @property
    def is_integer(self) -> bool:
        """Whether bits, masks and enums can be taken from it."""
        return self.code is not None and self.code not in "fd"


TYPES: Final[Mapping[str, Type]] = {
    "uint16": Type(1, "H"),
    "int16": Type(1, "h"),
    "uint32": Type(2, "I"),
    "int32": Type(2, "i"),
    "uint64": Type(4, "Q"),
    "int64": Type(4, "q"),
    "float32": Type(2, "f"),
    "float64": Type(4, "d"),
    "bcd16": Type(1),
    "bcd32": Type(2),
}

# Whether words, and the octets in each word, stand in reverse.
ORDERS: Final[Mapping[str, tuple[bool, bool]]] = {
    "ABCD": (False, False),
    "CDAB": (True, False),
    "BADC": (False, True),
    "DCBA": (True, True),
}


class Missing(Enum):
    """Why a register brought no value."""

    NO_VALUE = "no value"
    OUT_OF_LIMITS = "out of limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One value of a device: where it stands and what it means.

    Attributes:
        name: the key under which its value is published.
        table: the table it stands in.
        start: PDU address, from 0.
        type: key of TYPES, "string:N" or, in a table of bits, "bit".
        words: how many addresses it takes.
        order: key of ORDERS.
        divide, multiply, offset: value = raw × multiply ÷ divide + offset.
        bit, mask: take one bit, or the masked bits shifted down to bit 0.
        enum: number → text; an unknown number is published itself.
        invalid: raw values, signed or unsigned, that mean "no value".
        min, max: limits of the value; outside it is left out and counted.
        unit: for people.
    """

    name: str
    table: Table
    start: int
    type: str = "uint16"
    words: int = 1
    order: str = "ABCD"
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

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + self.words

    def value(self, data: bytes) -> Value | Missing:
        """The value in these octets (2 × `words`; for a bit one octet, 0 or 1)."""
        if self.type == "bit":
            return self._text(data[0], bool(data[0]))
        octets = _ordered(data, self.order)
        if self.type not in TYPES:
            characters = int(self.type.removeprefix("string:"))
            text = octets[:characters].split(b"\0")[0].decode("utf-8", "replace").strip()
            return text or Missing.NO_VALUE
        number = _number(octets, self.type)
        if number is None or number in self.invalid or int.from_bytes(octets, "big") in self.invalid:
            return Missing.NO_VALUE
        if isinstance(number, int):
            if self.bit is not None:
                picked = number >> self.bit & 1
                return self._text(picked, bool(picked))
            if self.mask is not None:
                number = (number & self.mask) >> _lowest_bit(self.mask)
            if self.enum:
                return self._text(number, number)
        return self.scaled(number)

    @property
    def is_raw(self) -> bool:
        """Whether an integer in it is the value as it stands."""
        return (self.multiply, self.divide, self.offset, self.min, self.max) == (1, 1, 0, None, None)

    def scaled(self, number: int | float) -> int | float | Missing:
        """The value that a number in it means, if within its limits."""
        return self._within(_scaled(number, self.multiply, self.divide, self.offset))

    def _text(self, number: int, otherwise: Value) -> Value:
        return self.enum.get(number, otherwise)

    def _within(self, value: int | float) -> int | float | Missing:
        if not math.isfinite(value):
            return Missing.NO_VALUE
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            return Missing.OUT_OF_LIMITS
        return value


def shortest_float32(octets: bytes) -> float:
    """The float with the shortest text that still means this float32 (big endian); NaN and Inf stay."""
    (exact,) = layout.plan("f").unpack(octets)
    if not math.isfinite(exact):
        return float(exact)
    for digits in (6, 7, 8):  # every decimal of 6 digits survives a float32; 9 tell all float32 apart
        short = float(f"{exact:.{digits}g}")
        if struct.pack(">f", short) == octets:
            return short
    return float(f"{exact:.9g}")


def octets_of(table: Table, data: bytes, at: int, count: int) -> bytes:
    """The octets for `Register.value`, from a reply's data.

    Args:
        table: where the data are from.
        data: two octets a register; eight bits in an octet, the lowest first (App. Protocol §6.1).
        at: addresses after the first one of the reply.
        count: addresses wanted.
    """
    if table.of_bits:
        return bytes((data[at // 8] >> at % 8 & 1,))
    return data[2 * at : 2 * (at + count)]


def _ordered(data: bytes, order: str) -> bytes:
    """The octets with the most significant first."""
    words_reversed, octets_reversed = ORDERS[order]
    if words_reversed and octets_reversed:
        return data[::-1]
    if not words_reversed and not octets_reversed:
        return data
    words = [data[at : at + 2][:: -1 if octets_reversed else 1] for at in range(0, len(data), 2)]
    return b"".join(reversed(words) if words_reversed else words)


def _number(octets: bytes, type_name: str) -> int | float | None:
    if type_name == "float32":
        value = shortest_float32(octets)
        return value if math.isfinite(value) else None
    code = TYPES[type_name].code
    if code is None:
        digits = octets.hex()
        return int(digits) if digits.isdecimal() else None
    (number,) = layout.plan(code).unpack(octets)
    return number if math.isfinite(number) else None


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
    """Factor and shift as the decimals that were written, not as the binary fractions nearest to them."""
    return Fraction(repr(multiply)) / Fraction(repr(divide)), Fraction(repr(offset))


def _lowest_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
