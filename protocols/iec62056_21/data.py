"""IEC 62056-21: data sets, and what they say.

    address(value*unit)          1-0:1.8.0*255(00032549.5061662*kWh)
    address(value)(value) …      1.6.1(0.52*kW)(1611290915): a maximum, and when it was
    address(value*unit&value*unit)   9.4(098.5*C&096.1*C): two of a kind, 9.4 and 9.4_2

A data set whose OBIS code is among the usual ones has our name, and by that its value is in our unit. By its
code it is the number that the meter shows, in the unit that it gives: 1.7.0(2.027*kW) is 2027 W as
import_power and 2.027 as 1.7.0. Of a code that is not a usual one, digits without unit and decimals may be a
number on a label, a state or a date: they stay the text they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.toolkit.obis import Code, in_unit, number, parse, plain, quantity, tariff_of
from protocols.toolkit.polling import Value, Values

_BRACKETS = re.compile(r"\(([^()]*)\)")
_BREAK = re.compile(r"[\r\n!)(]")
_NOW = "*255"


class DataSet(NamedTuple):
    """A data set: an address and the texts in the brackets behind it."""

    address: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a data set.

    Attributes:
        address: the address as the meter writes it.
        name: our name for the value, or the address.
        value: the value in `unit`.
        unit: the unit of the value, or "".
        shown: the value in the meter's own unit.
    """

    address: str
    name: str
    value: Value
    unit: str
    shown: Value

    def is_called(self, key: str) -> bool:
        """Return whether site.toml means this reading: by its name, or its code in short or in full."""
        if key in (self.name, self.address):
            return True
        key_code, code = parse(key), parse(self.address)
        return key_code is not None and code is not None and _same(key_code, code)

    def value_as(self, key: str) -> Value:
        """Return the value in our unit if called by our name, in the meter's if called by code."""
        return self.value if key == self.name else self.shown


def data_sets(text: str) -> Iterator[DataSet]:
    """Yield the data sets of a message, in order."""
    address, behind = "", 0
    texts: list[str] = []
    for bracket in _BRACKETS.finditer(text):
        between = text[behind : bracket.start()]
        if texts and between:
            yield DataSet(address, tuple(texts))
            texts = []
        if not texts:
            address = _BREAK.split(between)[-1]
        texts.append(bracket[1])
        behind = bracket.end()
    if texts:
        yield DataSet(address, tuple(texts))


def readings(sets: Sequence[DataSet]) -> list[Reading]:
    """Return the readings of data sets, without those that have no value."""
    return [reading for data_set in sets for part in _parts(data_set) if (reading := _reading(part))]


def values(data_readings: Sequence[Reading]) -> Values:
    """Return all values by name; of two with one name, the second goes by its address."""
    values_by_name: Values = {}
    for reading in data_readings:
        name = reading.address if reading.name in values_by_name else reading.name
        values_by_name.setdefault(name, reading.value_as(name))
    return values_by_name


def _parts(data_set: DataSet) -> list[DataSet]:
    """Return a data set for each of the amounts in it that stand side by side."""
    texts = data_set.texts[0].split("&")
    if len(texts) == 1 or not all("*" in text for text in texts):
        return [data_set]
    return [
        DataSet(data_set.address if place == 1 else f"{data_set.address}_{place}", (text,))
        for place, text in enumerate(texts, start=1)
    ]


def _reading(data_set: DataSet) -> Reading | None:
    if not data_set.address:
        return None
    text = next((text for text in data_set.texts if "*" in text), data_set.texts[0])
    digits, _, unit = text.partition("*")
    unit = unit.strip()
    amount, code = number(digits), parse(data_set.address)
    known_quantity = quantity(code) if code else None
    if amount is not None and known_quantity:
        value = in_unit(amount, unit, known_quantity.unit)
        if value is not None:
            return Reading(
                data_set.address, known_quantity.name, value, known_quantity.unit, shown=plain(amount)
            )
    name = data_set.address.removesuffix(_NOW)
    if amount is not None and (unit or "." in digits or "," in digits):
        return Reading(data_set.address, name, plain(amount), unit, shown=plain(amount))
    return Reading(data_set.address, name, text, "", shown=text) if text else None


def _same(key_code: Code, code: Code) -> bool:
    """Return whether two codes mean the same, where groups that are left out have their usual numbers."""
    is_one_channel = None in (key_code.a, code.a) or key_code[:2] == code[:2]
    return (
        is_one_channel
        and key_code[2:4] == code[2:4]
        and tariff_of(key_code) == tariff_of(code)
        and key_code.f == code.f
    )
