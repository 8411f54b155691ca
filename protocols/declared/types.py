"""The types of a declared field, for its key `type`: how its octets are written, in either byte order."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from construct import Bytes, BytesInteger, Construct, FormatField

from protocols.toolkit.layout import plan, shortest_float32
from protocols.toolkit.scaling import Missing, bcd, text

Order = Literal["big", "little"]
"""Which octet of a number comes first: the highest or the lowest."""
ORDERS: Final[tuple[Order, ...]] = ("big", "little")
LONGEST_STRING: Final = 64


class Kind(Enum):
    """The kind of content in the octets of a field."""

    UNSIGNED = "uint"
    SIGNED = "int"
    FLOAT = "float"
    DIGITS = "bcd"
    TEXT = "string"


@dataclass(frozen=True, slots=True)
class Type:
    """A type of field.

    Attributes:
        name: the name in site.toml: "uint16".
        kind: the kind of content.
        size: the number of octets.
        order: the order of the octets.
    """

    name: str
    kind: Kind
    size: int
    order: Order = "big"

    @property
    def bits(self) -> int | None:
        """Return the width of its integers, in bits; None if it is no integer."""
        return 8 * self.size if self.kind in (Kind.UNSIGNED, Kind.SIGNED) else None

    @property
    def layout(self) -> Construct[Any, Any]:
        """Return its member in a layout; digits and texts are plain octets there."""
        if self.kind is Kind.FLOAT:
            return FormatField(">" if self.order == "big" else "<", "f" if self.size == 4 else "d")
        if self.bits is None:
            return Bytes(self.size)
        return BytesInteger(self.size, signed=self.kind is Kind.SIGNED, swapped=self.order == "little")

    def read(self, raw: Any) -> int | float | str | Missing:
        """Return the number or text of a raw value that its layout parsed."""
        if self.kind is Kind.TEXT:
            return text(raw)
        if self.kind is Kind.DIGITS:
            number = bcd(self._highest_first(raw))
            return Missing.NO_VALUE if number is None else number
        if self.kind is Kind.FLOAT:
            if not math.isfinite(raw):
                return Missing.NO_VALUE
            return shortest_float32(plan("f").pack(raw)) if self.size == 4 else float(raw)
        return int(raw)

    def pattern(self, raw: Any) -> int:
        """Return the octets of a raw value as an unsigned number."""
        if self.kind is Kind.FLOAT:
            return int.from_bytes(plan("f" if self.size == 4 else "d").pack(raw), "big")
        return (
            int.from_bytes(self._highest_first(raw), "big") if self.bits is None else raw % (1 << self.bits)
        )

    def write(self, value: int | str) -> Any:
        """Return the raw value of a whole number, digits or a text: the inverse of `read`."""
        if self.kind is Kind.TEXT:
            return str(value).encode().ljust(self.size, b"\0")
        if self.kind is Kind.DIGITS:
            return self._highest_first(bytes.fromhex(str(value).zfill(2 * self.size)))
        return int(value)

    def _highest_first(self, octets: bytes) -> bytes:
        return octets if self.order == "big" else octets[::-1]


TYPES: Final[Mapping[str, tuple[Kind, int]]] = {
    "uint8": (Kind.UNSIGNED, 1),
    "int8": (Kind.SIGNED, 1),
    "uint16": (Kind.UNSIGNED, 2),
    "int16": (Kind.SIGNED, 2),
    "uint24": (Kind.UNSIGNED, 3),
    "int24": (Kind.SIGNED, 3),
    "uint32": (Kind.UNSIGNED, 4),
    "int32": (Kind.SIGNED, 4),
    "uint64": (Kind.UNSIGNED, 8),
    "int64": (Kind.SIGNED, 8),
    "float32": (Kind.FLOAT, 4),
    "float64": (Kind.FLOAT, 8),
    "bcd8": (Kind.DIGITS, 1),
    "bcd16": (Kind.DIGITS, 2),
    "bcd32": (Kind.DIGITS, 4),
}


def type_of(name: object, order: Order = "big") -> Type | None:
    """Return the type of that name; None if there is none."""
    if not isinstance(name, str):
        return None
    if name in TYPES:
        kind, size = TYPES[name]
        return Type(name, kind, size, order)
    match = re.fullmatch("string:([0-9]{1,2})", name)
    if match is None or not 1 <= int(match[1]) <= LONGEST_STRING:
        return None
    return Type(name, Kind.TEXT, int(match[1]))
