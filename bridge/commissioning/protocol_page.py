"""`protocols NAME`: what an installer must know of one protocol, from its entry in the catalogue."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from protocols import Protocol

_WIDTH = 100
_MANNER = {True: "are asked", False: "speak unasked", None: "are asked or not, as declared"}


def page(entry: Protocol) -> dict[str, Any]:
    """The protocol, its line, who talks first, and the keys that its sensors have in site.toml."""
    required = entry.schema.get("required", ())
    return {
        "name": entry.name,
        "title": entry.title,
        "spec": entry.spec,
        "line": str(entry.line) if entry.line else None,
        "asked": None if entry.declared_by else entry.listener is None,
        "reply_timeout_s": None if entry.listener else entry.reply_timeout_s,
        "models": list(entry.models()),
        "keys": {
            key: {
                "required": key in required,
                "description": schema.get("description", ""),
                "examples": schema.get("examples", []),
                "choices": list(dict.fromkeys(_choices(schema))),
            }
            for key, schema in entry.schema["properties"].items()
        },
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
    for key, told in found["keys"].items():
        need = "required" if told["required"] else "optional"
        example = f"; for example {told['examples'][0]!r}" if told["examples"] else ""
        lines.append(f"{key} ({need}): {told['description'].rstrip('.')}{example}")
        lines += textwrap.wrap(
            ", ".join(told["choices"]), _WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    return "\n".join(lines)


def _choices(schema: object) -> Iterator[str]:
    """The names that a key, or each item of its list, may have."""
    if not isinstance(schema, Mapping):
        return
    yield from map(str, schema.get("enum", ()))
    yield from _choices(schema.get("items"))
    for way in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _choices(way)
