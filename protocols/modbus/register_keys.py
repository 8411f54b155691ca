"""The table of registers, in site.toml and in a model file: every key, every mistake.

    temperature = { holding = 0, type = "int16", divide = 10, unit = "°C" }

The keys, their rules and their JSON Schema are told by the same facts, `KEYS` and the tables of `registers`.
A problem names the place, what stood there, the rule, and what to write instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from protocols.modbus import pdu
from protocols.modbus.registers import ORDERS, TYPES, Register, Table

Path = tuple[str | int, ...]
Problem = tuple[Path, str]

LONGEST_STRING: Final = 2 * pdu.MAX_REGISTERS
TABLES: Final = {table.key: table for table in Table}
_MODICON: Final = {table.digit: table for table in Table}


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a register: what it may hold, in words and in JSON Schema."""

    schema: Mapping[str, Any]
    rule: str
    holds: Callable[[Any], bool]


def is_number(value: object) -> bool:
    """A TOML number that is finite; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, least: int, most: int) -> bool:
    """A TOML integer from `least` to `most`; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(description: str, *, zero: bool = True) -> _Key:
    rule = "is not a number" if zero else "is not a number other than 0"
    schema = {"type": "number", "description": description} | ({} if zero else {"not": {"const": 0}})
    return _Key(schema, f"{rule}, write for example 10 or 0.1", lambda v: is_number(v) and (zero or v != 0))


def _is_enum(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(_enum_number(key) is not None and isinstance(text, str) for key, text in value.items())
    )


def _enum_number(key: str) -> int | None:
    try:
        return int(key, 0)
    except ValueError:
        return None


def _is_invalid(value: object) -> bool:
    return all(is_number(v) for v in value) if isinstance(value, list) else is_number(value)


_ADDRESS = _Key(
    {"type": "integer", "minimum": 0, "maximum": 65535},
    "is not a register address, use 0–65535, counted from 0 (or `modicon` for the 3xxxx/4xxxx notation)",
    lambda v: is_whole(v, 0, 65535),
)
KEYS: Final[Mapping[str, _Key]] = {
    **dict.fromkeys(TABLES, _ADDRESS),
    "modicon": _Key(
        {
            "type": ["integer", "string"],
            "description": "the datasheet's notation: 0xxxx coil, 1xxxx discrete, 3xxxx input, 4xxxx holding",
        },
        'is no address of 5 or 6 digits that begins with 0, 1, 3 or 4; write 30012, 400001 or "00012"',
        lambda v: modicon(v) is not None,
    ),
    "type": _Key(
        {
            "type": "string",
            "anyOf": [{"enum": list(TYPES)}, {"pattern": r"^string:[0-9]{1,3}$"}],
            "default": "uint16",
        },
        f"is no type, use one of {' '.join(TYPES)} or string:N (N = 1–{LONGEST_STRING} characters)",
        lambda v: isinstance(v, str) and (v in TYPES or _string_length(v) is not None),
    ),
    "order": _Key(
        {"type": "string", "enum": list(ORDERS), "default": "ABCD"},
        f"is no order, use one of {' '.join(ORDERS)} (ABCD: high word first, high byte first)",
        lambda v: isinstance(v, str) and v in ORDERS,
    ),
    "divide": _number("value = raw ÷ divide", zero=False),
    "multiply": _number("value = raw × multiply", zero=False),
    "offset": _number("added after scaling"),
    "bit": _Key(
        {"type": "integer", "minimum": 0, "maximum": 63, "description": "takes one bit, 0 is the lowest"},
        "is no bit, use 0 (the lowest) to 15, or more for longer types",
        lambda v: is_whole(v, 0, 63),
    ),
    "mask": _Key(
        {"type": "integer", "minimum": 1, "description": "takes these bits, shifted down to bit 0"},
        "is no mask, write the bits to keep, for example 0x00FF",
        lambda v: is_whole(v, 1, 2**64 - 1),
    ),
    "enum": _Key(
        {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"pattern": "^-?(0[xX][0-9a-fA-F]+|[0-9]+)$"},
            "description": "number → text",
        },
        'is no enum, write numbers and their texts: { 0 = "off", 1 = "on" }',
        _is_enum,
    ),
    "invalid": _Key(
        {
            "anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}],
            "description": "raw values that mean: no value",
        },
        "is no raw value or list of them, write for example 0x8000 or [0x7FFF, 0xFFFF]",
        _is_invalid,
    ),
    "min": _number("a value below is left out and counted"),
    "max": _number("a value above is left out and counted"),
    "unit": _Key({"type": "string"}, 'is not text, write for example "°C"', lambda v: isinstance(v, str)),
}

REGISTERS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "key of the value → where it stands and what it means",
    "additionalProperties": {
        "type": "object",
        "properties": {name: dict(key.schema) for name, key in KEYS.items()},
        "additionalProperties": False,
        "oneOf": [{"required": [place]} for place in (*TABLES, "modicon")],
    },
}


def modicon(reference: object) -> tuple[Table, int] | None:
    """Table and PDU address of a datasheet's reference: 40001 or "400001" is the first holding register.

    A number below 10000 is a coil: its leading 0 cannot be written in TOML.
    """
    if isinstance(reference, int) and not isinstance(reference, bool) and reference > 0:
        reference = f"{reference:05d}"
    if not isinstance(reference, str) or not re.fullmatch("[0134][0-9]{4,5}", reference):
        return None
    number = int(reference[1:])
    return (_MODICON[reference[0]], number - 1) if 1 <= number <= 65536 else None


def parse_registers(table: object, at: Path, problems: list[Problem]) -> tuple[Register, ...]:
    """The registers of a table, in its order; what is wrong with it is added to `problems`."""
    if not isinstance(table, Mapping):
        problems.append((at, "is not a table of registers, write for example voltage = { input = 0 }"))
        return ()
    found = (_parse(name, entry, (*at, name), problems) for name, entry in table.items())
    return tuple(register for register in found if register is not None)


def unknown_key(key: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """What to say about a key that nobody knows."""
    close = get_close_matches(key, known, 1)
    return f"is no key here, did you mean {close[0]}?" if close else f"is no key here, use {', '.join(known)}"


def misspelt(table: Mapping[str, Any], known: tuple[str, ...]) -> set[str]:
    """The known keys that are probably meant by unknown ones; what lacks them is told already."""
    return {close for key in table if key not in known for close in get_close_matches(key, known, 1)}


def _parse(name: str, entry: object, at: Path, problems: list[Problem]) -> Register | None:
    if not isinstance(entry, Mapping):
        problems.append((at, f"{entry!r} is not a register, write for example {{ holding = 0 }}"))
        return None
    before = len(problems)
    for key, value in entry.items():
        if key not in KEYS:
            problems.append(((*at, key), unknown_key(key, KEYS)))
        elif not KEYS[key].holds(value):
            problems.append(((*at, key), f"{shown(value)} {KEYS[key].rule}"))
    places = [key for key in (*TABLES, "modicon") if key in entry]
    if len(places) != 1:
        got = f"got {' and '.join(places)}" if places else "got none"
        problems.append((at, f"needs exactly one of {', '.join(TABLES)}, modicon; {got}"))
    if len(problems) > before:
        return None
    register = _register(name, entry, places[0])
    problems += [((*at, key), message) for key, message in _contradictions(register, entry)]
    return None if len(problems) > before else register


def _register(name: str, entry: Mapping[str, Any], place: str) -> Register:
    table, start = TABLES.get(place), entry[place]
    if table is None:
        found = modicon(entry["modicon"])
        assert found is not None
        table, start = found
    kind = "bit" if table.of_bits else str(entry.get("type", "uint16"))
    characters = _string_length(kind)
    invalid = entry.get("invalid", [])
    return Register(
        name=name,
        table=table,
        start=start,
        type=kind,
        words=(characters + 1) // 2 if characters else TYPES[kind].words if kind in TYPES else 1,
        enum={_enum_number(key) or 0: text for key, text in entry.get("enum", {}).items()},
        invalid=frozenset(invalid if isinstance(invalid, list) else [invalid]),
        **{key: entry[key] for key in _PLAIN if key in entry},
    )


_PLAIN: Final = ("order", "divide", "multiply", "offset", "bit", "mask", "min", "max", "unit")


def _contradictions(register: Register, entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys that are each right and do not go together, or not with the type."""
    found: list[tuple[str, str]] = []
    kind = register.type
    shown = register.table.plural if register.table.of_bits else kind
    known = TYPES.get(kind)
    if register.table.of_bits:
        meaningless = set(entry) - {register.table.key, "modicon", "enum", "unit"}
    elif known is None:
        meaningless = set(entry) & {
            "divide",
            "multiply",
            "offset",
            "bit",
            "mask",
            "enum",
            "invalid",
            "min",
            "max",
        }
    elif not known.is_integer:
        meaningless = set(entry) & {"bit", "mask", "enum"}
    else:
        meaningless = set()
    found += [(key, f"means nothing for {shown}, leave it out") for key in entry if key in meaningless]
    if kind.startswith("string") and register.order not in ("ABCD", "BADC"):
        found.append(("order", f"{register.order} is no order of text, use ABCD or BADC"))
    if known and register.bit is not None and register.bit >= 16 * known.words:
        found.append(("bit", f"{register.bit} is beyond {kind}, use 0–{16 * known.words - 1}"))
    if known and register.mask is not None and register.mask >> 16 * known.words:
        found.append(("mask", f"0x{register.mask:X} is wider than {kind}"))
    for one, others in _EXCLUDE.items():
        found += [
            (key, f"does not go with {one}, keep one of the two")
            for key in others
            if {one, key} <= set(entry)
        ]
    if register.min is not None and register.max is not None and register.min > register.max:
        found.append(("min", f"{register.min} is above max = {register.max}, swap them"))
    if register.end > 0x10000:
        found.append((entry_place(entry), f"{shown} at {register.start} ends beyond address 65535"))
    return found


_EXCLUDE: Final = {
    "bit": ("mask", "divide", "multiply", "offset", "min", "max"),
    "enum": ("divide", "multiply", "offset", "min", "max"),
}


def entry_place(entry: Mapping[str, Any]) -> str:
    """The key of a register that says where it stands."""
    return next(key for key in (*TABLES, "modicon") if key in entry)


def _string_length(kind: str) -> int | None:
    match = re.fullmatch("string:([0-9]{1,3})", kind)
    return int(match[1]) if match and 1 <= int(match[1]) <= LONGEST_STRING else None


def shown(value: object) -> str:
    """A value as it stands in the file."""
    return f'"{value}"' if isinstance(value, str) else str(value)
