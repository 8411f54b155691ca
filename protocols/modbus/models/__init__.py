"""Register maps that ship with the bridge: one TOML file a device, and how it is read.

    title = "Eastron SDM120"
    sources = ["where the map is from"]
    confirmed = false           true once compared with the manufacturer's document or with a device
    [serial]                    line = "2400 8N1", confirmed, note
    [limits]  [registers]       as in site.toml

A folder is an argument, so that a site's own maps can stand beside these.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from protocols.dialogue import LineSettings
from protocols.errors import SettingsError
from protocols.modbus.limit_keys import parse_limits
from protocols.modbus.plan import Limits
from protocols.modbus.register_keys import Problem, parse_registers, unknown_key
from protocols.modbus.registers import Register

SHIPPED: Final = files(__name__)
_SUFFIX: Final = ".toml"
_KEYS: Final = ("title", "sources", "confirmed", "note", "serial", "limits", "registers")


@dataclass(frozen=True, slots=True)
class Model:
    """The register map of one device.

    Attributes:
        name: what `model` says in site.toml.
        title: manufacturer and type.
        sources: where the map is from.
        confirmed: whether it was compared with the manufacturer's document or a real device.
        line: line settings it leaves the factory with, or None if not known.
        line_confirmed: the same for these.
        note: what to know before trusting it.
        limits: what the device does not stand.
        registers: in the order of the file.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    confirmed: bool
    line: LineSettings | None
    line_confirmed: bool
    note: str
    limits: Limits
    registers: tuple[Register, ...]


def names(folder: Traversable = SHIPPED) -> list[str]:
    """The models in a folder, sorted."""
    return sorted(
        entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX)
    )


@cache
def load(name: str, folder: Traversable = SHIPPED) -> Model:
    """The model of that name.

    Raises:
        KeyError: no such model.
        SettingsError: its file is wrong; every mistake.
    """
    if name not in names(folder):
        raise KeyError(name)
    return _parse(name, tomllib.loads((folder / f"{name}{_SUFFIX}").read_text("utf-8")))


def _parse(name: str, table: Mapping[str, Any]) -> Model:
    problems: list[Problem] = [((key,), unknown_key(key, _KEYS)) for key in table if key not in _KEYS]
    title, sources = table.get("title"), table.get("sources")
    if not isinstance(title, str):
        problems.append((("title",), "is missing: manufacturer and type of the device"))
    if not _is_list_of_text(sources):
        problems.append((("sources",), "is missing: a list of where this map is from"))
    serial = table.get("serial", {})
    line = None
    if "line" in serial:
        try:
            line = LineSettings.parse(serial["line"])
        except ValueError as error:
            problems.append((("serial", "line"), str(error)))
    limits = parse_limits(table.get("limits", {}), ("limits",), problems)
    registers = parse_registers(table.get("registers", {}), ("registers",), problems)
    if problems:
        raise SettingsError(problems)
    return Model(
        name=name,
        title=str(title),
        sources=tuple(sources or ()),
        confirmed=table.get("confirmed") is True,
        line=line,
        line_confirmed=serial.get("confirmed") is True,
        note="; ".join(filter(None, (table.get("note"), serial.get("note")))),
        limits=limits,
        registers=registers,
    )


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(item, str) for item in value)
