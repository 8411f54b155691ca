"""The table of registers, in site.toml and in a model file: every key, every mistake.

    temperature = { holding = 0, type = "int16", divide = 10, unit = "°C" }

The keys, their rules and their JSON Schema come from the same tables: `KEYS` and those of `registers`. The
keys for the meaning of a number are shared by all protocols: `protocols.toolkit.scaling_keys`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from protocols.modbus import pdu
from protocols.modbus.foreign_words import foreign_words, says_place
from protocols.modbus.registers import ORDERS, TYPES, Register, Table
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import Key, fault, is_whole, shown, unknown_key
from protocols.toolkit.scaling import ENCODINGS
from protocols.toolkit.scaling_keys import MEANING_KEYS, OF_INTEGERS, OF_NUMBERS, contradictions, meaning_of

LONGEST_STRING: Final = 2 * pdu.MAX_REGISTERS
TABLES: Final = {table.key: table for table in Table}
_MODICON: Final = {table.digit: table for table in Table}

_ADDRESS = Key(
    {"type": "integer", "minimum": 0, "maximum": 65535},
    "is not a register address, use 0–65535, counted from 0 (or `modicon` for the 3xxxx/4xxxx notation)",
    lambda v: is_whole(v, 0, 65535),
)
_PLACES: Final[Mapping[str, Key]] = {
    **dict.fromkeys(TABLES, _ADDRESS),
    "modicon": Key(
        {
            "type": ["integer", "string"],
            "description": "the datasheet's notation: 0xxxx coil, 1xxxx discrete, 3xxxx input, 4xxxx holding",
        },
        'is not an address of 5 or 6 digits that begins with 0, 1, 3 or 4; write 30012, 400001 or "00012"',
        lambda v: modicon(v) is not None,
    ),
}
_OF_SCALES: Final = ("holding", "input", "modicon")
KEYS: Final[Mapping[str, Key]] = {
    **_PLACES,
    "type": Key(
        {
            "type": "string",
            "anyOf": [{"enum": list(TYPES)}, {"pattern": r"^string:[0-9]{1,3}$"}],
            "default": "uint16",
        },
        f"is not a type, use one of {' '.join(TYPES)} or string:N (N = 1–{LONGEST_STRING} characters)",
        lambda v: isinstance(v, str) and (v in TYPES or _string_length(v) is not None),
    ),
    "order": Key(
        {"type": "string", "enum": list(ORDERS), "default": "ABCD"},
        f"is not an order, use one of {' '.join(ORDERS)} (ABCD: high word first, high byte first)",
        lambda v: isinstance(v, str) and v in ORDERS,
    ),
    "encoding": Key(
        {"type": "string", "enum": list(ENCODINGS), "description": "of a string; default: utf-8 or latin-1"},
        f"is not an encoding, use one of {' '.join(ENCODINGS)}",
        lambda v: isinstance(v, str) and v in ENCODINGS,
    ),
    "scale": Key(
        {
            "type": "object",
            "description": "the register that holds the power of ten by which the value is multiplied",
            "properties": {place: dict(_PLACES[place].schema) for place in _OF_SCALES},
            "additionalProperties": False,
            "oneOf": [{"required": [place]} for place in _OF_SCALES],
        },
        "is not a register that holds a power of ten, write for example { holding = 5 }",
        lambda v: scale_place(v) is not None,
    ),
    **MEANING_KEYS,
}

REGISTERS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "key of the value → where it stands and what it means",
    "propertyNames": {"pattern": r"\S"},
    "additionalProperties": {
        "type": "object",
        "properties": {name: dict(key.schema) for name, key in KEYS.items()},
        "additionalProperties": False,
        "oneOf": [{"required": [place]} for place in (*TABLES, "modicon")],
    },
}


def modicon(reference: object) -> tuple[Table, int] | None:
    """Return the table and PDU address of a datasheet's reference; None if it is none.

    40001 or "400001" is the first holding register.
    A number below 10000 is a coil: its leading 0 cannot be written in TOML.
    """
    if isinstance(reference, int) and not isinstance(reference, bool) and reference > 0:
        reference = f"{reference:05d}"
    if not isinstance(reference, str) or not re.fullmatch("[0134][0-9]{4,5}", reference):
        return None
    number = int(reference[1:])
    return (_MODICON[reference[0]], number - 1) if 1 <= number <= 65536 else None


def scale_place(value: object) -> tuple[Table, int] | None:
    """Return the table and address of a scale register; None if the value names none."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((key, number),) = value.items()
    if key == "modicon":
        place = modicon(number)
        return place if place and not place[0].of_bits else None
    is_register = key in _OF_SCALES and _PLACES[key].holds(number)
    return (TABLES[key], number) if is_register else None


def parse_registers(table: object, at: Path, problems: list[Problem]) -> tuple[Register, ...]:
    """Return the registers of a table, in its order; every mistake in it is added to `problems`."""
    if not isinstance(table, Mapping):
        problems.append((at, "is not a table of registers, write for example voltage = { input = 0 }"))
        return ()
    registers = (_parse(name, entry, (*at, name), problems) for name, entry in table.items())
    return tuple(register for register in registers if register is not None)


def datasheet_numbers(table: Mapping[str, Mapping[str, Any]], at: Path) -> list[Problem]:
    """Return a problem for each address that is probably in the datasheet's notation.

    The table has no mistakes.
    """
    return [
        ((*at, name, place.key), f"{number} looks like the datasheet's number: write modicon = {number}")
        for name, entry in table.items()
        for place in (Table.INPUT, Table.HOLDING)
        if (number := entry.get(place.key)) and 1 <= number - 10000 * int(place.digit) < 10000
    ]


def _parse(name: str, entry: object, at: Path, problems: list[Problem]) -> Register | None:
    if not isinstance(entry, Mapping):
        problems.append((at, f"{shown(entry)} is not a register, write for example {{ holding = 0 }}"))
        return None
    before = len(problems)
    advice = foreign_words(entry, KEYS)
    for key, value in entry.items():
        if key in advice:
            problems.append(((*at, key), advice[key]))
        elif key not in KEYS:
            problems.append(((*at, key), unknown_key(key, KEYS)))
        elif not KEYS[key].holds(value):
            problems.append(((*at, key), fault(value, KEYS[key])))
    places = [key for key in (*TABLES, "modicon") if key in entry]
    if len(places) != 1 and (places or not says_place(entry)):
        actual = f"got {' and '.join(places)}" if places else "got none"
        problems.append((at, f"needs exactly one of {', '.join(TABLES)}, modicon; {actual}"))
    if len(problems) > before:
        return None
    register = _register(name, entry, places[0])
    problems += [((*at, key), message) for key, message in _contradictions(register, entry)]
    return None if len(problems) > before else register


def _register(name: str, entry: Mapping[str, Any], place: str) -> Register:
    table, start = TABLES.get(place), entry[place]
    if table is None:
        place_of_reference = modicon(entry["modicon"])
        assert place_of_reference is not None
        table, start = place_of_reference
    kind = "bit" if table.of_bits else str(entry.get("type", "uint16"))
    characters = _string_length(kind)
    encoding = entry.get("encoding")
    size = ENCODINGS[encoding or "utf-8"][1]
    return Register(
        name=name,
        table=table,
        start=start,
        type=kind,
        words=(characters * size + 1) // 2 if characters else TYPES[kind].words if kind in TYPES else 1,
        order=entry.get("order", "ABCD"),
        encoding=encoding,
        scale=scale_place(entry.get("scale")),
        **meaning_of(entry),
    )


def _contradictions(register: Register, entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the keys that contradict each other or the type, each with a message."""
    problems: list[tuple[str, str]] = []
    kind = register.type
    kind_text = register.table.plural if register.table.of_bits else kind
    number_type = TYPES.get(kind)
    if register.table.of_bits:
        meaningless = set(entry) - {register.table.key, "modicon", "enum", "unit"}
    elif number_type is None:
        meaningless = set(entry) & {*OF_NUMBERS, "scale"}
    elif not number_type.is_integer:
        meaningless = set(entry) & {*OF_INTEGERS, "encoding"}
    else:
        meaningless = set(entry) & {"encoding"}
    problems += [(key, f"means nothing for {kind_text}, leave it out") for key in entry if key in meaningless]
    if kind.startswith("string") and register.order not in ("ABCD", "BADC"):
        problems.append(("order", f"{register.order} is not an order of text, use ABCD or BADC"))
    problems += contradictions(entry, kind, 8 * number_type.octets if number_type else None)
    problems += [
        ("scale", f"does not go with {key}, keep one of the two")
        for key in ("bit", "enum")
        if key in entry and "scale" in entry
    ]
    if number_type is None and register.words > pdu.MAX_REGISTERS:
        problems.append(
            (
                "type",
                f"{kind} in utf-16 takes {register.words} registers, a read brings {pdu.MAX_REGISTERS}",
            )
        )
    if register.end > 0x10000:
        problems.append((entry_place(entry), f"{kind_text} at {register.start} ends beyond address 65535"))
    return problems


def entry_place(entry: Mapping[str, Any]) -> str:
    """Return the key that gives the place of a register: a table, or modicon."""
    return next(key for key in (*TABLES, "modicon") if key in entry)


def _string_length(kind: str) -> int | None:
    match = re.fullmatch("string:([0-9]{1,3})", kind)
    return int(match[1]) if match and 1 <= int(match[1]) <= LONGEST_STRING else None
