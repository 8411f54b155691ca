"""DL/T 645-1997 appendix A: data identifiers, of two octets, DI1 DI0, written as four hexadecimal digits.

    9010     active energy, import, total; 9011 … 901E its tariffs 1–14     XXXXXX.XX kWh
    B611     voltage of phase A, B612 of phase B, B613 of phase C           XXXX V

The formats are those of `data`. This file has the present values; other identifiers can be written in
site.toml, frozen energies too (94xx, 98xx: last month and the one before).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from protocols.dlt645.data import DATE, TIME, Item

MAX_TARIFF: Final = 14

_PHASES = {1: "a", 2: "b", 3: "c"}
_ENERGIES = (  # first identifier, name, unit
    (0x9010, "energy_import", "kWh"),
    (0x9020, "energy_export", "kWh"),
    (0x9110, "reactive_energy_import", "kvarh"),
    (0x9120, "reactive_energy_export", "kvarh"),
    (0x9130, "reactive_energy_quadrant_1", "kvarh"),
    (0x9140, "reactive_energy_quadrant_4", "kvarh"),
    (0x9150, "reactive_energy_quadrant_2", "kvarh"),
    (0x9160, "reactive_energy_quadrant_3", "kvarh"),
)
_DEMANDS = (
    (0xA010, "active_demand_import_max", "kW"),
    (0xA020, "active_demand_export_max", "kW"),
)
_OF_PHASES = (
    (0xB610, "voltage", "XXXX", "V"),
    (0xB620, "current", "XX.XX", "A"),
)
_TOTALS_AND_PHASES = (
    (0xB630, "active_power", "XX.XXXX", "kW"),
    (0xB640, "reactive_power", "XX.XX", "kvar"),
    (0xB650, "power_factor", "X.XXX", ""),
)


def _items() -> Iterator[Item]:
    for first, name, unit in _ENERGIES:
        yield Item(name, f"{first:04X}", "XXXXXX.XX", unit)
        for tariff in range(1, MAX_TARIFF + 1):
            yield Item(f"{name}_t{tariff}", f"{first + tariff:04X}", "XXXXXX.XX", unit)
    for first, name, unit in _DEMANDS:
        yield Item(name, f"{first:04X}", "XX.XXXX", unit)
    for first, name, form, unit in _OF_PHASES:
        for step, phase in _PHASES.items():
            yield Item(f"{name}_{phase}", f"{first + step:04X}", form, unit)
    for first, name, form, unit in _TOTALS_AND_PHASES:
        yield Item(name, f"{first:04X}", form, unit)
        for step, phase in _PHASES.items():
            yield Item(f"{name}_{phase}", f"{first + step:04X}", form, unit)
    yield Item("date", "C010", DATE)
    yield Item("time", "C011", TIME)
    yield Item("meter_number", "C032", "NN" * 6)


ITEMS: Final[Mapping[str, Item]] = {item.name: item for item in _items()}
