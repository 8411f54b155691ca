"""`protocols NAME`: what an installer must know about one protocol, from its entry in the catalogue."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from bridge import plain_text
from bridge.commands.protocols.listing import is_polled
from protocols.toolkit.protocol import CatalogueEntry, PolledProtocol

_WIDTH = 100
_PHASES = ("_l1", "_l2", "_l3"), ("_a", "_b", "_c")
_MANNER = {True: "are polled", False: "push", None: "are polled or push, as declared"}


class KeyRow(TypedDict):
    """A key of site.toml."""

    required: bool
    description: str
    examples: list[object]
    choices: list[str]  # the values that it may have; empty if they cannot be listed


class ProtocolPage(TypedDict):
    """The document of `protocols NAME --json`."""

    name: str
    title: str
    spec: str
    line: str | None  # the line settings where a site names none
    asked: bool | None  # its sensors are polled; None: each bus declares that
    reply_timeout_s: float | None  # None if they are not
    models: list[str]
    keys: dict[str, KeyRow]  # of a sensor
    bus_keys: dict[str, KeyRow]


def page(entry: CatalogueEntry) -> ProtocolPage:
    """Return the protocol, its line, who talks first, and the keys of its sensors and of their bus.

    The bus's keys are listed with those of the tables below them: "frame.length.add".
    """
    return {
        "name": entry.name,
        "title": entry.title,
        "spec": entry.spec,
        "line": str(entry.line) if entry.line else None,
        "asked": is_polled(entry),
        "reply_timeout_s": entry.reply_timeout_s if isinstance(entry, PolledProtocol) else None,
        "models": list(entry.model_names),
        "keys": {key: _key(entry.schema, key) for key in entry.schema["properties"]},
        "bus_keys": dict(_keys_below(entry.bus_schema)),
    }


def page_text(document: ProtocolPage) -> str:
    """Return the page for the person at the cabinet."""
    manner = f"its sensors {_MANNER[document['asked']]}"
    line = (
        f'line = "{document["line"]}" unless the site says otherwise'
        if document["line"]
        else "line: see the manual"
    )
    lines = [f"{document['name']}: {document['title']}", f"  {document['spec']}", f"  {manner}; {line}", ""]
    if not document["keys"]:
        lines.append("its sensors need no keys of their own")
    lines += _key_lines(document["keys"])
    if document["bus_keys"]:
        lines += ["", "its bus, [bus.NAME]:", *_key_lines(document["bus_keys"])]
    return plain_text.lines(lines)


def _key(schema: Mapping[str, Any], key: str) -> KeyRow:
    """Return the row of one key of a table with this schema."""
    rule = schema["properties"][key]
    return {
        "required": key in schema.get("required", ()),
        "description": rule.get("description", ""),
        "examples": rule.get("examples", []),
        "choices": list(dict.fromkeys(_choices(rule))),
    }


def _keys_below(
    schema: Mapping[str, Any], above: str = "", listed_choices: Sequence[str] = ()
) -> Iterator[tuple[str, KeyRow]]:
    """Yield the row of each key of a table and of the tables below it.

    Args:
        above: the path of the table, with a dot at its end.
        listed_choices: the choices in the row of the key above, which are not repeated.
    """
    for key in schema.get("properties", ()):
        row, below = _key(schema, key), schema["properties"][key]
        names = row["choices"]
        if set(names) <= set(listed_choices):
            row["choices"] = []
        yield above + key, row
        for variant in (below, *below.get("anyOf", ())):
            yield from _keys_below(variant, f"{above}{key}.", names)
            if isinstance(inner := variant.get("additionalProperties"), Mapping):
                yield from _keys_below(inner, f"{above}{key}.NAME.", names)


def _key_lines(keys: Mapping[str, KeyRow]) -> Iterator[str]:
    for key, row in keys.items():
        need = "required" if row["required"] else "optional"
        example = f"; for example {row['examples'][0]!r}" if row["examples"] else ""
        yield f"{key} ({need}): {row['description'].rstrip('.')}{example}"
        names = ", ".join(_folded_names(row["choices"]))
        yield from textwrap.wrap(
            names, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )


def _folded_names(names: Sequence[str]) -> Iterator[str]:
    """Yield the names, those of three phases in one: power[_a _b _c]; without a total: voltage_a/_b/_c."""
    all_names, folded_names = set(names), set[str]()
    for name in names:
        stem = name[:-3] if name.endswith("_l1") else name[:-2] if name.endswith("_a") else name
        for phases in _PHASES:
            if all_names.issuperset(stem + phase for phase in phases):
                if stem not in folded_names:
                    yield stem + (f"[{' '.join(phases)}]" if stem in all_names else "/".join(phases))
                folded_names |= {stem, *(stem + phase for phase in phases)}
        if name not in folded_names:
            yield name


def _choices(schema: object) -> Iterator[str]:
    """Yield the values that a key, or each item of its list, may have."""
    if not isinstance(schema, Mapping):
        return
    yield from map(str, schema.get("enum", ()))
    yield from _choices(schema.get("items"))
    for variant in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _choices(variant)
