"""Register maps of devices: one TOML file for each device or family, and its parser.

    title = "Eastron SDM120"
    kind = "energy meter"       see KINDS
    note = "what to know before trusting it"
    evidence = "B"              how good its numbers are, and [[source]]: see `evidence`
    [serial]                    line = "2400 8N1", gap = "50ms", evidence, note
    [limits]  [registers]       as in site.toml
    [fingerprint]               what tells the device from all others: see `fingerprint`
    [[vector]]                  a request, its reply, and what that says: see `vectors`
    [variant.NAME]              another model of the family: see `variants`

Some ship with the bridge. A site may have its own; its own model hides a shipped one of the same name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from protocols.modbus.limit_keys import beyond_limits, parse_limits
from protocols.modbus.models.evidence import Evidence, Source, parse_evidence, parse_grade, parse_sources
from protocols.modbus.models.fingerprint import Fingerprint, parse_fingerprint
from protocols.modbus.models.variants import INDEX, parse_index, variant_of
from protocols.modbus.models.vectors import Vector, parse_vectors
from protocols.modbus.plan import Limits
from protocols.modbus.register_keys import parse_registers
from protocols.modbus.registers import Register
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import misspelt, shown, unknown_keys
from protocols.toolkit.polling import LineSettings

FOLDER: Final = Path(__file__).parent
_SUFFIX: Final = ".toml"
_KEYS: Final = (
    "title",
    "kind",
    "source",
    "sources",
    "evidence",
    "graded",
    "confirmed",
    "note",
    "serial",
    "limits",
    "fingerprint",
    "registers",
    "vector",
)
_SERIAL_KEYS: Final = ("line", "gap", "evidence", "confirmed", "note")
KINDS: Final = (
    "air quality",
    "battery",
    "charger",
    "drive",
    "energy meter",
    "flow",
    "heat pump",
    "I/O",
    "inverter",
    "level",
    "light",
    "power supply",
    "pressure",
    "soil",
    "temperature",
    "ventilation",
    "water",
    "weather",
)
_GAP: Final = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)\s*(ms|s)")
_LONGEST_GAP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Model:
    """The register map of one device.

    Attributes:
        name: the name by which site.toml selects it.
        title: manufacturer and type.
        kind: what it is, one of KINDS; "" if that is not said.
        sources: where the map is from.
        evidence: how good the numbers of its registers are.
        line: its line settings when it leaves the factory, or None if not known.
        line_grade: how good those are, a key of `evidence.GRADES`.
        gap_s: rest that it needs between a reply and the next request, in seconds.
        note: what to know before trusting it.
        limits: the reads that the device does not support.
        registers: in the order of the file.
        vectors: frames that prove the map.
        fingerprint: what tells the device from all others; empty if nothing is declared.
    """

    name: str
    title: str
    kind: str
    sources: tuple[Source, ...]
    evidence: Evidence
    line: LineSettings | None
    line_grade: str
    gap_s: float
    note: str
    limits: Limits
    registers: tuple[Register, ...]
    vectors: tuple[Vector, ...]
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Library:
    """The models that a sensor can name.

    Attributes:
        own: the site's models, by name; the others are those that ship with the bridge.
    """

    own: Mapping[str, Model] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Mapping[str, Mapping[str, Any]]) -> Library:
        """Return the library of a site.

        Args:
            tables: the content of each of its own model files, by the model's name.

        Raises:
            SettingsError: every mistake in them; each path begins with the model's name.
        """
        problems: list[Problem] = []
        own_models: dict[str, Model] = {}
        for name, table in tables.items():
            try:
                own_models[name] = read(name, table)
            except SettingsError as error:
                problems += [((name, *path), message) for path, message in error.problems]
        if problems:
            raise SettingsError(problems)
        return cls(own_models)

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted({*self.own, *names()})

    def model(self, name: str) -> Model:
        """Return the model of that name.

        Raises:
            KeyError: there is none.
        """
        return self.own[name] if name in self.own else load(name)


SHIPPED: Final = Library()


@cache
def names() -> tuple[str, ...]:
    """Return the names of the models that ship with the bridge, sorted."""
    families = set(_variants().values())
    return tuple(sorted({*_variants(), *(name for name in file_names() if name not in families)}))


def file_names() -> tuple[str, ...]:
    """Return the names of the model files that ship with the bridge, without their suffix, sorted."""
    names_in_folder = (entry.name for entry in FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names_in_folder if name.endswith(_SUFFIX)))


def table_of(file_name: str) -> dict[str, Any]:
    """Return the content of a model file that ships with the bridge."""
    return tomllib.loads((FOLDER / f"{file_name}{_SUFFIX}").read_text("utf-8"))


def file_of(name: str) -> str:
    """Return the name of the file in which a model that ships stands, without its suffix."""
    return _variants().get(name, name)


def forget() -> None:
    """Forget what was read of the folder: its files have changed."""
    for cached in (names, load, _variants):
        cached.cache_clear()


@cache
def _variants() -> dict[str, str]:
    return parse_index((FOLDER / INDEX).read_text("utf-8"))


@cache
def load(name: str) -> Model:
    """Return the model of that name that ships with the bridge.

    Raises:
        KeyError: there is none.
    """
    if name not in names():
        raise KeyError(name)
    table = table_of(file_of(name))
    return read(name, variant_of(table, name) if name in _variants() else table)


def read(name: str, table: Mapping[str, object]) -> Model:
    """Return the model in a model file.

    Args:
        name: its name in site.toml.
        table: the content of the file.

    Raises:
        SettingsError: every mistake in it.
    """
    problems = unknown_keys(table, _KEYS)
    misspelt_keys = misspelt(table, _KEYS)
    serial = table.get("serial", {})
    if not isinstance(serial, Mapping):
        problems.append((("serial",), 'is not a table, write for example { line = "9600 8N1" }'))
        serial = {}
    problems += unknown_keys(serial, _SERIAL_KEYS, ("serial",))
    register_table = table.get("registers", {})
    keys = tuple(register_table) if isinstance(register_table, Mapping) else ()
    limits = parse_limits(table.get("limits", {}), ("limits",), problems)
    registers = parse_registers(register_table, ("registers",), problems)
    if register_table == {} and "registers" not in misspelt_keys:
        problems.append((("registers",), "is missing: the register map"))
    problems += beyond_limits(registers, limits)
    _check_confirmed(table, (), problems)
    _check_confirmed(serial, ("serial",), problems)
    sources = parse_sources(table, problems) if not {"source", "sources"} & set(misspelt_keys) else ()
    model = Model(
        name=name,
        title=_title(table.get("title"), problems, is_misspelt="title" in misspelt_keys),
        kind=_kind(table.get("kind", ""), problems),
        sources=sources,
        evidence=parse_evidence(table, keys, sources, problems),
        line=_line(serial.get("line"), problems),
        line_grade=parse_grade(serial, ("serial", "evidence"), problems),
        gap_s=_gap(serial.get("gap", "0s"), problems),
        note="; ".join(filter(None, (_note(table, (), problems), _note(serial, ("serial",), problems)))),
        limits=limits,
        registers=registers,
        vectors=parse_vectors(table.get("vector", []), keys, ("vector",), problems),
        fingerprint=parse_fingerprint(table.get("fingerprint", {}), problems),
    )
    if problems:
        raise SettingsError(problems)
    return model


def _title(title: object, problems: list[Problem], *, is_misspelt: bool) -> str:
    if isinstance(title, str) and title.strip():
        return title
    fault = "is missing" if title in (None, "") else f"{shown(title)} is not a text in quotes"
    if not is_misspelt:
        problems.append((("title",), f"{fault}: manufacturer and type of the device"))
    return ""


def _kind(kind: object, problems: list[Problem]) -> str:
    if kind in ("", *KINDS):
        return str(kind)
    problems.append((("kind",), f"{shown(kind)} is no kind of device, use one of: {', '.join(KINDS)}"))
    return ""


def _line(text: object, problems: list[Problem]) -> LineSettings | None:
    if text is None:
        return None
    try:
        return LineSettings.parse(text if isinstance(text, str) else shown(text))
    except ValueError as error:
        problems.append((("serial", "line"), str(error)))
        return None


def _gap(text: object, problems: list[Problem]) -> float:
    match = _GAP.fullmatch(text) if isinstance(text, str) else None
    gap_s = float(match[1]) * {"ms": 0.001, "s": 1.0}[match[2]] if match else -1.0
    if 0 <= gap_s <= _LONGEST_GAP_S:
        return gap_s
    rule = 'write the rest between a reply and the next request, "0s" to "60s", for example "50ms"'
    problems.append((("serial", "gap"), f"{shown(text)} is not a gap, {rule}"))
    return 0.0


def _check_confirmed(table: Mapping[str, object], at: tuple[str, ...], problems: list[Problem]) -> None:
    """Note a wrong `confirmed`, by which a site's model said what `evidence` says now; it changes nothing."""
    flag = table.get("confirmed", False)
    if not isinstance(flag, bool):
        problems.append(((*at, "confirmed"), f"{shown(flag)} is neither true nor false"))


def _note(table: Mapping[str, object], at: tuple[str, ...], problems: list[Problem]) -> str:
    note = table.get("note", "")
    if not isinstance(note, str):
        problems.append(((*at, "note"), f"{shown(note)} is not a text in quotes"))
        return ""
    return note
