"""The one key of sensors of a device that stands alone on its line: `values`, those that are read from it.

It needs no address. Some of its values are lists, as are the voltages of a battery's cells and its
thermometers: one value for each entry, with its number behind the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from protocols.toolkit.errors import SettingsError
from protocols.toolkit.keys import parse_value_names, unknown_keys
from protocols.toolkit.polling import Value, Values
from protocols.toolkit.protocol import Fields

ADDRESS: Final = "bms"


@dataclass(frozen=True, slots=True)
class ValueSettings:
    """The settings of a sensor.

    Attributes:
        values: the values that are read from its device.
        units: the values that these bring, each with its unit or "".
        address: the one address: all sensors of a line are one device.
    """

    values: tuple[str, ...]
    units: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class ValueKeys:
    """Reads the keys of a device's sensors.

    Attributes:
        units: the values that the device can give, each with its unit or "".
        lists: the names of values that are lists, each with the most entries it can hold.
        unusual: the names of values that are read only if site.toml lists them.
        address: what the device is called in the log.
    """

    units: Mapping[str, str]
    lists: Mapping[str, int] = field(default_factory=dict)
    unusual: Collection[str] = ()
    address: str = ADDRESS

    @property
    def usual(self) -> list[str]:
        """Return the names of the values that are read where site.toml lists none."""
        return [name for name in self.units if name not in self.unusual]

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the keys."""
        default = ", ".join(self.usual) if self.unusual else "all"
        values = {
            "type": "array",
            "items": {"enum": list(self.units)},
            "minItems": 1,
            "uniqueItems": True,
            "description": f"The values to read. Default: {default}.",
        }
        return {"properties": {"values": values}, "required": []}

    def parse(self, table: Mapping[str, object]) -> ValueSettings:
        """Return the settings in these keys.

        Raises:
            SettingsError: with every mistake.
        """
        problems = unknown_keys(table, ("values",))
        values = parse_value_names(table.get("values", self.usual), self.units, problems)
        if problems:
            raise SettingsError(problems)
        return ValueSettings(values, self._units_of(values), self.address)

    def _units_of(self, value_names: Sequence[str]) -> dict[str, str]:
        """Return the unit of each value that these names may bring, or ""."""
        units: dict[str, str] = {}
        for name in value_names:
            names = (_numbered(name, number) for number in range(1, self.lists.get(name, 0) + 1))
            units |= dict.fromkeys(names if name in self.lists else [name], self.units[name])
        return units

    def candidates(self, heard: Sequence[Fields]) -> list[dict[str, object]]:
        """Return the keys of the one sensor of a line on which this was heard, with all its values."""
        return [{"values": list(self.units)}] if heard else []

    def choose(self, fields: Fields, names: Sequence[str]) -> Values:
        """Return the values of these names; for a list, one value for each entry in it."""
        return dict(self._chosen(fields, names))

    def _chosen(self, fields: Fields, names: Sequence[str]) -> Iterator[tuple[str, Value]]:
        for name in names:
            if name in self.lists:
                for number, value in enumerate(fields.get(name, ()), start=1):
                    if value is not None:
                        yield _numbered(name, number), value
            elif fields.get(name) is not None:
                yield name, fields[name]


def _numbered(name: str, number: int) -> str:
    return f"{name.removesuffix('s')}_{number}"
