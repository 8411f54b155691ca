"""How else a register could be read: the values it would have with another order, type or address. Pure.

The four usual mistakes with a register, each a change of one key in site.toml:

    order     two words, or the two octets of each, stand the other way round
    type      signed for unsigned, a float for a whole number
    address   the manual counts from 1: the value stands one register lower; or it was corrected twice
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from protocols.modbus.registers import ORDERS, TYPES, Register, Table, octets_of
from protocols.toolkit.polling import Value
from protocols.toolkit.scaling import Missing

_OTHER_TYPES: Final = {
    "uint16": ("int16",),
    "int16": ("uint16",),
    "uint32": ("int32", "float32"),
    "int32": ("float32", "uint32"),
    "float32": ("uint32", "int32"),
    "uint64": ("int64", "float64"),
    "int64": ("float64", "uint64"),
    "float64": ("uint64", "int64"),
}


class Content(NamedTuple):
    """What a reply says that a table holds from an address on."""

    table: Table
    start: int
    quantity: int
    data: bytes


def other_readings(register: Register, replies: Sequence[Content]) -> Iterator[tuple[str, Value]]:
    """Yield each change in site.toml with the value it would give; the most usual mistake first.

    Args:
        register: one number of a poll.
        replies: what was read with it.
    """
    if register.table.of_bits or register.type not in TYPES or register.scale is not None:
        return
    for change, other in _others(register):
        octets = _octets(other, replies)
        value = Missing.NO_VALUE if octets is None else other.value(octets)
        if not isinstance(value, Missing):
            yield change, value


def _others(register: Register) -> Iterator[tuple[str, Register]]:
    orders = ORDERS if register.words > 1 else ("ABCD", "BADC")
    for order in orders:
        if order != register.order:
            yield f'order = "{order}"', replace(register, order=order)
    for kind in _OTHER_TYPES.get(register.type, ()):
        yield f'type = "{kind}"', replace(register, type=kind)
    for start in (register.start - 1, register.start + 1):
        if start >= 0:
            yield f"{register.table.key} = {start}", replace(register, start=start)


def _octets(register: Register, replies: Sequence[Content]) -> bytes | None:
    """Return the octets of a register, if some read covers it, wanted or not."""
    for content in replies:
        is_inside = content.start <= register.start and register.end <= content.start + content.quantity
        if content.table is register.table and is_inside:
            return octets_of(register.table, content.data, register.start - content.start, register.words)
    return None
