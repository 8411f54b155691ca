"""A made-up protocol, for the tests of the site file: it has addresses and registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.protocol import PolledProtocol


@dataclass(frozen=True)
class Settings:
    unit: int
    keys: tuple[str, ...]

    @property
    def address(self) -> str:
        return str(self.unit)

    @property
    def units(self) -> dict[str, str]:
        return dict.fromkeys(self.keys, "")


def _settings(table: Mapping[str, Any]) -> Settings:
    problems: list[Problem] = []
    address = table.get("address")
    if address is None:
        problems.append((("address",), "is missing, use 1–247"))
    elif not isinstance(address, int) or not 1 <= address <= 247:
        problems.append((("address",), f"{address} is not a unit address, use 1–247"))
    registers = table.get("registers", {})
    for key, register in registers.items():
        if not isinstance(register, dict):
            problems.append((("registers", key), "is not a register"))
        elif not isinstance(register.get("at"), int):
            problems.append((("registers", key, "at"), "is not a register number"))
    if problems:
        raise SettingsError(problems)
    return Settings(address, tuple(registers))


def _conflicts(sensors: Sequence[Settings]) -> list[Problem]:
    """Sensors whose address is 247 and that are not alone."""
    return [
        ((place, "address"), "247 is for the only sensor of a bus, use 1–246")
        for place, settings in enumerate(sensors)
        if settings.unit == 247 and len(sensors) > 1
    ]


def _unused(*_: object) -> Any:
    raise AssertionError("reading a site file does not speak the protocol")


PROTOCOL = PolledProtocol(
    name="made-up",
    title="for tests",
    spec="none",
    line=None,
    framer=_unused,
    describer=_unused,
    schema={
        "properties": {
            "address": {"type": "integer", "minimum": 1, "maximum": 247},
            "registers": {"type": "object"},
        },
        "required": ["address"],
    },
    settings=_settings,
    device=_unused,
    conflicts=_conflicts,
)
