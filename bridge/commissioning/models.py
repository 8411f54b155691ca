"""What `models` and `models NAME` show: register maps, where they are from, and what proves them.

The maps are those that ship with the bridge and those in the folder `models` beside a site file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge import plain_text
from bridge.config import OwnModels
from bridge.errors import ConfigError
from protocols import protocol
from protocols.modbus import models
from protocols.modbus.models import Library, Model
from protocols.modbus.plan import Limits
from protocols.modbus.registers import ORDERS, Register

_PLAIN_ORDER = next(iter(ORDERS))
_SCALE = ("multiply", "divide", "offset", "bit", "mask", "min", "max")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models that a site can name.

    Attributes:
        library: the models.
        files: of the site's own, by name: the file.
    """

    library: Library = models.SHIPPED
    files: Mapping[str, str] = field(default_factory=dict)

    def replaces(self, name: str) -> bool:
        """Whether a model of the site's own is read instead of one that ships."""
        return name in self.files and name in models.names()


SHIPPED = Shelf()


def shelf(site: Path) -> Shelf:
    """The models of the site with this file, which need not be there.

    Raises:
        ConfigError: every mistake in its own.
    """
    own = _own(site)
    if own.mistakes:
        raise ConfigError(own.mistakes)
    return _shelf(own)


def _own(site: Path) -> OwnModels:
    """The site's own models, judged."""
    own = OwnModels(site)
    own.known_to(protocol("modbus-rtu"))
    return own


def _shelf(own: OwnModels) -> Shelf:
    """These models, without the wrong ones, and those that ship."""
    return Shelf(Library.of(own.tables), {name: own.place(name) for name in own.tables})


def listing(known: Shelf = SHIPPED) -> list[dict[str, Any]]:
    """One entry a model, sorted by name: what it is, how far to trust it, and whose it is."""
    return [
        {
            "name": model.name,
            "title": model.title,
            "line": str(model.line) if model.line else None,
            "confirmed": model.confirmed,
            "registers": len(model.registers),
            "vectors": len(model.vectors),
            "file": known.files.get(model.name),
            "replaces_shipped": known.replaces(model.name),
        }
        for model in map(known.library.model, known.library.names())
    ]


def describe(name: str, known: Shelf = SHIPPED) -> dict[str, Any]:
    """All of one model: its map, where it is from, how far it is to be trusted, and its vectors replayed.

    Raises:
        KeyError: no such model.
    """
    model = known.library.model(name)
    return {
        "name": model.name,
        "title": model.title,
        "file": known.files.get(name),
        "replaces_shipped": known.replaces(name),
        "sources": list(model.sources),
        "confirmed": model.confirmed,
        "line": str(model.line) if model.line else None,
        "line_confirmed": model.line_confirmed,
        "note": model.note,
        "limits": _limits(model),
        "registers": [_register(register) for register in model.registers],
        "vectors": _replayed(model),
    }


def is_right(model: Mapping[str, Any]) -> bool:
    """Whether every vector of a described model read what it says."""
    return not any(vector["differences"] for vector in model["vectors"])


def own_models(site: Path) -> list[dict[str, Any]]:
    """The site's own models without a mistake, described; for `check`."""
    known = _shelf(_own(site))
    return [describe(name, known) for name in known.files]


def listing_text(rows: list[dict[str, Any]]) -> str:
    """The listing for people, one line a model."""
    return plain_text.lines(
        f"{row['name']:<22} {row['registers']:>3} registers  {row['line'] or '':<9}  {row['title']}"
        + (f"  ({_whose(row)})" if row["file"] else "" if row["confirmed"] else "  (manual not seen)")
        for row in rows
    )


def readme_table(rows: list[dict[str, Any]]) -> str:
    """The listing as README's table."""
    lines = ["| model | what | registers | line as delivered |", "|---|---|---|---|"]
    lines += [
        f"| `{row['name']}` | {row['title']} | {row['registers']} | {row['line'] or 'see manual'} |"
        for row in rows
    ]
    return "\n".join(lines)


def own_text(model: Mapping[str, Any]) -> str:
    """One line on a model of the site's own."""
    return f"model {model['name']}: {_whose(model)}; {replayed_text(model)}"


def model_text(model: Mapping[str, Any]) -> str:
    """One model for people: where it is from, its registers, then what its vectors show."""
    lines = [f"{model['name']}: {model['title']}"]
    if model["file"]:
        lines.append(_whose(model))
    if model["line"]:
        lines.append(f"line: {model['line']}" + ("" if model["line_confirmed"] else " (look at the manual)"))
    lines += [f"source: {source}" for source in model["sources"]]
    if not model["confirmed"]:
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
            f"  {register['table']:<8} {register['address']:>5}  {register['type']:<8} "
            f"{register['name']:<24} {register['unit']:<6} {extra}".rstrip()
        )
    for number, vector in enumerate(model["vectors"], 1):
        count = len(vector["values"])
        values = f"{count} value{'s' if count != 1 else ''}"
        lines.append(f"vector {number}: {values}, {vector['source'] or 'made up from the map'}")
        lines += [f"  wrong: {difference}" for difference in vector["differences"]]
    return plain_text.lines([*lines, replayed_text(model)])


def replayed_text(model: Mapping[str, Any]) -> str:
    """What the vectors of a described model showed, in a few words."""
    vectors = model["vectors"]
    if not vectors:
        return "no vectors: nothing proves this map but a look at the display"
    wrong = [str(number) for number, vector in enumerate(vectors, 1) if vector["differences"]]
    replayed = f"{len(vectors)} vector{'s' if len(vectors) != 1 else ''} replayed"
    if not wrong:
        return f"{replayed}: all right"
    return f"{replayed}: number {' and '.join(wrong)} not as {'it says' if len(wrong) == 1 else 'they say'}"


def _whose(model: Mapping[str, Any]) -> str:
    if model["replaces_shipped"]:
        return f"{model['file']}, instead of the one that ships with the bridge"
    return f"{model['file']}, the site's own"


def _replayed(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "source": vector.source or None,
            "request": vector.request.hex(" "),
            "reply": vector.reply.hex(" "),
            "values": vector.values,
            "differences": vector.differences(model.registers),
        }
        for vector in model.vectors
    ]


def _limits(model: Model) -> list[str]:
    """What the device does not stand, beyond the specification."""
    limits, free = model.limits, Limits()
    most = {"registers": (limits.max_registers, free.max_registers), "bits": (limits.max_bits, free.max_bits)}
    found = [f"at most {ours} {what} in a read" for what, (ours, theirs) in most.items() if ours != theirs]
    if limits.min_registers != free.min_registers:
        found.append(f"at least {limits.min_registers} registers in a read")
    if model.gap_s:
        found.append(f"{1000 * model.gap_s:g} ms of rest between a reply and the next request")
    touched = sorted(f"{table.plural} {span} are never read" for table, span in limits.forbidden)
    return found + touched


def _register(register: Register) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": register.name,
        "table": register.table.key,
        "address": register.start,
        "type": register.type,
        "unit": register.unit,
    }
    if register.scale is not None:
        shown["scale"] = f"{register.scale[0].key} {register.scale[1]}"
    if register.encoding is not None:
        shown["encoding"] = register.encoding
    if register.order != _PLAIN_ORDER:
        shown["order"] = register.order
    plain = Register(name="", table=register.table, start=0)
    shown |= {key: getattr(register, key) for key in _SCALE if getattr(register, key) != getattr(plain, key)}
    if register.enum:
        shown["enum"] = dict(register.enum)
    if register.invalid:
        shown["invalid"] = sorted(register.invalid)
    return shown
