"""The registers of a device, and how their octets become values.

A value is decoded in the order in which a datasheet describes it:

    octets → word and byte order → type → what the number means (`protocols.toolkit.scaling`)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from protocols.modbus import pdu
from protocols.toolkit import layout
from protocols.toolkit.layout import shortest_float32
from protocols.toolkit.polling import Value
from protocols.toolkit.scaling import ENCODINGS, Meaning, Missing, bcd, text


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
        """Return whether the table holds single bits."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def plural(self) -> str:
        """Return its name for messages, as in "holding registers 0–9"."""
        return {"coil": "coils", "discrete": "discrete inputs"}.get(self.key, f"{self.key} registers")


@dataclass(frozen=True, slots=True)
class Type:
    """A type of register value.

    Attributes:
        words: the number of registers that it takes.
        code: its `struct` code; None: decoded by hand.
        octets: the number of octets that it takes, the last of its registers.
    """

    words: int
    code: str | None = None
    octets: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "octets", self.octets or 2 * self.words)

    @property
    def is_integer(self) -> bool:
        """Return whether bits, masks and enums can be taken from it."""
        return self.code is not None and self.code not in "fd"


TYPES: Final[Mapping[str, Type]] = {
    "uint8": Type(1, "B", 1),
    "int8": Type(1, "b", 1),
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

_MAX_POWER: Final = 10  # of a scale register

# Whether words, and the octets in each word, stand in reverse.
ORDERS: Final[Mapping[str, tuple[bool, bool]]] = {
    "ABCD": (False, False),
    "CDAB": (True, False),
    "BADC": (False, True),
    "DCBA": (True, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Meaning):
    """One value of a device: its place and its meaning.

    Attributes:
        name: the key under which its value is published.
        table: the table it stands in.
        start: PDU address, from 0.
        type: key of TYPES, "string:N" or, in a table of bits, "bit".
        words: the number of addresses that it takes.
        order: key of ORDERS.
        encoding: of a string, a key of ENCODINGS; None: UTF-8, else Latin-1.
        scale: the place of the register with the power of ten by which the value is multiplied, or None.
    """

    name: str
    table: Table
    start: int
    type: str = "uint16"
    words: int = 1
    order: str = "ABCD"
    encoding: str | None = None
    scale: tuple[Table, int] | None = None

    @property
    def end(self) -> int:
        """Return the first address after the register."""
        return self.start + self.words

    def value(self, data: bytes) -> Value | Missing:
        """Return the value in these octets (2 × `words`; for a bit one octet, 0 or 1)."""
        if self.type == "bit":
            return self.named(data[0], bool(data[0]))
        octets = _ordered(data, self.order)
        if self.type not in TYPES:
            characters = int(self.type.removeprefix("string:"))
            return text(octets[: characters * ENCODINGS[self.encoding or "utf-8"][1]], self.encoding)
        octets = octets[-TYPES[self.type].octets :]
        number = _number(octets, self.type)
        if number is None:
            return Missing.NO_VALUE
        return self.meant(number, int.from_bytes(octets, "big"))

    def scaled_by(self, factor: bytes) -> Register | None:
        """Return the register scaled by the content of its scale register; None: the device has no value.

        A scale factor is a signed power of ten, -10 to 10; 8000 means that there is none (SunSpec Information
        Model Specification V1.9, `sunssf`).
        """
        power = int.from_bytes(factor, "big", signed=True)
        if not -_MAX_POWER <= power <= _MAX_POWER:
            return None
        if power < 0:
            return replace(self, scale=None, divide=self.divide * 10**-power)
        return replace(self, scale=None, multiply=self.multiply * 10**power)


def octets_of(table: Table, data: bytes, at: int, count: int) -> bytes:
    """Return the octets for `Register.value`, from the data of a reply.

    Args:
        table: the table that was read.
        data: two octets for each register; eight bits in an octet, the lowest first (App. Protocol §6.1).
        at: the distance from the first address of the reply.
        count: the number of addresses.
    """
    if table.of_bits:
        return bytes((data[at // 8] >> at % 8 & 1,))
    return data[2 * at : 2 * (at + count)]


def _ordered(data: bytes, order: str) -> bytes:
    """Return the octets with the most significant first."""
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
        return bcd(octets)
    (number,) = layout.plan(code).unpack(octets)
    return number if math.isfinite(number) else None
