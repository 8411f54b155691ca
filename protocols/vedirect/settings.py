"""The keys of a VE.Direct HEX device in site.toml. It has no address: a line has one device.

values = ["charger_voltage", "panel_power"]    # by their names here, or …

[bus.solar.sensor.registers]                   # … as its manual's table gives them
load_power = { register = 0xEDA7, type = "unsigned", divide = 100, unit = "W" }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from protocols.toolkit.errors import Path, Problem, SettingsError
from protocols.toolkit.keys import Key, is_whole, parse_value_names, shown, unknown_key, unknown_keys
from protocols.toolkit.scaling import Meaning
from protocols.toolkit.scaling_keys import MEANING_KEYS, OF_INTEGERS, OF_NUMBERS, contradictions, meaning_of
from protocols.vedirect.registers import KINDS, REGISTERS, STRING, UNSIGNED, Register

_BITS: Final = 32  # of the widest number

_REGISTER_KEYS: Final[Mapping[str, Key]] = {
    "register": Key(
        {"type": "integer", "minimum": 0, "maximum": 0xFFFF, "description": "its number"},
        "is not a register, use 0–0xFFFF",
        lambda value: is_whole(value, 0, 0xFFFF),
    ),
    "type": Key(
        {"type": "string", "enum": list(KINDS), "default": UNSIGNED},
        f"is not a type, use one of {', '.join(KINDS)}; the device tells how many octets",
        lambda value: value in KINDS,
    ),
    **MEANING_KEYS,
}

SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "values": {
            "type": "array",
            "items": {"enum": list(REGISTERS)},
            "uniqueItems": True,
            "description": "values by name",
        },
        "registers": {
            "type": "object",
            "description": "values by their register, as the device's manual gives them",
            "additionalProperties": {
                "type": "object",
                "properties": {name: dict(key.schema) for name, key in _REGISTER_KEYS.items()},
                "required": ["register"],
                "additionalProperties": False,
            },
        },
    },
    "required": [],
    "anyOf": [{"required": ["values"]}, {"required": ["registers"]}],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """The registers to read, in the order of site.toml; their names are unique."""

    registers: tuple[Register, ...]

    @property
    def address(self) -> str:
        """Return "": a line has one device, which has no address."""
        return ""

    @property
    def units(self) -> dict[str, str]:
        """Return the values that are read, each with its unit."""
        return {register.name: register.meaning.unit for register in self.registers}


def parse_settings(table: Mapping[str, object]) -> DeviceSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: every mistake.
    """
    problems = unknown_keys(table, _KEYS)
    named_registers = _named_registers(table.get("values", []), problems)
    own_registers = _own_registers(table.get("registers", {}), problems)
    names = {register.name for register in named_registers}
    problems += [
        (("registers", register.name), "this name is among the values too, choose another")
        for register in own_registers
        if register.name in names
    ]
    if not table.get("values") and not table.get("registers"):
        problems.append(((), 'needs values to read, for example values = ["voltage", "current"]'))
    if problems:
        raise SettingsError(problems)
    return DeviceSettings((*named_registers, *own_registers))


def _named_registers(names: object, problems: list[Problem]) -> list[Register]:
    advice = "others go below registers"
    known_names = parse_value_names(names, REGISTERS, problems, advice=advice, may_be_empty=True)
    return [REGISTERS[name] for name in known_names]


def _own_registers(table: object, problems: list[Problem]) -> list[Register]:
    if not isinstance(table, Mapping):
        problems.append(
            (("registers",), "is not a table, write [….registers], below it NAME = { register = … }")
        )
        return []
    registers = [_register(name, entry, problems) for name, entry in table.items()]
    return [register for register in registers if register]


def _register(name: str, entry: object, problems: list[Problem]) -> Register | None:
    at: Path = ("registers", name)
    if not isinstance(entry, Mapping):
        problems.append((at, f"{shown(entry)} is not a register, write for example {{ register = 0xEDD5 }}"))
        return None
    before = len(problems)
    for key, value in entry.items():
        if key not in _REGISTER_KEYS:
            problems.append(((*at, key), unknown_key(key, _REGISTER_KEYS)))
        elif not _REGISTER_KEYS[key].holds(value):
            problems.append(((*at, key), f"{shown(value)} {_REGISTER_KEYS[key].rule}"))
    if "register" not in entry:
        problems.append((at, "needs the register's number, for example register = 0xEDD5"))
    if len(problems) > before:
        return None
    kind = entry.get("type", UNSIGNED)
    needless = sorted((OF_NUMBERS | OF_INTEGERS) & set(entry)) if kind == STRING else []
    problems += [((*at, key), "goes with numbers, not with a string") for key in needless]
    problems += [((*at, key), rule) for key, rule in contradictions(entry, kind, _BITS)]
    if len(problems) > before:
        return None
    return Register(name, entry["register"], kind, Meaning(**meaning_of(entry)))
