"""The keys of a meter in site.toml, and the settings that they make.

address = 5                                    # its primary address, or …
id = "06855817"                                # … its secondary address: the eight digits on its label, and
manufacturer = "KAM"                           # where two meters have the same digits, what else is in it
version = 8
medium = 4

values = ["energy", "volume"]                  # by the names that `try` shows; without them all it tells
[bus.meters.sensor.values]                     # … or under names of one's own
heat = "energy_tariff1"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.mbus.items import NAMES, is_name, unit_of
from protocols.mbus.link import ANY_METER
from protocols.mbus.secondary import ANY_OCTET, Secondary
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import is_whole, parse_value_names, shown, unknown_keys, unknown_value

_MAX_PRIMARY: Final = 250


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """The settings of a sensor: its meter and the values to read.

    Attributes:
        primary: the primary address; None if the meter is selected by its secondary address.
        secondary: the secondary address, or None.
        values: key in site.toml → name of the value in the meter; None: all, under their own names.
    """

    primary: int | None = None
    secondary: Secondary | None = None
    values: Mapping[str, str] | None = None

    @property
    def address(self) -> str:
        """Return the address by which it is called, as text."""
        return str(self.secondary or self.primary)

    @property
    def units(self) -> Mapping[str, str]:
        """Return the names of its values, with their units."""
        if self.values is None:
            return AllUnits()
        return {key: unit_of(name) for key, name in self.values.items()}


SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "address": {
            "type": "integer",
            "anyOf": [{"minimum": 0, "maximum": _MAX_PRIMARY}, {"const": ANY_METER}],
            "description": f"primary address; {ANY_METER} for the only meter on the line",
        },
        "id": {
            "type": "string",
            "pattern": "^[0-9A-Ea-e]{8}$",
            "description": "secondary address: the eight digits on the meter's label",
        },
        "manufacturer": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "three letters"},
        "version": {
            "type": "integer",
            "minimum": 0,
            "maximum": ANY_OCTET - 1,
            "description": "the meter's version, where two have one id",
        },
        "medium": {
            "type": "integer",
            "minimum": 0,
            "maximum": ANY_OCTET - 1,
            "description": "what it measures, by number, where two have one id",
        },
        "values": {
            "oneOf": [
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
                {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            ],
            "description": "which values, by the names that `try` shows; a table gives them other names",
        },
    },
    "required": [],
    "oneOf": [{"required": ["address"]}, {"required": ["id"]}],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])
_ADVICE: Final = "`serial-bridge try` shows all that it tells"
_ID: Final = re.compile("[0-9A-Ea-e]{8}")
_OF_ID: Final = ("manufacturer", "version", "medium")


class AllUnits(Mapping[str, str]):
    """The unit of each value that a meter may send; iteration gives those whose name needs no number."""

    def __getitem__(self, name: str) -> str:
        if not is_name(name):
            raise KeyError(name)
        return unit_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def parse_settings(table: Mapping[str, object]) -> MeterSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: every mistake.
    """
    problems = unknown_keys(table, _KEYS)
    address, digits = table.get("address"), table.get("id")
    meter_id = digits.lower() if isinstance(digits, str) and _ID.fullmatch(digits) else None
    if (address is None) == (digits is None):
        message = (
            "has both address and id, keep one of them"
            if digits is not None
            else ('needs address = 1 (its primary address) or id = "12345678" (the digits on its label)')
        )
        problems.append(((), message))
    if address is not None and not _is_address(address):
        problems.append((("address",), _no_address(address)))
    if digits is not None and meter_id is None:
        problems.append((("id",), _no_id(digits)))
    problems += [
        ((key,), "belongs to an id, a primary address is enough by itself")
        for key in _OF_ID
        if key in table and digits is None
    ]
    manufacturer = table.get("manufacturer", "")
    if manufacturer != "" and not (isinstance(manufacturer, str) and re.fullmatch("[A-Z]{3}", manufacturer)):
        problems.append(
            (("manufacturer",), f'{shown(manufacturer)} is not three capital letters, like "KAM"')
        )
    version, medium = _octet(table, "version", problems), _octet(table, "medium", problems)
    values = _values(table.get("values"), problems)
    if problems:
        raise SettingsError(problems)
    if meter_id is not None:
        return MeterSettings(secondary=Secondary(meter_id, str(manufacturer), version, medium), values=values)
    assert isinstance(address, int)
    return MeterSettings(address, values=values)


def conflicts(sensors: Sequence[MeterSettings]) -> list[Problem]:
    """Return a problem for each sensor that has the address of every meter and is not alone on its line."""
    if len({settings.address for settings in sensors}) < 2:
        return []
    message = (
        f"{ANY_METER} calls every meter of the line, and another sensor of it names another one: "
        f"use this meter's own address, 0–{_MAX_PRIMARY}, or its id"
    )
    return [
        ((place, "address"), message)
        for place, settings in enumerate(sensors)
        if settings.primary == ANY_METER
    ]


def _octet(table: Mapping[str, object], key: str, problems: list[Problem]) -> int | None:
    """Return the number of a key that tells meters of one id apart; None if there is none."""
    octet = table.get(key)
    if octet is None or is_whole(octet, 0, ANY_OCTET - 1):
        return octet
    problems.append(((key,), f"{shown(octet)} is not a {key}, use 0–{ANY_OCTET - 1}"))
    return None


def _is_address(value: object) -> bool:
    return is_whole(value, 0, _MAX_PRIMARY) or is_whole(value, ANY_METER, ANY_METER)


def _no_address(value: object) -> str:
    rule = f"use 0–{_MAX_PRIMARY}, or {ANY_METER} for the only meter on the line"
    if isinstance(value, str):
        return f'"{value}" is not a primary address, {rule}; the digits on the label go to id'
    return f"{shown(value)} is not a primary address, {rule}"


def _no_id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f'{value} is a number, write the eight digits on the meter in quotes: "{value:08}"'
    if isinstance(value, str) and re.fullmatch("[0-9A-Fa-f]{8}", value):
        return f'"{value}" has an F in it, which stands for any digit: write the eight digits of one meter'
    return f"{shown(value)} is not an id, write the eight digits on the meter in quotes"


def _values(table_or_list: object, problems: list[Problem]) -> Mapping[str, str] | None:
    """Return key in site.toml → name in the meter; None: all values, under their own names."""
    if table_or_list is None:
        return None
    if not isinstance(table_or_list, Mapping):
        names = parse_value_names(table_or_list, NAMES, problems, is_known=is_name, advice=_ADVICE)
        return {name: name for name in names}
    if not table_or_list:
        problems.append((("values",), "the table is empty, leave it out to take all that the meter tells"))
    problems += [
        (("values", key), unknown_value(name, NAMES, _ADVICE))
        for key, name in table_or_list.items()
        if not isinstance(name, str) or not is_name(name)
    ]
    return dict(table_or_list)
