"""`protocols NAME`: what an installer must know of one protocol, from its entry in the catalogue."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge import plain_text
from protocols import Protocol

_WIDTH = 100
_PHASES = ("_l1", "_l2", "_l3"), ("_a", "_b", "_c")
_MANNER = {True: "are asked", False: "speak unasked", None: "are asked or not, as declared"}


def page(entry: Protocol) -> dict[str, Any]:
    """The protocol, its line, who talks first, and the keys of its sensors and of their bus in site.toml.

    Those of the bus are told with the keys of the tables that they are: "frame.length.add".
    """
    return {
        "name": entry.name,
        "title": entry.title,
        "spec": entry.spec,
        "line": str(entry.line) if entry.line else None,
        "asked": None if entry.declared_by else entry.listener is None,
        "reply_timeout_s": None if entry.listener else entry.reply_timeout_s,
        "models": list(entry.models()),
        "keys": {key: _key(entry.schema, key) for key in entry.schema["properties"]},
        "bus_keys": dict(_keys_below(entry.bus_schema)),
    }


def page_text(found: Mapping[str, Any]) -> str:
    """The page for the person at the cabinet."""
    manner = f"its sensors {_MANNER[found['asked']]}"
    line = (
        f'line = "{found["line"]}" unless the site says otherwise'
        if found["line"]
        else "line: see the manual"
    )
    lines = [f"{found['name']}: {found['title']}", f"  {found['spec']}", f"  {manner}; {line}", ""]
    if not found["keys"]:
        lines.append("its sensors need no keys of their own")
    lines += _key_lines(found["keys"])
    if found["bus_keys"]:
        lines += ["", "its bus, [bus.NAME]:", *_key_lines(found["bus_keys"])]
    return plain_text.lines(lines)


def _key(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    """One key of a table with this schema."""
    told = schema["properties"][key]
    return {
        "required": key in schema.get("required", ()),
        "description": told.get("description", ""),
        "examples": told.get("examples", []),
        "choices": list(dict.fromkeys(_choices(told))),
    }


def _keys_below(
    schema: Mapping[str, Any], above: str = "", known: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """All keys of a table and of the tables below it; choices that the key above told (`known`) but once."""
    for key in schema.get("properties", ()):
        told, below = _key(schema, key), schema["properties"][key]
        names = told["choices"]
        if set(names) <= set(known):
            told["choices"] = []
        yield above + key, told
        for way in (below, *below.get("anyOf", ())):
            yield from _keys_below(way, f"{above}{key}.", names)
            if isinstance(named := way.get("additionalProperties"), Mapping):
                yield from _keys_below(named, f"{above}{key}.NAME.", names)


def _key_lines(keys: Mapping[str, Any]) -> Iterator[str]:
    for key, told in keys.items():
        need = "required" if told["required"] else "optional"
        example = f"; for example {told['examples'][0]!r}" if told["examples"] else ""
        yield f"{key} ({need}): {told['description'].rstrip('.')}{example}"
        names = ", ".join(_folded(told["choices"]))
        yield from textwrap.wrap(
            names, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )


def _folded(names: Sequence[str]) -> Iterator[str]:
    """The names, those of three phases in one: power[_a _b _c]; without a total: voltage_a/_b/_c."""
    known, folded = set(names), set[str]()
    for name in names:
        stem = name[:-3] if name.endswith("_l1") else name[:-2] if name.endswith("_a") else name
        for phases in _PHASES:
            if known.issuperset(stem + phase for phase in phases):
                if stem not in folded:
                    yield stem + (f"[{' '.join(phases)}]" if stem in known else "/".join(phases))
                folded |= {stem, *(stem + phase for phase in phases)}
        if name not in folded:
            yield name


def _choices(schema: object) -> Iterator[str]:
    """The names that a key, or each item of its list, may have."""
    if not isinstance(schema, Mapping):
        return
    yield from map(str, schema.get("enum", ()))
    yield from _choices(schema.get("items"))
    for way in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _choices(way)
