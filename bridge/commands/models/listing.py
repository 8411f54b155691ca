"""`models` and `models NAME`: register maps, their sources, and the vectors that prove them.

The maps are those that ship with the bridge and those in the folder `models` beside a site file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from bridge import plain_text
from bridge.commands.models.documents import (
    ModelDescription,
    ModelOrigin,
    ModelRow,
    RegisterRow,
    SourceRow,
    VectorResult,
)
from bridge.config import OwnModels
from bridge.errors import ConfigError
from protocols import load
from protocols.modbus import models
from protocols.modbus.models import Library, Model
from protocols.modbus.models.evidence import GRADES
from protocols.modbus.plan import Limits
from protocols.modbus.registers import ORDERS, Register

_PLAIN_ORDER = next(iter(ORDERS))
TRUSTED: Final = "AB"  # grades for which a person looked at more than other programs
_SCALE: Final = ("multiply", "divide", "offset", "bit", "mask", "min", "max")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models that a site can name.

    Attributes:
        library: the models.
        files: the files of the site's own models, by the model's name.
    """

    library: Library = models.SHIPPED
    files: Mapping[str, str] = field(default_factory=dict)

    def replaces(self, name: str) -> bool:
        """Return whether a model of the site's own replaces one that ships."""
        return name in self.files and name in models.names()


SHIPPED = Shelf()


def shelf(site: Path) -> Shelf:
    """Return the models of the site with this file, which need not exist.

    Raises:
        ConfigError: every mistake in the site's own models.
    """
    site_models = _site_models(site)
    if site_models.mistakes:
        raise ConfigError(site_models.mistakes)
    return _shelf(site_models)


def _site_models(site: Path) -> OwnModels:
    """Return the site's own models, with their mistakes noted."""
    site_models = OwnModels(site)
    site_models.known_to(load("modbus-rtu"))
    return site_models


def _shelf(site_models: OwnModels) -> Shelf:
    """Return the site's own models without mistakes, and those that ship."""
    return Shelf(
        Library.of(site_models.tables), {name: site_models.place(name) for name in site_models.tables}
    )


def listing(models_shelf: Shelf = SHIPPED) -> list[ModelRow]:
    """Return one row a model, sorted by name: its title, how far to trust it, and the file it comes from."""
    return [
        {
            "name": model.name,
            "title": model.title,
            "kind": model.kind,
            "line": str(model.line) if model.line else None,
            "grade": model.evidence.grade,
            "registers": len(model.registers),
            "vectors": len(model.vectors),
            "file": models_shelf.files.get(model.name),
            "replaces_shipped": models_shelf.replaces(model.name),
        }
        for model in map(models_shelf.library.model, models_shelf.library.names())
    ]


def matching(word: str, rows: Sequence[ModelRow]) -> list[ModelRow]:
    """Return the rows with a word in their name, title or kind, whatever its case, blanks and hyphens."""
    plain_word = _plain(word)
    texts = ((row, (row["name"], row["title"], row["kind"])) for row in rows)
    return [
        row for row, words in texts if plain_word and plain_word in " ".join(_plain(text) for text in words)
    ]


def chosen(rows: Sequence[ModelRow], kind: str, grades: str) -> list[ModelRow]:
    """Return the rows of a kind with one of these grades; "" chooses all."""
    return [
        row
        for row in rows
        if _plain(kind) in _plain(row["kind"]) and (not grades or row["grade"] in grades.upper())
    ]


def nothing_chosen(rows: Sequence[ModelRow]) -> str:
    """Return one sentence for a kind and grades that no model has together, with the kinds that there are."""
    kinds = ", ".join(sorted({row["kind"] for row in rows}))
    return f"no model is of this kind with this evidence: kinds are {kinds}; grades are {', '.join(GRADES)}"


def not_a_model(word: str, models_shelf: Shelf = SHIPPED) -> str:
    """Return one sentence for a word that no model has, with the nearest names."""
    close = get_close_matches(word.lower(), models_shelf.library.names(), 3, 0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "`serial-bridge models` lists them"
    return f'no model has "{word}" in its name; {hint}'


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def describe(name: str, models_shelf: Shelf = SHIPPED) -> ModelDescription:
    """Return all of one model: its map, its sources, how far to trust it, and its vectors replayed.

    Raises:
        KeyError: there is no such model.
    """
    model = models_shelf.library.model(name)
    return {
        "name": model.name,
        "title": model.title,
        "file": models_shelf.files.get(name),
        "replaces_shipped": models_shelf.replaces(name),
        "sources": [
            {"title": source.title, "kind": source.kind, "version": source.version, "page": source.page}
            for source in model.sources
        ],
        "kind": model.kind,
        "grade": model.evidence.grade,
        "line": str(model.line) if model.line else None,
        "line_grade": model.line_grade,
        "note": model.note,
        "limits": _limits(model),
        "registers": [_register(register, model.evidence.of(register.name)) for register in model.registers],
        "vectors": _vector_rows(model),
    }


def is_right(model: ModelDescription) -> bool:
    """Return whether every vector of a described model decodes to its stated values."""
    return not any(vector["differences"] for vector in model["vectors"])


def own_models(site: Path) -> list[ModelDescription]:
    """Return the site's own models without a mistake, described; for `check`."""
    models_shelf = _shelf(_site_models(site))
    return [describe(name, models_shelf) for name in models_shelf.files]


def listing_text(rows: Sequence[ModelRow]) -> str:
    """Return the listing for people, by kind of device, one line a model; then what the grades mean."""
    lines: list[str] = []
    for kind in sorted({row["kind"] for row in rows}):
        lines += ["", kind or "other"] if lines else [kind or "other"]
        lines += [_row_text(row) for row in rows if row["kind"] == kind]
    used_grades = sorted({row["grade"] for row in rows})
    lines += ["", "; ".join(f"{grade}: {GRADES[grade]}" for grade in used_grades)]
    return plain_text.lines(lines)


def _row_text(row: ModelRow) -> str:
    origin = f"  ({_origin_text(row)})" if row["file"] else ""
    return f"  {row['grade']}  {row['name']:<26} {row['line'] or '':<10} {row['title']}{origin}"


def models_table(rows: Sequence[ModelRow]) -> str:
    """Return the listing as the table of docs/models.md."""
    lines = [
        "| model | what | kind | registers | line as delivered | evidence |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row['name']}` | {row['title']} | {row['kind']} | {row['registers']} | "
        f"{row['line'] or 'see manual'} | {row['grade']} |"
        for row in sorted(rows, key=lambda row: (row["kind"], row["name"]))
    ]
    return "\n".join(lines)


def own_text(model: ModelDescription) -> str:
    """Return one line about a model of the site's own."""
    return f"model {model['name']}: {_origin_text(model)}; {replayed_text(model)}"


def model_text(model: ModelDescription) -> str:
    """Return one model for people: its sources, its registers, then the result of its vectors."""
    lines = [f"{model['name']}: {model['title']}"]
    if model["file"]:
        lines.append(_origin_text(model))
    if model["line"]:
        lines.append(f"line: {model['line']} (evidence {model['line_grade']}: {GRADES[model['line_grade']]})")
    lines.append(f"evidence {model['grade']}: {GRADES[model['grade']]}")
    lines += [f"source: {_source_text(source)}" for source in model["sources"]]
    if model["grade"] not in TRUSTED:
        lines.append("the maker's manual was not seen: compare a value with the display before you trust it")
    if model["note"]:
        lines.append(model["note"])
    lines += [f"limit: {limit}" for limit in model["limits"]]
    for register in model["registers"]:
        extra = "  ".join(
            f"{key} {register[key]}"
            for key in ("order", "encoding", "scale", *_SCALE, "enum", "invalid")
            if key in register
        )
        lines.append(
            f"{register['grade']} {register['table']:<8} {register['address']:>5}  {register['type']:<8} "
            f"{register['name']:<24} {register['unit']:<6} {extra}".rstrip()
        )
    for number, vector in enumerate(model["vectors"], 1):
        count = len(vector["values"])
        values = f"{count} value{'s' if count != 1 else ''}"
        lines.append(f"vector {number}: {values}, {_origin_of(vector)}")
        lines += [f"  wrong: {difference}" for difference in vector["differences"]]
    return plain_text.lines([*lines, "", *_block(model), "", replayed_text(model)])


def _origin_of(vector: VectorResult) -> str:
    if vector["source"]:
        return vector["source"]
    return f"made up from what {vector['facts']} says" if vector["facts"] else "made up from the map"


def _block(model: ModelDescription) -> list[str]:
    """Return the lines for site.toml, to copy."""
    return [
        "for site.toml:" + (f'  (the bus: line = "{model["line"]}")' if model["line"] else ""),
        "[[bus.NAME.sensor]]",
        'name = "…"',
        "address = 1",
        f'model = "{model["name"]}"',
        'every = "10s"',
    ]


def _source_text(source: SourceRow) -> str:
    return ", ".join(filter(None, (source["title"], source["version"], source["page"])))


def replayed_text(model: ModelDescription) -> str:
    """Return the result of a described model's vectors, in a few words."""
    vectors = model["vectors"]
    if not vectors:
        return "no vectors: nothing proves this map but a look at the display"
    wrong_numbers = [str(number) for number, vector in enumerate(vectors, 1) if vector["differences"]]
    replayed = f"{len(vectors)} vector{'s' if len(vectors) != 1 else ''} replayed"
    if not wrong_numbers:
        return f"{replayed}: all right"
    claim = "it says" if len(wrong_numbers) == 1 else "they say"
    return f"{replayed}: number {' and '.join(wrong_numbers)} not as {claim}"


def _origin_text(model: ModelOrigin) -> str:
    if model["replaces_shipped"]:
        return f"{model['file']}, instead of the one that ships with the bridge"
    return f"{model['file']}, the site's own"


def _vector_rows(model: Model) -> list[VectorResult]:
    return [
        {
            "source": vector.source or None,
            "facts": vector.facts or None,
            "request": vector.request.hex(" "),
            "reply": vector.reply.hex(" "),
            "values": vector.values,
            "differences": vector.differences(model.registers),
        }
        for vector in model.vectors
    ]


def _limits(model: Model) -> list[str]:
    """Return what the device does not allow although the specification does."""
    limits, usual = model.limits, Limits()
    maxima = {
        "registers": (limits.max_registers, usual.max_registers),
        "bits": (limits.max_bits, usual.max_bits),
    }
    sentences = [
        f"at most {model_limit} {noun} in a read"
        for noun, (model_limit, usual_limit) in maxima.items()
        if model_limit != usual_limit
    ]
    if limits.min_registers != usual.min_registers:
        sentences.append(f"at least {limits.min_registers} registers in a read")
    if model.gap_s:
        sentences.append(f"{1000 * model.gap_s:g} ms of rest between a reply and the next request")
    forbidden_spans = sorted(f"{table.plural} {span} are never read" for table, span in limits.forbidden)
    return sentences + forbidden_spans


def _register(register: Register, grade: str) -> RegisterRow:
    row: RegisterRow = {
        "name": register.name,
        "table": register.table.key,
        "address": register.start,
        "type": register.type,
        "unit": register.unit,
        "grade": grade,
    }
    if register.scale is not None:
        row["scale"] = f"{register.scale[0].key} {register.scale[1]}"
    if register.encoding is not None:
        row["encoding"] = register.encoding
    if register.order != _PLAIN_ORDER:
        row["order"] = register.order
    default = Register(name="", table=register.table, start=0)
    for key in _SCALE:
        if getattr(register, key) != getattr(default, key):
            row[key] = getattr(register, key)
    if register.enum:
        row["enum"] = dict(register.enum)
    if register.invalid:
        row["invalid"] = sorted(register.invalid)
    return row
