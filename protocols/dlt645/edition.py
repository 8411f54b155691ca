"""The differences between the two editions of DL/T 645, which have the same frames.

                  2007                       1997
data identifier   4 octets                   2 octets
read, follow      11, 12                     01, 02
a further part    requested by its number    requested by the identifier alone
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protocols.dlt645 import data, data_1997
from protocols.dlt645.data import Item


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the standard.

    Attributes:
        year: the year of its publication.
        octets: the number of octets of a data identifier.
        read: the function that reads a value.
        read_following: the function that reads the next part of a long value.
        has_part_numbers: the request for a further part, and the reply, have its number.
        items: the values of its tables, by the names that site.toml uses.
        example: one of them, for messages.
    """

    year: int
    octets: int
    read: int
    read_following: int
    has_part_numbers: bool
    items: Mapping[str, Item]
    example: Item

    def item_of(self, di: str) -> Item | None:
        """Return the value of the tables that has this identifier, four or eight hexadecimal digits."""
        return _BY_IDENTIFIER.get(di)


DLT645_2007: Final = Edition(2007, 4, 0x11, 0x12, True, data.ITEMS, data.ITEMS["voltage_a"])
DLT645_1997: Final = Edition(1997, 2, 0x01, 0x02, False, data_1997.ITEMS, data_1997.ITEMS["voltage_a"])
_BY_IDENTIFIER: Final = {item.di: item for items in (data.ITEMS, data_1997.ITEMS) for item in items.values()}
