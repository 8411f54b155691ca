"""[bus.NAME.frame] in site.toml, the frame that a sensor sends: every key, every mistake.

sync = "42 4D"                                   what it begins with; ?? stands for any octet
length = 32                                      octets, or where they are told and what is not counted there:
length = { at = 2, type = "uint16", add = 4 }
checksum = { name = "sum16", from = 0 }          or "sum16", or "none"
end = "0D 0A"                                    what it ends with, if it does
order = "big"
fields = { … }
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.declared.declaration import Declaration, Length, Pattern, misplaced
from protocols.declared.field_keys import FIELDS_SCHEMA, parse_fields
from protocols.declared.octets import (
    LONGEST,
    NONE,
    ORDER_SCHEMA,
    checksum_schema,
    octets,
    octets_schema,
    order_of,
    parse_check,
)
from protocols.declared.types import Order, type_of
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import is_whole, misspelt, shown, unknown_keys

_LONGEST_SYNC: Final = 32
_USUAL_LONGEST: Final = 256
_LEAST_WITHOUT_CHECKSUM: Final = 2  # fixed octets: fewer, and noise becomes readings
_LENGTH_TYPES: Final = ("uint8", "uint16")

FRAME_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "the frame that a sensor sends",
    "properties": {
        "sync": octets_schema(r"\?\?") | {"description": "what it begins with; ?? stands for any octet"},
        "length": {
            "description": "octets of the frame, or where it tells them",
            "anyOf": [
                {"type": "integer", "minimum": 2, "maximum": LONGEST},
                {
                    "type": "object",
                    "properties": {
                        "at": {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": _LONGEST_SYNC,
                            "description": "the octet in which it is told, from 0",
                        },
                        "type": {
                            "enum": list(_LENGTH_TYPES),
                            "default": "uint8",
                            "description": "how it is written",
                        },
                        "order": ORDER_SCHEMA,
                        "add": {
                            "type": "integer",
                            "minimum": -LONGEST,
                            "maximum": LONGEST,
                            "default": 0,
                            "description": "octets that the number told does not count",
                        },
                        "max": {
                            "type": "integer",
                            "minimum": 2,
                            "maximum": LONGEST,
                            "default": _USUAL_LONGEST,
                            "description": "octets of the longest frame",
                        },
                    },
                    "required": ["at"],
                    "additionalProperties": False,
                },
            ],
        },
        "checksum": checksum_schema(placed=True),
        "end": octets_schema("(?!)") | {"description": "what it ends with"},
        "order": {**ORDER_SCHEMA, "default": "big"},
        "fields": FIELDS_SCHEMA,
    },
    "required": ["sync", "length", "checksum", "fields"],
    "additionalProperties": False,
}
_KEYS: Final = tuple(FRAME_SCHEMA["properties"])
_LENGTH_KEYS: Final = ("at", "type", "order", "add", "max")


def parse_frame(table: object, at: Path, problems: list[Problem]) -> Declaration | None:
    """Return the frame that a table declares, or None; add its mistakes to `problems`."""
    if not isinstance(table, Mapping):
        problems.append((at, f"is not a table, write [bus.NAME.{at[-1]}], below it what its sensors send"))
        return None
    before = len(problems)
    problems += unknown_keys(table, _KEYS, at)
    misspelt_keys = misspelt(table, _KEYS)
    missing_keys = {
        key: text for key, text in _MISSING.items() if key not in table and key not in misspelt_keys
    }
    problems += [((*at, key), f"is missing: {text}") for key, text in missing_keys.items()]
    order = order_of(table, "big", at, problems)
    sync = _sync(table, at, problems)
    length, longest = _length(table, order, at, problems)
    end = _end(table, at, problems)
    check = None
    if "checksum" in table:
        check = parse_check(table["checksum"], order, (*at, "checksum"), problems, end=len(end))
    begin = max(len(sync), length.at + length.type.size if isinstance(length, Length) else 0)
    fields = parse_fields(table.get("fields", {}), order, begin, (*at, "fields"), problems)
    if len(problems) > before or misspelt_keys:
        return None
    if all(field.is_id for field in fields):
        problems.append(((*at, "fields"), "there is no value among them yet"))
    fixed = sum(octet is not None for octet in sync) + len(end)
    if check is None and fixed < _LEAST_WITHOUT_CHECKSUM:
        text = "without one, `sync` and `end` need two octets or more, or noise becomes readings"
        problems.append(((*at, "checksum"), text))
    declaration = Declaration(sync, length, longest, check, end, fields)
    problems += [((*at, *path), message) for path, message in misplaced(declaration)]
    return None if len(problems) > before else declaration


_MISSING: Final = {
    "sync": 'the octets that each frame begins with, for example sync = "42 4D"',
    "length": "octets of the whole frame, for example length = 32, or where it tells them: "
    'length = { at = 2, type = "uint16", add = 4 }',
    "checksum": f'for example checksum = "sum16"; if there really is none, checksum = "{NONE}"',
    "fields": 'what stands in it, for example fields.pm2_5 = { at = 12, type = "uint16" }',
}


def _sync(table: Mapping[str, object], at: Path, problems: list[Problem]) -> Pattern:
    sync = octets(table.get("sync"), wild="??")
    if sync is not None and len(sync) <= _LONGEST_SYNC and sync[-1] is not None:
        return sync
    if "sync" in table:
        text = (
            f"{shown(table['sync'])} is not what a frame begins with, write 1 to {_LONGEST_SYNC} octets in "
            'hexadecimal digits, "42 4D", ?? for one that varies before its last'
        )
        problems.append(((*at, "sync"), text))
    return (0,)


def _end(table: Mapping[str, object], at: Path, problems: list[Problem]) -> bytes:
    if "end" not in table:
        return b""
    end = octets(table["end"], wild="")
    if end is None or len(end) > _LONGEST_SYNC:
        text = f'{shown(table["end"])} is not what a frame ends with, write for example end = "0D 0A"'
        problems.append(((*at, "end"), text))
        return b""
    return bytes(octet or 0 for octet in end)


def _length(
    table: Mapping[str, object], order: Order, at: Path, problems: list[Problem]
) -> tuple[int | Length, int]:
    """Return the length, and the octets of the longest frame."""
    entry, at = table.get("length", 2), (*at, "length")
    if is_whole(entry, 2, LONGEST):
        return entry, entry
    if not isinstance(entry, Mapping):
        text = f'is not a length, use 2–{LONGEST} octets, or where it is told: {{ at = 2, type = "uint16" }}'
        problems.append((at, f"{shown(entry)} {text}"))
        return 2, 2
    problems += unknown_keys(entry, _LENGTH_KEYS, at)
    for key, least, most in (("at", 0, _LONGEST_SYNC), ("add", -LONGEST, LONGEST), ("max", 2, LONGEST)):
        if key in entry and not is_whole(entry[key], least, most):
            problems.append(((*at, key), f"{shown(entry[key])} is out of range, use {least} to {most}"))
    if "at" not in entry and "at" not in misspelt(entry, _LENGTH_KEYS):
        problems.append(((*at, "at"), "is missing: the octet in which the length is told, from 0"))
    name = entry.get("type", _LENGTH_TYPES[0])
    kind = type_of(name, order_of(entry, order, at, problems)) if name in _LENGTH_TYPES else None
    if kind is None:
        problems.append(((*at, "type"), f"{shown(name)} tells no length, use {' or '.join(_LENGTH_TYPES)}"))
        return 2, 2
    if any(path[: len(at)] == at for path, _ in problems):
        return 2, 2
    return Length(entry["at"], kind, entry.get("add", 0)), entry.get("max", _USUAL_LONGEST)
