"""The keys of a meter in site.toml, and the settings that they make.

address = "002311905387"                       # the twelve digits on its label
values = ["energy_import", "voltage_a"]        # by their names here, or …

[bus.meters.sensor.identifiers]                # … as its manual's table gives them
leak_current = { di = "02900100", format = "XXX.XXX", unit = "A", signed = true }
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.dlt645.data import Item, is_format
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.dlt645.frame import ANY_ADDRESS, BROADCAST, covers
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import parse_value_names, shown, unknown_keys


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """The settings of a sensor: its meter and the values to read.

    Attributes:
        address: twelve digits; the first may be A, which stands for any.
        items: the values, in the order of site.toml; their names are unique.
    """

    address: str
    items: tuple[Item, ...]

    @property
    def units(self) -> dict[str, str]:
        """Return the values that are read, each with its unit."""
        return {item.name: item.unit for item in self.items}


_USUAL: Final = "energy_import"
_ADDRESS = re.compile(r"(?:AA)*(?:[0-9]{2})*")
_TARIFF = re.compile(r"_t[0-9]+$")
_FORMAT: Final = r"^((XX)+(\.(XX)+)?|X(XX)*\.X(XX)*|(NN)+|YYMMDDWW|hhmmss)$"
_DIGITS: Final = {4: "eight", 2: "four"}  # octets of an identifier → its digits
_ITEM_KEYS: Final = ("di", "format", "unit", "signed")
_KEYS: Final = ("address", "values", "identifiers")


def sensor_schema(edition: Edition) -> Mapping[str, Any]:
    """Return the JSON Schema of a meter's own keys."""
    names = _names(edition)
    tariffs = f"^({'|'.join(_with_tariffs(edition))})_t[1-9][0-9]?$"
    digits = 2 * edition.octets
    return {
        "properties": {
            "address": {
                "type": "string",
                "pattern": "^([0-9]{1,12}|(?=.{12}$)(AA)+([0-9]{2})*)$",
                "not": {"const": BROADCAST},
                "description": f'the digits on the meter; "{ANY_ADDRESS}" for the only meter on the line',
            },
            "values": {
                "type": "array",
                "items": {
                    "type": "string",
                    "anyOf": [{"enum": names}, {"pattern": tariffs}],
                },
                "uniqueItems": True,
                "description": "values of the standard's tables; _t1, _t2 … behind an energy for a tariff",
            },
            "identifiers": {
                "type": "object",
                "description": "values by their data identifier, as the meter's manual gives them",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "di": {
                            "type": "string",
                            "pattern": f"^[0-9A-Fa-f]{{{digits}}}$",
                            "description": f"DI{edition.octets - 1} first",
                        },
                        "format": {
                            "type": "string",
                            "pattern": _FORMAT,
                            "description": "as the manual has it",
                        },
                        "unit": {"type": "string"},
                        "signed": {
                            "type": "boolean",
                            "default": False,
                            "description": "highest bit is a sign",
                        },
                    },
                    "required": ["di", "format"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["address"],
        "anyOf": [{"required": ["values"]}, {"required": ["identifiers"]}],
    }


def _names(edition: Edition) -> list[str]:
    return [name for name in edition.items if not _TARIFF.search(name)]


def _with_tariffs(edition: Edition) -> list[str]:
    return [name for name in _names(edition) if f"{name}_t1" in edition.items]


def parse_settings(table: Mapping[str, object], edition: Edition = DLT645_2007) -> MeterSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: every mistake.
    """
    problems = unknown_keys(table, _KEYS)
    address = _address(table.get("address"), problems)
    items = _named(table.get("values", []), edition, problems)
    own_items = _own_items(table.get("identifiers", {}), edition, problems)
    names = {item.name for item in items}
    problems += [
        (("identifiers", item.name), "this name is among the values too, choose another")
        for item in own_items
        if item.name in names
    ]
    if not table.get("values") and not table.get("identifiers"):
        problems.append(((), f'needs values to read, for example values = ["{_USUAL}", "voltage_a"]'))
    if problems:
        raise SettingsError(problems)
    return MeterSettings(address, (*items, *own_items))


def conflicts(sensors: Sequence[MeterSettings]) -> list[Problem]:
    """Return a problem for each address that covers another meter of the line too."""
    return [
        (
            (place, "address"),
            f'"{settings.address}" calls the meter "{covered.address}" of this line too: '
            "write all twelve digits",
        )
        for place, settings in enumerate(sensors)
        if (covered := next((meter for meter in sensors if _calls(settings.address, meter.address)), None))
    ]


def _calls(pattern: str, address: str) -> bool:
    return pattern != address and covers(pattern, address)


def _address(digits: object, problems: list[Problem]) -> str:
    if isinstance(digits, str) and digits.isdecimal() and digits.isascii() and len(digits) < len(BROADCAST):
        digits = digits.zfill(len(BROADCAST))  # a shorter one has zeros before it
    if digits is None:
        message = "is missing: the twelve digits on the meter's label, in quotes"
    elif isinstance(digits, int) and not isinstance(digits, bool):
        message = f'{digits} is a number, write the digits on the meter in quotes: "{digits:012}"'
    elif not isinstance(digits, str) or len(digits) != len(BROADCAST) or not _ADDRESS.fullmatch(digits):
        message = (
            f"{shown(digits)} is not a meter address, write its twelve digits in quotes, "
            f'or "{ANY_ADDRESS}" for the only meter on the line'
        )
    elif digits == BROADCAST:
        message = f"{BROADCAST} is for broadcasts, which no meter answers"
    else:
        return digits
    problems.append((("address",), message))
    return ANY_ADDRESS


def _named(names: object, edition: Edition, problems: list[Problem]) -> list[Item]:
    mistakes: list[Problem] = []
    known_names = parse_value_names(
        names,
        _names(edition),
        mistakes,
        is_known=edition.items.__contains__,
        may_be_empty=True,
        advice="others go below identifiers",
    )
    for path, message in mistakes:
        name = names[int(path[1])] if isinstance(names, list) and len(path) > 1 else None
        problems.append((path, _no_tariff(name, edition) or message))
    return [edition.items[name] for name in known_names]


def _own_items(table: object, edition: Edition, problems: list[Problem]) -> list[Item]:
    if not isinstance(table, Mapping):
        problems.append(
            (("identifiers",), 'is not a table, write [….identifiers], below it NAME = { di = "…" }')
        )
        return []
    items = [_item(name, entry, edition, problems) for name, entry in table.items()]
    return [item for item in items if item]


def _item(name: str, entry: object, edition: Edition, problems: list[Problem]) -> Item | None:
    at = ("identifiers", name)
    if not isinstance(entry, Mapping):
        usual = edition.example
        example = f'write for example {{ di = "{usual.di}", format = "{usual.format}" }}'
        problems.append((at, f"{shown(entry)} is not an identifier, {example}"))
        return None
    before = len(problems)
    problems += unknown_keys(entry, _ITEM_KEYS, at)
    di, form = entry.get("di"), entry.get("format")
    unit, is_signed = entry.get("unit", ""), entry.get("signed", False)
    if not isinstance(di, str) or not re.fullmatch(f"[0-9A-Fa-f]{{{2 * edition.octets}}}", di):
        digits, first = _DIGITS[edition.octets], f"DI{edition.octets - 1} first"
        rule = f'{digits} hexadecimal digits in quotes, {first}, for example "{edition.example.di}"'
        problems.append(((*at, "di"), f"is missing: {rule}" if di is None else f"{shown(di)} is not {rule}"))
    if not isinstance(form, str) or not is_format(form):
        rule = (
            'write it as the manual\'s table: "XXX.X" (an even number of X), "NNNN", "YYMMDDWW" or "hhmmss"'
        )
        problems.append(
            ((*at, "format"), f"is missing: {rule}" if form is None else f"{shown(form)}: {rule}")
        )
    if not isinstance(unit, str):
        problems.append(((*at, "unit"), f"{shown(unit)} is not a text, write it in quotes"))
    if not isinstance(is_signed, bool):
        problems.append(((*at, "signed"), f"{shown(is_signed)} is neither true nor false"))
    if len(problems) > before:
        return None
    return Item(name, str(di).upper(), str(form), str(unit), is_signed is True)


def _no_tariff(name: object, edition: Edition) -> str | None:
    """Return the message for the tariff of an energy that has fewer tariffs; None if the name is another."""
    if not isinstance(name, str) or name in edition.items:
        return None
    energy = _TARIFF.sub("", name)
    if energy == name or energy not in _with_tariffs(edition):
        return None
    last = max(number for number in range(1, 64) if f"{energy}_t{number}" in edition.items)
    return f'unknown value "{name}"; tariffs of an energy are "{energy}_t1" to "_t{last}"'
