"""The definitions of SunSpec's models, from the files of the package pysunspec2.

Only the files are used: to read a few of them is quick and small, and the package opens ports itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = "sunspec2"
_FILES: Final = "models/json"
INSTALL: Final = "pip install 'serial-bridge[sunspec]'"


class DefinitionsMissing(Exception):
    """The package with the definitions is not installed."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a model.

    Attributes:
        name: its name in the model.
        type: SunSpec's name of its type.
        words: the number of registers that it takes.
        scale: the name of the point with its power of ten, that power itself, or None.
        unit: for people, or "".
        symbols: number → name, of an enumeration.
        is_setting: the master can write it.
        is_static: it does not change while the device works.
    """

    name: str
    type: str
    words: int
    scale: str | int | None
    unit: str
    symbols: Mapping[int, str]
    is_setting: bool
    is_static: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Points that stand together, then groups of points that may repeat.

    Attributes:
        name: its name in the model.
        count: how often it stands there: a number, the name of the point that tells it, or None: once. 0: as
            often as the length of the model allows.
        points: in the order of their addresses.
        groups: what follows the points.
    """

    name: str
    count: int | str | None
    points: tuple[Point, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One model: its number, its title, and its points, of which the first two are its number and length."""

    number: int
    title: str
    group: Group


@cache
def numbers() -> frozenset[int]:
    """Return the numbers of all models that are defined.

    Raises:
        DefinitionsMissing: the package is not installed.
    """
    names = (path.stem.removeprefix("model_") for path in _folder().glob("model_*.json"))
    return frozenset(int(name) for name in names if name.isdecimal())


@cache
def definition(number: int) -> Definition | None:
    """Return the definition of a model; None: a maker's own, or a newer one.

    Raises:
        DefinitionsMissing: the package is not installed.
    """
    if number not in numbers():
        return None
    text = (_folder() / f"model_{number}.json").read_text("utf-8")
    group = json.loads(text)["group"]
    return Definition(number, group.get("label", group["name"]), _group(group))


@cache
def _folder() -> Path:
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise DefinitionsMissing(f"the definitions of SunSpec's models are not installed: {INSTALL}")
    return Path(package.submodule_search_locations[0], _FILES)


def _group(table: Mapping[str, Any]) -> Group:
    return Group(
        name=table["name"],
        count=table.get("count"),
        points=tuple(_point(point) for point in table.get("points", ())),
        groups=tuple(_group(group) for group in table.get("groups", ())),
    )


def _point(table: Mapping[str, Any]) -> Point:
    return Point(
        name=table["name"],
        type=table["type"],
        words=table["size"],
        scale=table.get("sf"),
        unit=table.get("units") or "",
        symbols={symbol["value"]: symbol["name"] for symbol in table.get("symbols", ())},
        is_setting=table.get("access") == "RW",
        is_static=table.get("static") == "S",
    )
