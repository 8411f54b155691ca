"""What a meter says of itself in site.toml.

address = "002311905387"                       # the twelve digits on its label
values = ["energy_import", "voltage_a"]        # by their names here, or …

[bus.meters.sensor.identifiers]                # … as its manual's table gives them
leak_current = { di = "02900100", format = "XXX.XXX", unit = "A", signed = true }
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from protocols.dlt645.data import ITEMS, MAX_TARIFF, Item, is_format
from protocols.dlt645.frame import ANY_ADDRESS, BROADCAST, covers
from protocols.errors import Problem, SettingsError


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """A sensor: the meter it is, and what is read from it.

    Attributes:
        address: twelve digits; the first may be A, which stands for any.
        items: in the order of site.toml; the names are unique.
    """

    address: str
    items: tuple[Item, ...]


_ADDRESS = re.compile(r"(?:AA)*(?:[0-9]{2})*")
_TARIFF = re.compile(r"_t[0-9]+$")
_NAMES: Final = [name for name in ITEMS if not _TARIFF.search(name)]
_WITH_TARIFFS: Final = [name for name in _NAMES if f"{name}_t1" in ITEMS]
_FORMAT: Final = r"^((XX)+(\.(XX)+)?|X(XX)*\.X(XX)*|(NN)+|YYMMDDWW|hhmmss)$"
_DI = re.compile(r"[0-9A-Fa-f]{8}")
_ITEM_KEYS: Final = ("di", "format", "unit", "signed")

SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
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
                "anyOf": [{"enum": _NAMES}, {"pattern": f"^({'|'.join(_WITH_TARIFFS)})_t[1-9][0-9]?$"}],
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
                    "di": {"type": "string", "pattern": "^[0-9A-Fa-f]{8}$", "description": "DI3 first"},
                    "format": {"type": "string", "pattern": _FORMAT, "description": "as the manual has it"},
                    "unit": {"type": "string"},
                    "signed": {"type": "boolean", "default": False, "description": "highest bit is a sign"},
                },
                "required": ["di", "format"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["address"],
    "anyOf": [{"required": ["values"]}, {"required": ["identifiers"]}],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])


def parse_settings(table: Mapping[str, Any]) -> MeterSettings:
    """A sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems: list[Problem] = [((key,), _unknown(key, _KEYS)) for key in table if key not in _KEYS]
    address = _address(table.get("address"), problems)
    items = _named(table.get("values", []), problems)
    own = _own(table.get("identifiers", {}), problems)
    names = {item.name for item in items}
    problems += [
        (("identifiers", item.name), "this name is among the values too, choose another")
        for item in own
        if item.name in names
    ]
    if not table.get("values") and not table.get("identifiers"):
        problems.append(((), f'needs values to read, for example values = ["{_NAMES[1]}", "voltage_a"]'))
    if problems:
        raise SettingsError(problems)
    return MeterSettings(address, (*items, *own))


def conflicts(sensors: Sequence[MeterSettings]) -> list[Problem]:
    """What is wrong with meters on one line: an address that stands for another one of them too."""
    return [
        (
            (place, "address"),
            f'"{one.address}" calls the meter "{other.address}" of this line too: write all twelve digits',
        )
        for place, one in enumerate(sensors)
        if (other := next((each for each in sensors if _calls(one.address, each.address)), None))
    ]


def _calls(address: str, other: str) -> bool:
    return address != other and covers(address, other)


def _address(written: object, problems: list[Problem]) -> str:
    if (
        isinstance(written, str)
        and written.isdecimal()
        and written.isascii()
        and len(written) < len(BROADCAST)
    ):
        written = written.zfill(len(BROADCAST))  # a shorter one has zeros before it
    if written is None:
        message = "is missing: the twelve digits on the meter's label, in quotes"
    elif isinstance(written, int) and not isinstance(written, bool):
        message = f'{written} is a number, write the digits on the meter in quotes: "{written:012}"'
    elif not isinstance(written, str) or len(written) != len(BROADCAST) or not _ADDRESS.fullmatch(written):
        message = (
            f"{_shown(written)} is no meter address, write its twelve digits in quotes, "
            f'or "{ANY_ADDRESS}" for the only meter on the line'
        )
    elif written == BROADCAST:
        message = f"{BROADCAST} is for broadcasts, which no meter answers"
    else:
        return written
    problems.append((("address",), message))
    return ANY_ADDRESS


def _named(names: object, problems: list[Problem]) -> list[Item]:
    if not isinstance(names, list):
        problems.append((("values",), f'{_shown(names)} is no list, write for example ["{_NAMES[1]}"]'))
        return []
    found: dict[str, Item] = {}
    for index, name in enumerate(names):
        item = ITEMS.get(name) if isinstance(name, str) else None
        if item is None:
            problems.append((("values", index), _unknown_value(name)))
        elif name in found:
            problems.append((("values", index), f"{_shown(name)} is there twice"))
        else:
            found[name] = item
    return list(found.values())


def _own(table: object, problems: list[Problem]) -> list[Item]:
    if not isinstance(table, Mapping):
        problems.append(
            (("identifiers",), 'is no table, write [….identifiers], below it NAME = { di = "…" }')
        )
        return []
    items = [_item(name, entry, problems) for name, entry in table.items()]
    return [item for item in items if item]


def _item(name: str, entry: object, problems: list[Problem]) -> Item | None:
    at = ("identifiers", name)
    if not isinstance(entry, Mapping):
        example = 'write for example { di = "02010100", format = "XXX.X" }'
        problems.append((at, f"{_shown(entry)} is no identifier, {example}"))
        return None
    before = len(problems)
    problems += [((*at, key), _unknown(key, _ITEM_KEYS)) for key in entry if key not in _ITEM_KEYS]
    di, form = entry.get("di"), entry.get("format")
    unit, is_signed = entry.get("unit", ""), entry.get("signed", False)
    if not isinstance(di, str) or not _DI.fullmatch(di):
        rule = 'eight hexadecimal digits in quotes, DI3 first, for example "02010100"'
        problems.append(((*at, "di"), f"is missing: {rule}" if di is None else f"{_shown(di)} is not {rule}"))
    if not isinstance(form, str) or not is_format(form):
        rule = (
            'write it as the manual\'s table: "XXX.X" (an even number of X), "NNNN", "YYMMDDWW" or "hhmmss"'
        )
        problems.append(
            ((*at, "format"), f"is missing: {rule}" if form is None else f"{_shown(form)}: {rule}")
        )
    if not isinstance(unit, str):
        problems.append(((*at, "unit"), f"{_shown(unit)} is no text, write it in quotes"))
    if not isinstance(is_signed, bool):
        problems.append(((*at, "signed"), f"{_shown(is_signed)} is neither true nor false"))
    if len(problems) > before:
        return None
    return Item(name, str(di).upper(), str(form), str(unit), is_signed is True)


def _unknown_value(name: object) -> str:
    if isinstance(name, str) and _TARIFF.search(name) and (base := _TARIFF.sub("", name)) in _WITH_TARIFFS:
        return f'"{name}" is no value, tariffs of an energy are "{base}_t1" to "_t{MAX_TARIFF}"'
    close = sorted(get_close_matches(str(name).lower(), _NAMES, 3)) or _NAMES[:3]
    return f"{_shown(name)} is no value, use {' or '.join(close)}; others go below identifiers"


def _unknown(key: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(key, known, 1)
    return f"is no key here, did you mean {close[0]}?" if close else f"is no key here, use {', '.join(known)}"


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
