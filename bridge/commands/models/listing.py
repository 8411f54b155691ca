"""What `models` and `models NAME` show: register maps, their sources, and the vectors that prove them.

The maps are those that ship with the bridge and those in the folder `models` beside a site file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from bridge.commands.models.documents import (
    ModelDescription,
    ModelRow,
    RegisterRow,
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
SCALE_KEYS: Final = ("multiply", "divide", "offset", "bit", "mask", "min", "max")


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
    for key in SCALE_KEYS:
        if getattr(register, key) != getattr(default, key):
            row[key] = getattr(register, key)
    if register.enum:
        row["enum"] = dict(register.enum)
    if register.invalid:
        row["invalid"] = sorted(register.invalid)
    return row
