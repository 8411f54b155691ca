"""What a Modbus sensor says of itself in site.toml.

    address = 1
    model = "eastron-sdm630"

`registers` stand instead of a model, or with it: they add to its own or replace them. So do `limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from protocols.errors import SettingsError
from protocols.modbus import models
from protocols.modbus.limit_keys import LIMITS_SCHEMA, parse_limits
from protocols.modbus.plan import Limits, Span
from protocols.modbus.register_keys import (
    REGISTERS_SCHEMA,
    Problem,
    is_whole,
    parse_registers,
    shown,
    unknown_key,
)
from protocols.modbus.registers import Register
from protocols.modbus.serial_line import BROADCAST, UNITS


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """A sensor: the unit it is, and what is read from it.

    Attributes:
        unit: address on the bus, 1–247.
        registers: in the order of the model, then of site.toml; the names are unique.
        limits: what the device does not stand.
    """

    unit: int
    registers: tuple[Register, ...]
    limits: Limits


SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "address": {
            "type": "integer",
            "minimum": UNITS[0],
            "maximum": UNITS[-1],
            "description": "unit address",
        },
        "model": {
            "type": "string",
            "enum": models.names(),
            "description": "a register map that ships with the bridge",
        },
        "registers": REGISTERS_SCHEMA,
        "limits": LIMITS_SCHEMA,
    },
    "required": ["address"],
    "anyOf": [{"required": ["model"]}, {"required": ["registers"]}],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])


def parse_settings(table: Mapping[str, Any]) -> ModbusSettings:
    """A sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems: list[Problem] = [((key,), unknown_key(key, _KEYS)) for key in table if key not in _KEYS]
    unit = _unit(table, problems)
    model = _model(table, problems)
    registers = {register.name: register for register in model.registers} if model else {}
    own = parse_registers(table.get("registers", {}), ("registers",), problems)
    registers |= {register.name: register for register in own}
    limits = model.limits if model else Limits()
    if "limits" in table:
        limits = parse_limits(table["limits"], ("limits",), problems)
    problems += _beyond_limits(own, limits)
    if "model" not in table and not table.get("registers"):
        problems.append(((), 'needs a model ("serial-bridge models" lists them) or a table of registers'))
    if problems:
        raise SettingsError(problems)
    return ModbusSettings(unit, tuple(registers.values()), limits)


def _unit(table: Mapping[str, Any], problems: list[Problem]) -> int:
    least, most = UNITS[0], UNITS[-1]
    unit = table.get("address")
    if is_whole(unit, least, most):
        assert isinstance(unit, int)
        return unit
    if unit is None:
        message = f"is missing: the sensor's Modbus unit address, {least}–{most}"
    elif is_whole(unit, BROADCAST, BROADCAST):
        message = f"{BROADCAST} is for broadcasts, which no sensor answers, use {least}–{most}"
    elif is_whole(unit, most + 1, 255):
        message = f"{unit} is reserved, use {least}–{most}"
    else:
        message = f"{shown(unit)} is not a Modbus unit address, use {least}–{most}"
    problems.append((("address",), message))
    return least


def _model(table: Mapping[str, Any], problems: list[Problem]) -> models.Model | None:
    name = table.get("model")
    if name is None:
        return None
    known = models.names()
    if name in known:
        return models.load(name)
    close = get_close_matches(str(name).lower(), known, 3, 0.4) or known
    problems.append(
        (("model",), f"{shown(name)} is no model that ships with the bridge, use {' or '.join(close)}")
    )
    return None


def _beyond_limits(registers: tuple[Register, ...], limits: Limits) -> list[Problem]:
    """Registers that no read could bring."""
    found: list[Problem] = []
    for register in registers:
        at = ("registers", register.name)
        span = Span(register.start, register.end)
        if register.words > limits.quantity(register.table):
            found.append(
                (at, f"takes {register.words} registers, limits allow {limits.max_registers} in a read")
            )
        for table, forbidden in limits.forbidden:
            if table is register.table and span.overlaps(forbidden):
                found.append((at, f"{table.plural} {span} touch the forbidden {forbidden}"))
    return found
