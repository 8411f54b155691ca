"""The fields of a declared frame in site.toml: every key, every mistake.

pm2_5 = { at = 12, type = "uint16", unit = "µg/m³" }

`type` and `at` say where a number stands, the other keys what it means: as for a Modbus register.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from protocols.declared.declaration import Field
from protocols.declared.octets import LONGEST, ORDER_RULE, ORDER_SCHEMA, order_of
from protocols.declared.types import LONGEST_STRING, ORDERS, TYPES, Kind, Order, Type, type_of
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import Key, is_whole, shown, unknown_key
from protocols.toolkit.scaling import Meaning
from protocols.toolkit.scaling_keys import MEANING_KEYS, OF_INTEGERS, OF_NUMBERS, contradictions, meaning_of

_OWN: Final[Mapping[str, Key]] = {
    "at": Key(
        {
            "type": "integer",
            "minimum": -LONGEST,
            "maximum": LONGEST - 1,
            "description": "first octet, from 0; negative: from the end. Default: behind the field before",
        },
        "is not a place in a frame, count octets from 0, or from the end: -1 is the last",
        lambda v: is_whole(v, -LONGEST, LONGEST - 1),
    ),
    "type": Key(
        {
            "type": "string",
            "anyOf": [{"enum": list(TYPES)}, {"pattern": r"^string:[0-9]{1,2}$"}],
            "default": "uint8",
            "description": "how its octets are written; string:N is a text of N octets",
        },
        f"is not a type, use one of {' '.join(TYPES)} or string:N (N = 1–{LONGEST_STRING} octets)",
        lambda v: type_of(v) is not None,
    ),
    "order": Key(ORDER_SCHEMA, ORDER_RULE, lambda v: v in ORDERS),
    "id": Key(
        {"type": "boolean", "default": False, "description": "names the sensor, and is no value"},
        "is neither true nor false",
        lambda v: isinstance(v, bool),
    ),
}
KEYS: Final[Mapping[str, Key]] = {**_OWN, **MEANING_KEYS}
_OF_IDS: Final = (Kind.UNSIGNED, Kind.DIGITS, Kind.TEXT)

FIELDS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "name of the value → where it stands and what it means",
    "propertyNames": {"pattern": r"\S"},
    "additionalProperties": {
        "type": "object",
        "properties": {name: dict(key.schema) for name, key in KEYS.items()},
        "additionalProperties": False,
    },
}


def parse_fields(
    table: object, order: Order, begin: int, at: Path, problems: list[Problem]
) -> tuple[Field, ...]:
    """Return the fields, in the order of the file; add their mistakes to `problems`.

    Args:
        order: the order of octets in a field without the key `order`.
        begin: the place of the first field, if it has no key `at`.
    """
    if not isinstance(table, Mapping):
        problems.append(
            (at, 'is not a table of fields, write for example pm2_5 = { at = 12, type = "uint16" }')
        )
        return ()
    fields: list[Field] = []
    for name, entry in table.items():
        if not name.strip():
            problems.append(((*at, name), "is not a name: write the name that its value has"))
            continue
        field = _parse(name, entry, order, begin, (*at, name), problems)
        if field is None:
            continue
        if field.at < 0 <= field.at + field.type.size and "at" not in entry:
            problems.append(((*at, name), "there is no room behind the field before, write where it stands"))
            continue
        if field.is_id and any(earlier.is_id for earlier in fields):
            problems.append(((*at, name, "id"), "another field is the id, a sensor has one"))
        fields.append(field)
        begin = field.at + field.type.size
    return tuple(fields)


def _parse(
    name: str, entry: object, order: Order, begin: int, at: Path, problems: list[Problem]
) -> Field | None:
    if not isinstance(entry, Mapping):
        problems.append(
            (at, f'{shown(entry)} is not a field, write for example {{ at = 12, type = "uint16" }}')
        )
        return None
    before = len(problems)
    for key, value in entry.items():
        if key not in KEYS:
            problems.append(((*at, key), unknown_key(key, KEYS)))
        elif not KEYS[key].holds(value):
            problems.append(((*at, key), f"{shown(value)} {KEYS[key].rule}"))
    if len(problems) > before:
        return None
    kind = type_of(entry.get("type", "uint8"), order_of(entry, order, at, problems))
    assert kind is not None
    problems += [((*at, key), message) for key, message in _contradictions(entry, kind)]
    if len(problems) > before:
        return None
    is_id = entry.get("id", False)
    return Field(name, entry.get("at", begin), kind, Meaning(**meaning_of(entry)), is_id)


def _contradictions(entry: Mapping[str, Any], kind: Type) -> Iterator[tuple[str, str]]:
    """Yield each key that is right by itself but contradicts another key or the type, with the reason."""
    if "offset" in entry and "at" not in entry:
        yield "offset", "is added to the value; where the field stands is `at`: write that too"
    if entry.get("id"):
        if kind.kind not in _OF_IDS:
            yield "type", f"{kind.name} names no sensor, an id is a uint, bcd or string"
        for key in MEANING_KEYS:
            if key in entry:
                yield key, "means nothing for an id, leave it out"
        return
    meaningless = OF_NUMBERS if kind.kind is Kind.TEXT else OF_INTEGERS if kind.bits is None else frozenset()
    for key in entry:
        if key in meaningless or (key == "order" and kind.kind is Kind.TEXT):
            yield key, f"means nothing for {kind.name}, leave it out"
    yield from contradictions(entry, kind.name, kind.bits)
    if kind.bits is not None and "enum" in entry:
        yield from _unreachable_numbers(entry, kind, kind.bits)


def _unreachable_numbers(entry: Mapping[str, Any], kind: Type, bits: int) -> Iterator[tuple[str, str]]:
    """Yield each enum number that no frame can carry, with the reason."""
    least, most, place = 0, (1 << bits) - 1, kind.name
    if "bit" in entry:
        most, place = 1, f"bit {entry['bit']}"
    elif "mask" in entry:
        mask = entry["mask"]
        most, place = mask // (mask & -mask), f"mask 0x{mask:X}, which is shifted down to bit 0"
    elif kind.kind is Kind.SIGNED:
        least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    for number in meaning_of(entry)["enum"]:
        if not least <= number <= most:
            yield "enum", f"{number} never stands in {place}, use {least}–{most}"
