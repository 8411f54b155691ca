"""Protocols that other packages bring, by the entry point group `serial_bridge.protocols`.

    [project.entry-points."serial_bridge.protocols"]
    tfmini-plus = "tfmini_plus:PROTOCOL"

The name is that in site.toml, and that of the `Protocol` it leads to. What ships is never replaced: a package
that uses such a name, or the name of another one's, is told so and not used. Packages are looked for only if
a name is not in the catalogue, and imported only when theirs is asked for. Whatever goes wrong in one is one
sentence that names it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from protocols.toolkit.errors import PackageError

GROUP: Final = "serial_bridge.protocols"


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a protocol: a package and its version."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@cache
def _points() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, str(_origin(point)))))


def names() -> list[str]:
    """Return the names under which packages bring protocols, sorted; a name used twice is there twice."""
    return [point.name for point in _points()]


def origins(name: str) -> list[Origin]:
    """Return the packages that bring a protocol of this name."""
    return [_origin(point) for point in _points() if point.name == name]


def load(name: str, shipped: Collection[str]) -> object:
    """Return the object that a package brings under this name.

    Args:
        shipped: the names of those that ship.

    Raises:
        KeyError: no package brings it.
        PackageError: it is taken, brought by several, or cannot be imported.
    """
    points = [point for point in _points() if point.name == name]
    if not points:
        raise KeyError(name)
    brought = " and ".join(str(_origin(point)) for point in points)
    if name in shipped:
        raise PackageError(
            f'{brought}: brings "{name}", which ships with the bridge and is used; it needs another name'
        )
    if len(points) > 1:
        raise PackageError(f'{brought}: all bring "{name}", uninstall all but one')
    try:
        return points[0].load()
    except (Exception, SystemExit) as error:  # code of others: whatever it raises
        reason = str(error).splitlines()[0] if str(error) else "without a word"
        raise PackageError(
            f'{brought}: "{name}" cannot be loaded ({type(error).__name__}: {reason}), '
            "update or uninstall the package"
        ) from error


def _origin(point: EntryPoint) -> Origin:
    return Origin(point.dist.name, point.dist.version) if point.dist else Origin("an unknown package", "")
