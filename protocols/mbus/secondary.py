"""EN 13757-3: the secondary address, which is set in the factory and by which a meter is selected.

    id 4 | manufacturer 2 | version | medium

The id is eight BCD digits, the last pair first (some meters have letters A to E in it); the manufacturer
three letters of five bits. In a selection F stands for any digit, FFFF and FF for any manufacturer, version
or medium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import Byte, Bytes, Int16ul, Struct

from protocols.toolkit import layout

SECONDARY: Final = "secondary address" / Struct(
    "id" / Bytes(4), "manufacturer" / Int16ul, "version" / Byte, "medium" / Byte
)
ANY_OCTET: Final = 0xFF
LENGTH: Final = SECONDARY.sizeof()

_ANY_MANUFACTURER: Final = 0xFFFF
_ANY_DIGIT: Final = "f"


@dataclass(frozen=True, slots=True)
class Secondary:
    """A secondary address, or the pattern of one in a selection.

    Attributes:
        id: eight digits, letters in lower case; f stands for any.
        manufacturer: three letters, "" for any.
        version, medium: None for any.
    """

    id: str
    manufacturer: str = ""
    version: int | None = None
    medium: int | None = None

    def covers(self, other: Secondary) -> bool:
        """Return whether this pattern covers `other`; a part that `other` lacks is ignored."""
        digits = zip(self.id, other.id, strict=True)
        return (
            all(digit in (_ANY_DIGIT, actual) for digit, actual in digits)
            and ("" in (self.manufacturer, other.manufacturer) or self.manufacturer == other.manufacturer)
            and (None in (self.version, other.version) or self.version == other.version)
            and (None in (self.medium, other.medium) or self.medium == other.medium)
        )

    def __str__(self) -> str:
        """Return the address for people: "06855817", or with all its parts "06855817.KAM.8.4"."""
        parts = (self.manufacturer or None, self.version, self.medium)
        if parts == (None, None, None):
            return self.id
        return ".".join([self.id, *("*" if part is None else str(part) for part in parts)])


def build(address: Secondary) -> bytes:
    """Return the octets of an address, as in a selection and at the beginning of a header."""
    return layout.build(
        SECONDARY,
        id=bytes.fromhex(address.id)[::-1],
        manufacturer=_code(address.manufacturer) if address.manufacturer else _ANY_MANUFACTURER,
        version=ANY_OCTET if address.version is None else address.version,
        medium=ANY_OCTET if address.medium is None else address.medium,
    )


def parse(octets: bytes) -> Secondary:
    """Return the address in LENGTH octets.

    Raises:
        FrameError: there are more or fewer octets.
    """
    fields = layout.parse(SECONDARY, octets)
    code, version, medium = fields["manufacturer"], fields["version"], fields["medium"]
    return Secondary(
        digits(fields["id"]),
        "" if code == _ANY_MANUFACTURER else letters(code),
        None if version == ANY_OCTET else version,
        None if medium == ANY_OCTET else medium,
    )


def digits(octets: bytes) -> str:
    """Return the digits of an id."""
    return octets[::-1].hex()


def letters(code: int) -> str:
    """Return the letters of a manufacturer, five bits each: "KAM"."""
    return "".join(chr(64 + (code >> shift & 0x1F)) for shift in (10, 5, 0))


def _code(manufacturer: str) -> int:
    high, middle, low = (ord(letter) - 64 for letter in manufacturer)
    return high << 10 | middle << 5 | low
