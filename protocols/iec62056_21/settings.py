"""The settings of a meter in site.toml.

address = "45678903"                           # on its label; needless for the only meter on a line
values = ["import_energy", "voltage_l1",       # by their names here, or …
          "C.1.0", "6.26"]                     # … by their codes, as the meter shows them
wake_up = true                                 # a meter with a battery sleeps until it is woken
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.iec62056_21.frame import MAX_ADDRESS
from protocols.toolkit import obis
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import parse_value_names, shown, unknown_keys

_ADDRESS: Final = r'^[ "-.0-~]{0,32}$'
_CODE: Final = r"^[0-9A-Z]+([.:*&-][0-9A-Z]+)+$"


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """The settings of a sensor: its meter, and the values that are read.

    Attributes:
        address: the address of the meter; "" asks any meter on the line.
        values: the names and codes to read, in the order of site.toml.
        wake_up: the meter sleeps until it is woken.
    """

    address: str
    values: tuple[str, ...]
    wake_up: bool = False

    @property
    def units(self) -> dict[str, str]:
        """Return the unit of each value; "" for a code, whose unit only its meter knows."""
        return {name: obis.unit_of(name) or "" for name in self.values}


SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "address": {
            "type": "string",
            "pattern": _ADDRESS,
            "description": "the number by which it is asked; left out for the only meter on a line",
        },
        "values": {
            "type": "array",
            "items": {
                "type": "string",
                "anyOf": [
                    {"enum": list(obis.UNITS)},
                    {"pattern": f"^({'|'.join(sorted(obis.WITH_TARIFFS))})_t[1-9][0-9]?$"},
                    {"pattern": _CODE},
                ],
            },
            "minItems": 1,
            "uniqueItems": True,
            "description": "by name, an energy with _t1, _t2 … for its tariffs; or by OBIS code, as shown",
        },
        "wake_up": {
            "type": "boolean",
            "default": False,
            "description": "a meter with a battery: woken by zeros for two seconds before it is asked",
        },
    },
    "required": ["values"],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])


def parse_settings(table: Mapping[str, object]) -> MeterSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems = unknown_keys(table, _KEYS)
    address = _address(table.get("address", ""), problems)
    values = _values(table.get("values"), problems)
    wake_up = table.get("wake_up", False)
    if not isinstance(wake_up, bool):
        problems.append((("wake_up",), f"{shown(wake_up)} is neither true nor false"))
    if problems:
        raise SettingsError(problems)
    return MeterSettings(address, values, wake_up is True)


def conflicts(sensors: Sequence[MeterSettings]) -> list[Problem]:
    """Return the problems of sensors on one line: a sensor without address, which any meter answers."""
    other_address = next((settings.address for settings in sensors if settings.address), None)
    if other_address is None:
        return []
    message = (
        f'is missing: without it every meter of the line answers, also "{other_address}" of another sensor; '
        "write the number on this meter's label"
    )
    return [((place, "address"), message) for place, settings in enumerate(sensors) if not settings.address]


def _address(address: object, problems: list[Problem]) -> str:
    if isinstance(address, str) and re.fullmatch(_ADDRESS, address):
        return address
    if isinstance(address, int) and not isinstance(address, bool):
        message = f'{address} is a number, write what the meter is asked by in quotes: "{address}"'
    else:
        rule = f"in quotes, at most {MAX_ADDRESS} characters without / and !"
        message = f"{shown(address)} is not an address of a meter, write the number on its label {rule}"
    problems.append((("address",), message))
    return ""


def _values(names: object, problems: list[Problem]) -> tuple[str, ...]:
    if names is None:
        rule = 'write the values to read as a list, for example ["import_energy", "import_power"]'
        problems.append((("values",), f"is missing: {rule}"))
        return ()
    advice = 'or write the code that the meter shows, "1.8.0"'
    return parse_value_names(names, obis.UNITS, problems, is_known=_is_value, advice=advice)


def _is_value(name: str) -> bool:
    return obis.unit_of(name) is not None or re.fullmatch(_CODE, name) is not None
