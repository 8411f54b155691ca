"""The keys of a SunSpec sensor in site.toml: which models of the device are read.

    model = "sunspec"
    models = [103, 160]

Without `models` every model is read, but only what measures: settings and what never changes are left out,
and so is the common model, which names the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Final

from protocols.toolkit.errors import Problem
from protocols.toolkit.keys import is_whole, shown

NAME: Final = "sunspec"
MODELS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 65534},
    "minItems": 1,
    "uniqueItems": True,
    "description": 'with model = "sunspec": the SunSpec models to read; absent: all, as far as they measure',
}


class PointUnits(Mapping[str, str]):
    """The units of the points of some models by their keys, whatever the number of a repeated group."""

    def __init__(self, models: frozenset[int] | None, others: Mapping[str, str]) -> None:
        """Take the models with these numbers (None: all that are defined), and units of other values."""
        self._models = models
        self._others = others

    @cached_property
    def _units(self) -> dict[str, str]:
        from protocols.modbus.sunspec.definitions import definition, numbers
        from protocols.modbus.sunspec.points import units_of

        known_numbers = numbers() if self._models is None else self._models
        definitions = filter(None, map(definition, sorted(known_numbers)))
        return {key: unit for model in definitions for key, unit in units_of(model).items()}

    def __getitem__(self, key: str) -> str:
        """Return the unit of a value, or "" if it has none."""
        if key in self._others:
            return self._others[key]
        first_of_each = re.sub(r"_[0-9]+(?=_)", "_1", key)
        first_model = re.sub(r"_[0-9]+(?=_)", "", key, count=1)
        for candidate in (key, first_of_each, first_model, re.sub(r"_[0-9]+(?=_)", "_1", first_model)):
            if candidate in self._units:
                return self._units[candidate]
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys that are known beforehand: no device has all models together."""
        return chain(self._others, () if self._models is None else self._units)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class SunSpecChoice:
    """What a sensor needs of a SunSpec device.

    Attributes:
        models: the numbers of the models; None: all that measure.
    """

    models: frozenset[int] | None = None

    def units_with(self, others: Mapping[str, str]) -> Mapping[str, str]:
        """Return the units of the values that may come, and of others."""
        return PointUnits(self.models, others)


def parse_choice(table: Mapping[str, object], problems: list[Problem]) -> SunSpecChoice | None:
    """Return the choice in a sensor's own keys; None: it has another model.

    Args:
        table: the keys.
        problems: takes every mistake.
    """
    chosen_models = table.get("models")
    if table.get("model") != NAME:
        if "models" in table:
            problems.append((("models",), f'belongs to model = "{NAME}": leave it out'))
        return None
    from protocols.modbus.sunspec.definitions import DefinitionsMissing, numbers  # few sites have these

    try:
        known_numbers = numbers()
    except DefinitionsMissing as error:
        problems.append((("model",), str(error)))
        return None
    if chosen_models is None:
        return SunSpecChoice()
    if not isinstance(chosen_models, list) or not chosen_models:
        problems.append((("models",), "is not a list of SunSpec model numbers, write for example [103, 160]"))
        return None
    mistakes = [
        (("models", index), f"{shown(number)} is not the number of a SunSpec model, such as 103 or 160")
        for index, number in enumerate(chosen_models)
        if not (is_whole(number, 1, 65534) and number in known_numbers)
    ]
    problems += mistakes
    return None if mistakes else SunSpecChoice(frozenset(chosen_models))
