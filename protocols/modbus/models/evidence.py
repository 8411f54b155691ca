"""How good a model's numbers are: where each is from, and what that is worth.

    A   an exchange with a real device, whose values somebody wrote down beside it
    B   the maker's own document was read
    C   two independent public sources agree
    D   one source

    evidence = "B"                      the grade of the map
    graded = { A = ["voltage"] }        the registers that have another
    [[source]]
    id = "manual"
    kind = "maker"                          maker, public or exchange
    title = "Acme, EM1 Modbus register list"
    version = "V1.2"
    page = "12–14"

A grade claims no more than the sources allow: B needs a maker's document with a version (or a date) and the
page or section that was read, C two sources, A a vector with the source of its frames. A source may be only a
text, its title: so much is enough for D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import shown, unknown_keys

GRADES: Final[Mapping[str, str]] = {
    "A": "an exchange with a real device",
    "B": "the maker's document",
    "C": "two independent sources",
    "D": "one source",
}
LEAST: Final = "D"
_KINDS: Final = ("maker", "public", "exchange")
_SOURCE_KEYS: Final = ("id", "kind", "title", "version", "page")
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers of a model are from.

    Attributes:
        title: of the document or the file, with its author.
        kind: "maker", "public" or "exchange"; "" if that is not said.
        id: its short name in the facts that models are compared with.
        version, page: of the document, and where in it.
    """

    title: str
    kind: str = ""
    id: str = ""
    version: str = ""
    page: str = ""

    @property
    def is_read_document(self) -> bool:
        """Return whether it is a maker's document of which somebody says what was read."""
        return self.kind == "maker" and bool(self.version and self.page)

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.title, self.version, self.page and f"page {self.page}")))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The grades of a model's registers.

    Attributes:
        grade: that of the map.
        exceptions: the grades of the registers that have another, by their names.
    """

    grade: str = LEAST
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def of(self, register: str) -> str:
        """Return the grade of a register."""
        return self.exceptions.get(register, self.grade)


def parse_sources(table: Mapping[str, object], problems: list[Problem]) -> tuple[Source, ...]:
    """Return the sources in a model file, under `source` or `sources`; mistakes are added to `problems`."""
    if "source" in table and "sources" in table:
        problems.append((("sources",), "stands beside [[source]]: write all of them in one way"))
    at = "source" if "source" in table else "sources"
    entries = table.get(at)
    if not isinstance(entries, list) or not entries:
        fault = "is missing" if entries in (None, []) else f"{shown(entries)} is not a list of texts"
        problems.append(((at,), f'{fault}: where this map is from, for example ["its manual, V1.2"]'))
        return ()
    sources = (_source(entry, (at, index), problems) for index, entry in enumerate(entries))
    return tuple(source for source in sources if source)


def parse_evidence(
    table: Mapping[str, object],
    names: Sequence[str],
    sources: Sequence[Source],
    problems: list[Problem],
) -> Evidence:
    """Return the grades in a model file; every mistake is added to `problems`.

    Args:
        table: the content of the file.
        names: the names of the model's registers.
        sources: its sources.
        problems: takes the mistakes.
    """
    grade = parse_grade(table, ("evidence",), problems)
    graded = table.get("graded", {})
    exceptions: dict[str, str] = {}
    if not isinstance(graded, Mapping):
        problems.append((("graded",), 'is not a table, write for example { D = ["energy_export"] }'))
        graded = {}
    for letter, registers in graded.items():
        if letter not in GRADES or not isinstance(registers, list):
            problems.append((("graded", letter), f"is no grade with a list of registers, use {_letters()}"))
            continue
        for name in registers:
            if name not in names:
                problems.append((("graded", letter), f"{shown(name)} is not a register of this model"))
            exceptions[name] = letter
    used_grades = {grade, *exceptions.values()}
    if "B" in used_grades and not any(source.is_read_document for source in sources):
        message = "B needs a [[source]] of the kind maker, with version and page"
        problems.append((("evidence",), message))
    if "C" in used_grades and len(sources) < _TWO:
        problems.append((("evidence",), "C needs two sources"))
    return Evidence(grade, exceptions)


def parse_grade(table: Mapping[str, Any], at: Path, problems: list[Problem]) -> str:
    """Return the grade under the last key of a path; the mistake is added to `problems`."""
    grade = table.get(str(at[-1]), LEAST)
    if grade in GRADES:
        return str(grade)
    problems.append((at, f"{shown(grade)} is no grade of evidence, use {_letters()}"))
    return LEAST


def _letters() -> str:
    return ", ".join(f'"{letter}" ({meaning})' for letter, meaning in GRADES.items())


def _source(entry: object, at: Path, problems: list[Problem]) -> Source | None:
    if isinstance(entry, str):
        return Source(entry)
    if not isinstance(entry, Mapping):
        problems.append(
            (at, f"{shown(entry)} is not a source, write its title as a text or a block [[source]]")
        )
        return None
    problems += unknown_keys(entry, _SOURCE_KEYS, at)
    for key in _SOURCE_KEYS:
        if not isinstance(entry.get(key, ""), str):
            problems.append(((*at, key), f"{shown(entry[key])} is not a text in quotes"))
    if not entry.get("title"):
        problems.append(((*at, "title"), "is missing: the author and the title of the document"))
        return None
    if entry.get("kind", "") not in ("", *_KINDS):
        problems.append(
            ((*at, "kind"), f"{shown(entry['kind'])} is no kind of source, use {', '.join(_KINDS)}")
        )
    return Source(**{key: str(entry.get(key, "")) for key in _SOURCE_KEYS})
