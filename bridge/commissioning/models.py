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
