"""The keys of a Modbus sensor in site.toml, and the settings that they make.

    address = 1
    model = "eastron-sdm630"

`registers` stand instead of a model, or with it: they add to its own or replace them. So do the keys of
`limits`, which bind the model's registers too: those that lie in a forbidden range are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from protocols.modbus.limit_keys import LIMITS_SCHEMA, beyond_limits, parse_limits, without_forbidden
from protocols.modbus.models import SHIPPED, Library, Model
from protocols.modbus.models.evidence import LEAST
from protocols.modbus.plan import Limits
from protocols.modbus.register_keys import REGISTERS_SCHEMA, datasheet_numbers, parse_registers
from protocols.modbus.registers import Register
from protocols.modbus.serial_line import BROADCAST, UNITS
from protocols.modbus.sunspec.choice import MODELS_SCHEMA, SunSpecChoice, parse_choice
from protocols.modbus.sunspec.choice import NAME as SUNSPEC
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import close_words, is_whole, shown, unknown_keys


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """The settings of a sensor: its unit and the registers to read.

    Attributes:
        unit: address on the bus, 1–247; with `reserved_address` 0–255.
        registers: in the order of the model, then of site.toml; the names are unique.
        limits: the reads that the device does not support.
        gap_s: rest that its model needs between a reply and the next request, in seconds.
        sunspec: which SunSpec models of the device are read besides; None: it is not asked for any.
    """

    unit: int
    registers: tuple[Register, ...]
    limits: Limits
    gap_s: float = 0.0
    sunspec: SunSpecChoice | None = None

    @property
    def address(self) -> str:
        """Return the unit address as text."""
        return str(self.unit)

    @property
    def units(self) -> Mapping[str, str]:
        """Return the unit of each value that these settings bring, or ""."""
        units = {register.name: register.unit for register in self.registers}
        return self.sunspec.units_with(units) if self.sunspec else units


_LAST: Final = 255  # what one octet holds
_PROPERTIES: Final[Mapping[str, Any]] = {
    "address": {
        "type": "integer",
        "minimum": BROADCAST,
        "maximum": _LAST,
        "description": "unit address, 1–247; with reserved_address = true 0–255",
    },
    "reserved_address": {
        "type": "boolean",
        "description": "allow an address that is reserved (248–255), or that of broadcasts (0)",
    },
    "model": {
        "type": "string",
        "description": "a register map: one that ships with the bridge, or models/NAME.toml beside site.toml",
    },
    "models": MODELS_SCHEMA,
    "registers": REGISTERS_SCHEMA,
    "limits": LIMITS_SCHEMA,
}


def sensor_schema(library: Library) -> Mapping[str, Any]:
    """Return the JSON Schema of a sensor's own keys, with the models that it can name."""
    model = _PROPERTIES["model"] | {"enum": [*library.names(), SUNSPEC]}
    return {
        "properties": {**_PROPERTIES, "model": model},
        "required": ["address"],
        "anyOf": [{"required": ["model"]}, {"required": ["registers"]}],
    }


def parse_settings(table: Mapping[str, object], library: Library = SHIPPED) -> ModbusSettings:
    """Return the settings in a sensor's own keys.

    Args:
        table: the keys.
        library: the models that the sensor can name.

    Raises:
        SettingsError: every mistake.
    """
    problems = unknown_keys(table, _PROPERTIES)
    unit = _unit(table, problems)
    model = _model(table, library, problems)
    sunspec = parse_choice(table, problems)
    limits = model.limits if model else Limits()
    if "limits" in table:
        limits = parse_limits(table["limits"], ("limits",), problems, limits)
    inherited = without_forbidden(model.registers, limits) if model else ()
    own_registers = parse_registers(table.get("registers", {}), ("registers",), problems)
    registers = {register.name: register for register in (*inherited, *own_registers)}
    problems += beyond_limits(own_registers, limits)
    if beyond := [message for _, message in beyond_limits(_not_replaced(inherited, own_registers), limits)]:
        problems.append((("limits",), f"a register of {table.get('model')} {beyond[0]}"))
    elif model and not registers:
        problems.append((("limits",), f"they forbid every register of {model.name}: nothing is left to read"))
    if "model" not in table and not table.get("registers"):
        problems.append(((), 'needs a model ("serial-bridge models" lists them) or a table of registers'))
    if problems:
        raise SettingsError(problems)
    gap_s = model.gap_s if model else 0.0
    return ModbusSettings(unit, tuple(registers.values()), limits, gap_s, sunspec)


def _not_replaced(inherited: Iterable[Register], own_registers: Iterable[Register]) -> list[Register]:
    """Return the registers of a model that the sensor does not replace by its own."""
    replaced = {register.name for register in own_registers}
    return [register for register in inherited if register.name not in replaced]


def odd(table: Mapping[str, object], library: Library = SHIPPED) -> list[Problem]:
    """Return a problem for each of a sensor's own keys that is allowed but probably not meant."""
    registers, model_name = table.get("registers", {}), table.get("model")
    problems = datasheet_numbers(registers, ("registers",)) if isinstance(registers, Mapping) else []
    if isinstance(model_name, str) and model_name != SUNSPEC and "limits" in table:
        model = library.model(model_name)
        limits = parse_limits(table["limits"], (), [], model.limits)
        remaining = without_forbidden(model.registers, limits)
        names = [register.name for register in model.registers if register not in remaining]
        if names:
            text = f"{', '.join(names)} of {model.name} lie in a forbidden range: they are not read"
            problems.append((("limits", "forbidden"), text))
    if isinstance(model_name, str) and model_name != SUNSPEC and model_name not in library.own:
        problems += _weak_evidence(library.model(model_name))
    if table.get("reserved_address") is True and table["address"] in UNITS:
        problems.append((("reserved_address",), f"is not needed for {table['address']}: leave it out"))
    return problems


def _weak_evidence(model: Model) -> Iterator[Problem]:
    """Yield a problem if a model that ships rests on one source; what a site writes itself is its own."""
    if model.evidence.grade == LEAST:
        message = (
            f"{shown(model.name)} rests on one source: compare a value with the display of the device before "
            f"you trust it, its sources: serial-bridge models {model.name}"
        )
        yield ("model",), message


def _unit(table: Mapping[str, object], problems: list[Problem]) -> int:
    first, last = UNITS[0], UNITS[-1]
    unit = table.get("address")
    is_reserved = table.get("reserved_address", False)
    if not isinstance(is_reserved, bool):
        problems.append((("reserved_address",), f"{shown(is_reserved)} is neither true nor false"))
    if is_whole(unit, first, last) or (is_reserved is True and is_whole(unit, BROADCAST, _LAST)):
        assert isinstance(unit, int)
        return unit
    if unit is None:
        message = f"is missing: the sensor's Modbus unit address, {first}–{last}"
    elif is_whole(unit, BROADCAST, BROADCAST):
        message = (
            f"{BROADCAST} is for broadcasts, which no sensor answers, use {first}–{last}; if this one does "
            "and is alone on its line, write reserved_address = true beside it"
        )
    elif is_whole(unit, last + 1, _LAST):
        message = (
            f"{unit} is reserved, use {first}–{last}; if the sensor has it all the same, write "
            "reserved_address = true beside it"
        )
    elif isinstance(unit, str) and re.fullmatch("[0-9]{1,3}", unit) and first <= int(unit) <= last:
        message = f"{shown(unit)} is a text: write it without quotes, address = {int(unit)}"
    else:
        message = f"{shown(unit)} is not a Modbus unit address, use {first}–{last}"
    problems.append((("address",), message))
    return first


def _model(table: Mapping[str, object], library: Library, problems: list[Problem]) -> Model | None:
    name = table.get("model")
    if name is None or name == SUNSPEC:
        return None
    known_names = library.names()
    if name in known_names:
        return library.model(name)
    if close := close_words(str(name).lower(), known_names, 3, 0.4):
        hint = f"use {' or '.join(close)}"
    else:
        hint = f"use one that `serial-bridge models` lists: {', '.join(known_names[:3])} …"
    problems.append(
        (
            ("model",),
            f"{shown(name)} is not a model that ships with the bridge, nor a file in models/, {hint}",
        )
    )
    return None
