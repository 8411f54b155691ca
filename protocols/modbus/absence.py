"""Why a poll gave no value for a register: the reason in words, for whoever looks for the value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from protocols.modbus.knowledge import Place
from protocols.modbus.payload import Fetch, octets_of_span, places_of
from protocols.modbus.plan import Span
from protocols.modbus.registers import Register
from protocols.toolkit.polling import NOT_A_NUMBER, Values
from protocols.toolkit.scaling import Missing

_FLOATS: Final = ("float32", "float64")
_BEGINS = "7fc00000 ffc00000 7f800000 ff800000 7fffffff ffffffff 7ff80000 fff80000 7ff00000 fff00000"
_NO_NUMBER: Final = tuple(map(bytes.fromhex, _BEGINS.split()))
"""How a float begins by which a device says on purpose that there is no number: NaN, infinity, all ones."""
NOT_ASKED: Final = "not asked for in this poll"


def absences(
    registers: Sequence[Register],
    values: Values,
    replies: Sequence[tuple[Fetch, bytes]],
    failures: Mapping[Place, str],
) -> dict[str, str]:
    """Return the keys of a sensor that a poll gave no value for, each with the reason.

    Args:
        registers: of the sensor.
        values: what the poll gave.
        replies: what was read, with the data of each reply.
        failures: what was refused or left unanswered, with the reason.
    """
    return {
        register.name: _reason(register, replies, failures)
        for register in registers
        if register.name not in values
    }


def _reason(register: Register, replies: Sequence[tuple[Fetch, bytes]], failures: Mapping[Place, str]) -> str:
    for table, span in places_of(register):
        if octets_of_span(replies, table, span) is None:
            return failures.get((table, span), NOT_ASKED)
    octets = octets_of_span(replies, register.table, Span(register.start, register.end))
    assert octets is not None, "each of its places was read"
    if register.scale is not None:
        table, start = register.scale
        factor = octets_of_span(replies, table, Span(start, start + 1)) or b""
        scaled = register.scaled_by(factor)
        if scaled is None:
            return f"its scale is not implemented (raw {factor.hex().upper()})"
        register = scaled
    value = replace(register, min=None, max=None).value(octets)
    if value is Missing.NO_VALUE and register.type in _FLOATS and not octets.startswith(_NO_NUMBER):
        return f"{NOT_A_NUMBER} (raw {octets.hex().upper()})"
    if isinstance(value, (Missing, str)):
        return f"the device has none (raw {octets.hex().upper()})"
    if register.min is not None and value < register.min:
        return f"{value:g} is below min = {register.min:g}"
    return f"{value:g} is above max = {register.max:g}"
