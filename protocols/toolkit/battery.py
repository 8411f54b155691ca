"""Settings of all battery management systems: the one key of their sensors, and values that are lists.

A battery stands alone on its line, so it needs no address; a sensor may say which of its values are read. The
voltages of its cells and its thermometers are lists: one value for each, with its number behind the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.polling import Value, Values
from protocols.toolkit.protocol import Fields

ADDRESS: Final = "bms"


@dataclass(frozen=True, slots=True)
class BatterySettings:
    """The settings of a battery: the values that are read from it."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatteryKeys:
    """Reads the keys of a battery's sensors.

    Attributes:
        units: the values that it can give, each with its unit or "".
        lists: the names of values that are lists, each with the most entries it can hold.
        unusual: the names of values that are read only if site.toml lists them.
    """

    units: Mapping[str, str]
    lists: Mapping[str, int]
    unusual: Collection[str] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the keys."""
        but = f" but {' and '.join(self.unusual)}" if self.unusual else ""
        values = {
            "type": "array",
            "items": {"enum": list(self.units)},
            "minItems": 1,
            "uniqueItems": True,
            "description": f"The values to read. Default: all{but}.",
        }
        return {"properties": {"values": values}, "required": []}

    def parse(self, table: Mapping[str, Any]) -> BatterySettings:
        """Return the settings in these keys.

        Raises:
            SettingsError: with every mistake.
        """
        problems: list[Problem] = [((key,), "is no key here, use values") for key in table if key != "values"]
        values = table.get("values", [name for name in self.units if name not in self.unusual])
        if not isinstance(values, list) or not values:
            problems.append((("values",), 'is no list of values, write for example ["voltage", "current"]'))
            values = []
        for index, name in enumerate(values):
            if not isinstance(name, str) or name not in self.units:
                close = get_close_matches(str(name).lower(), self.units, 3) or self.units
                problems.append((("values", index), f"{name!r} is no value, use {' or '.join(close)}"))
            elif name in values[:index]:
                problems.append((("values", index), f"{name!r} is there twice"))
        if problems:
            raise SettingsError(problems)
        return BatterySettings(tuple(values))

    def units_of(self, settings: BatterySettings) -> dict[str, str]:
        """Return the unit of each value that these settings may bring, or ""."""
        units: dict[str, str] = {}
        for name in settings.values:
            names = (_numbered(name, number) for number in range(1, self.lists.get(name, 0) + 1))
            units |= dict.fromkeys(names if name in self.lists else [name], self.units[name])
        return units

    def choose(self, fields: Fields, names: Sequence[str]) -> Values:
        """Return the values of these names; for a list, one value for each cell or thermometer in it."""
        return dict(self._chosen(fields, names))

    def _chosen(self, fields: Fields, names: Sequence[str]) -> Iterator[tuple[str, Value]]:
        for name in names:
            if name in self.lists:
                for number, value in enumerate(fields.get(name, ()), start=1):
                    if value is not None:
                        yield _numbered(name, number), value
            elif fields.get(name) is not None:
                yield name, fields[name]


def address_of(settings: BatterySettings) -> str:
    """Return the one address: all sensors of a line are one battery."""
    return ADDRESS


def _numbered(name: str, number: int) -> str:
    return f"{name.removesuffix('s')}_{number}"
