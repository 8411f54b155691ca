"""What the commands `models` and `models NAME` show: the register maps that ship with the bridge."""

from __future__ import annotations

from typing import Any

from protocols.modbus import models
from protocols.modbus.registers import ORDERS, Register

_PLAIN_ORDER = next(iter(ORDERS))


def listing() -> list[dict[str, Any]]:
    """One entry a model, sorted by name: name, title, line, confirmed, how many registers."""
    return [
        {
            "name": model.name,
            "title": model.title,
            "line": str(model.line) if model.line else None,
            "confirmed": model.confirmed,
            "registers": len(model.registers),
        }
        for model in map(models.load, models.names())
    ]


def describe(name: str) -> dict[str, Any]:
    """All of one model: its map, where it is from, and how far it is to be trusted.

    Raises:
        KeyError: no such model.
    """
    model = models.load(name)
    return {
        "name": model.name,
        "title": model.title,
        "sources": list(model.sources),
        "confirmed": model.confirmed,
        "line": str(model.line) if model.line else None,
        "line_confirmed": model.line_confirmed,
        "note": model.note,
        "registers": [_register(register) for register in model.registers],
    }


def listing_text(rows: list[dict[str, Any]]) -> str:
    """The listing for people, one line a model."""
    return "\n".join(
        f"{row['name']:<22} {row['registers']:>3} registers  {row['line'] or '':<9}  {row['title']}"
        + ("" if row["confirmed"] else "  (manual not seen)")
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


def model_text(model: dict[str, Any]) -> str:
    """One model for people: where it is from, then its registers."""
    lines = [f"{model['name']}: {model['title']}"]
    if model["line"]:
        lines.append(f"line: {model['line']}" + ("" if model["line_confirmed"] else " (look at the manual)"))
    lines += [f"source: {source}" for source in model["sources"]]
    if not model["confirmed"]:
        lines.append("the maker's manual was not seen: compare a value with the display before you trust it")
    if model["note"]:
        lines.append(model["note"])
    for register in model["registers"]:
        extra = "  ".join(
            f"{key} {register[key]}"
            for key in ("order", "multiply", "divide", "offset", "enum")
            if key in register
        )
        lines.append(
            f"  {register['table']:<8} {register['address']:>5}  {register['type']:<8} "
            f"{register['name']:<24} {register['unit']:<6} {extra}".rstrip()
        )
    return "\n".join(lines)


def _register(register: Register) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": register.name,
        "table": register.table.key,
        "address": register.start,
        "type": register.type,
        "unit": register.unit,
    }
    if register.order != _PLAIN_ORDER:
        shown["order"] = register.order
    for key in ("multiply", "divide"):
        if getattr(register, key) != 1:
            shown[key] = getattr(register, key)
    if register.offset:
        shown["offset"] = register.offset
    if register.enum:
        shown["enum"] = dict(register.enum)
    return shown
