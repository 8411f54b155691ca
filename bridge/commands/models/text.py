"""What `models` and `models NAME` say to people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bridge import plain_text
from bridge.commands.models.documents import ModelDescription, ModelOrigin, ModelRow, SourceRow, VectorResult
from bridge.commands.models.listing import SCALE_KEYS
from bridge.commands.terminal.next_step import command
from protocols.modbus.models.evidence import GRADES

_TRUSTED: Final = "AB"  # grades for which a person looked at more than other programs


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


def model_text(model: ModelDescription) -> str:
    """Return one model for people: its sources, its registers, then the result of its vectors."""
    lines = [f"{model['name']}: {model['title']}"]
    if model["file"]:
        lines.append(_origin_text(model))
    if model["line"]:
        lines.append(f"line: {model['line']} (evidence {model['line_grade']}: {GRADES[model['line_grade']]})")
    lines.append(f"evidence {model['grade']}: {GRADES[model['grade']]}")
    lines += [f"source: {_source_text(source)}" for source in model["sources"]]
    if model["grade"] not in _TRUSTED:
        lines.append("the maker's manual was not seen: compare a value with the display before you trust it")
    if model["note"]:
        lines.append(model["note"])
    lines += [f"limit: {limit}" for limit in model["limits"]]
    for register in model["registers"]:
        extra = "  ".join(
            f"{key} {register[key]}"
            for key in ("order", "encoding", "scale", *SCALE_KEYS, "enum", "invalid")
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


def own_text(model: ModelDescription) -> str:
    """Return one line about a model of the site's own."""
    return f"model {model['name']}: {_origin_text(model)}; {replayed_text(model)}"


def disproved(model: ModelDescription, site: Path) -> str:
    """Return the warning about a model whose vectors give other values than they say; "" if none does."""
    if not any(vector["differences"] for vector in model["vectors"]):
        return ""
    step = command(f"serial-bridge models {model['name']}", site)
    return f"{model['file']}: {replayed_text(model)}, so its values may be wrong: compare them with {step}"


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


def _source_text(source: SourceRow) -> str:
    return ", ".join(filter(None, (source["title"], source["version"], source["page"])))


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
