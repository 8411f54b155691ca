"""The table of limits, in site.toml and in a model file: every key, every mistake.

limits = { max_registers = 60, forbidden = { holding = [[10, 19]] } }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from protocols.modbus import pdu
from protocols.modbus.plan import Limits, Span
from protocols.modbus.register_keys import TABLES
from protocols.modbus.registers import Register, Table
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import is_whole, shown, unknown_key

_MOST: Final = {
    "max_registers": pdu.MAX_REGISTERS,
    "max_bits": pdu.MAX_BITS,
    "min_registers": pdu.MAX_REGISTERS,
}
_RANGE: Final = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": 65535},
    "minItems": 2,
    "maxItems": 2,
}
LIMITS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "what the device does not stand",
    "properties": {
        **{key: {"type": "integer", "minimum": 1, "maximum": maximum} for key, maximum in _MOST.items()},
        "forbidden": {
            "type": "object",
            "description": "[first, last] addresses that no read may touch",
            "properties": {key: {"type": "array", "items": _RANGE} for key in TABLES},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def parse_limits(table: object, at: Path, problems: list[Problem], base: Limits | None = None) -> Limits:
    """Return the limits of a device; every mistake in them is added to `problems`.

    Args:
        table: the table of limits, as TOML has it.
        at: the path of the table, for messages.
        problems: takes the mistakes.
        base: the limits of its model; each key in the table replaces the model's.
    """
    limits = base or Limits()
    counts: dict[str, Any] = {}  # the fields of `Limits` that are a number
    if not isinstance(table, Mapping):
        problems.append((at, "is not a table of limits, write for example { max_registers = 60 }"))
        return limits
    for key, value in table.items():
        if key in _MOST:
            if is_whole(value, 1, _MOST[key]):
                counts[key] = value
            else:
                problems.append(((*at, key), f"{shown(value)} is not allowed, use 1–{_MOST[key]}"))
        elif key == "forbidden" and not isinstance(value, Mapping):
            text = f"{shown(value)} is not a table of ranges, write for example {{ holding = [[10, 19]] }}"
            problems.append(((*at, key), text))
        elif key == "forbidden":
            forbidden = frozenset(_forbidden(value, (*at, key), problems))
            limits = replace(limits, forbidden=forbidden)
        else:
            problems.append(((*at, key), unknown_key(key, tuple(LIMITS_SCHEMA["properties"]))))
    limits = replace(limits, **counts)
    if limits.min_registers > limits.max_registers:
        text = (
            f"{limits.min_registers} is above max_registers = {limits.max_registers}: no read could be made"
        )
        problems.append(((*at, "min_registers"), text))
    return limits


def without_forbidden(registers: Iterable[Register], limits: Limits) -> tuple[Register, ...]:
    """Return the registers of a model that no forbidden range of the limits touches."""
    return tuple(
        register
        for register in registers
        if not any(
            table is where and span.overlaps(forbidden)
            for table, span in _places(register)
            for where, forbidden in limits.forbidden
        )
    )


def beyond_limits(registers: Iterable[Register], limits: Limits) -> list[Problem]:
    """Return a problem for each register that no read within the limits could bring."""
    problems: list[Problem] = []
    for register in registers:
        at = ("registers", register.name)
        if register.words > limits.quantity(register.table):
            problems.append(
                (at, f"takes {register.words} registers, limits allow {limits.max_registers} in a read")
            )
        for where, forbidden in limits.forbidden:
            for table, span in _places(register):
                if table is where and span.overlaps(forbidden):
                    problems.append((at, f"{table.plural} {span} touch the forbidden {forbidden}"))
    return problems


def _places(register: Register) -> list[tuple[Table, Span]]:
    """Return the place of a register, and that of its scale register if it has one."""
    scale = [(register.scale[0], Span(register.scale[1], register.scale[1] + 1))] if register.scale else []
    return [(register.table, Span(register.start, register.end)), *scale]


def _forbidden(table: Mapping[str, object], at: Path, problems: list[Problem]) -> set[tuple[Table, Span]]:
    forbidden = set()
    for key, ranges in table.items():
        if key not in TABLES:
            problems.append(((*at, key), unknown_key(key, TABLES)))
            continue
        for number, pair in enumerate(ranges if isinstance(ranges, list) else [ranges]):
            if _is_range(pair):
                forbidden.add((TABLES[key], Span(pair[0], pair[1] + 1)))
            else:
                problems.append(
                    (
                        (*at, key, number),
                        f"{pair} is not a range, write [[first, last]], for example [[10, 19]]",
                    )
                )
    return forbidden


def _is_range(pair: object) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(is_whole(address, 0, 65535) for address in pair)
        and pair[0] <= pair[1]
    )
