"""VE.Direct HEX: the registers and their values.

Spec: Victron Energy, "BlueSolar HEX protocol MPPT", "BMV-7xx HEX protocol", "Phoenix Inverter HEX protocol";
units and codes of "not available" as Victron's own register list has them (velib, `ve_regs.h`).

Numbers are whole, of one, two or four octets as the device pleases, in a small unit. The highest one of two
octets or more says "not available"; of a signed one FFFF does so too where the list says it. A state, an
error or a percentage of one octet is FF then. Temperatures are in 0.01 K or in 0.01 °C.

This file has the present values and counters of chargers, battery monitors and inverters. Other registers
can be written in site.toml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocols.toolkit.polling import Value
from protocols.toolkit.scaling import Meaning, Missing, text

UNSIGNED: Final = "unsigned"
SIGNED: Final = "signed"
STRING: Final = "string"
KINDS: Final = (UNSIGNED, SIGNED, STRING)

SIZES: Final = (1, 2, 4)  # of a number, in octets
_KELVIN = -273.15
_OCTET, _WORD = 0xFF, 0xFFFF  # codes of "not available" where the sign or the size would not tell


@dataclass(frozen=True, slots=True)
class Register:
    """A value of a device.

    Attributes:
        name: the key under which the value is published.
        number: the number of the register.
        kind: one of `KINDS`.
        meaning: the scale, unit and validity of its number.
    """

    name: str
    number: int
    kind: str = UNSIGNED
    meaning: Meaning = field(default_factory=Meaning)

    def value(self, octets: bytes) -> Value | Missing:
        """Return the value in these octets, the low one first; or why there is none."""
        if self.kind == STRING:
            return text(octets)
        if len(octets) not in SIZES:
            return Missing.NO_VALUE
        number = int.from_bytes(octets, "little", signed=self.kind == SIGNED)
        highest = (1 << 8 * len(octets) - (self.kind == SIGNED)) - 1
        if number == highest and len(octets) > 1:
            return Missing.NO_VALUE
        return self.meaning.meant(number, int.from_bytes(octets, "little"))


def is_missing(octets: bytes) -> bool:
    """Return whether the number of an unknown register means "not available", whatever its sign."""
    return len(octets) > 1 and octets == b"\xff" * len(octets)


def _of(
    name: str,
    number: int,
    unit: str = "",
    divide: int = 1,
    kind: str = UNSIGNED,
    offset: float = 0,
    invalid: int | None = None,
) -> Register:
    codes = frozenset(() if invalid is None else (invalid,))
    return Register(name, number, kind, Meaning(divide=divide, unit=unit, offset=offset, invalid=codes))


def _trackers() -> Iterator[Register]:
    """Yield the registers of the trackers of a charger that has several, from 1 on."""
    for tracker in range(1, 5):
        base = 0xECC0 + 0x10 * (tracker - 1)
        yield _of(f"tracker_mode_{tracker}", base + 0x3, invalid=_OCTET)
        yield _of(f"panel_voltage_{tracker}", base + 0xB, "V", 100)
        yield _of(f"panel_power_{tracker}", base + 0xC, "W", 100)
        yield _of(f"panel_current_{tracker}", base + 0xD, "A", 10)


def _phases(side: str, first: int) -> Iterator[Register]:
    """Yield the registers of an inverter for each phase, five a phase."""
    for number in range(3):
        phase, base = f"l{number + 1}", first + 5 * number
        yield _of(f"{side}_voltage_{phase}", base, "V", 100, SIGNED)
        yield _of(f"{side}_current_{phase}", base + 1, "A", 100, SIGNED)
        yield _of(f"{side}_power_{phase}", base + 2, "W", 1, SIGNED)
        yield _of(f"{side}_apparent_power_{phase}", base + 3, "VA", 1, SIGNED)
        yield _of(f"{side}_frequency_{phase}", base + 4, "Hz", 100)


_ALL: Final = (
    _of("serial_number", 0x010A, kind=STRING),
    _of("model", 0x010B, kind=STRING),
    _of("mode", 0x0200),
    _of("state", 0x0201, invalid=_OCTET),
    _of("off_reason", 0x0207),
    # chargers
    _of("charger_voltage", 0xEDD5, "V", 100),
    _of("charger_current", 0xEDD7, "A", 10, SIGNED, invalid=_WORD),
    _of("charger_power", 0xEDD6, "W"),
    _of("charger_temperature", 0xEDDB, "°C", 100, SIGNED),
    _of("error", 0xEDDA, invalid=_OCTET),
    _of("max_charge_current", 0xEDF0, "A", 10),
    _of("absorption_voltage", 0xEDF7, "V", 100),
    _of("float_voltage", 0xEDF6, "V", 100),
    _of("equalisation_voltage", 0xEDF4, "V", 100),
    _of("storage_voltage", 0xEDF5, "V", 100),
    _of("rated_charge_current", 0xEDDF, "A", 10),
    _of("relay", 0xEDD8),
    _of("ripple_voltage", 0xED8B, "V", 1000),
    _of("battery_current", 0xED8F, "A", 10, SIGNED, invalid=_WORD),
    _of("estimated_battery_temperature", 0xEE12, "°C", 100, offset=_KELVIN),
    _of("panel_voltage", 0xEDBB, "V", 100),
    _of("panel_current", 0xEDBD, "A", 10),
    _of("panel_power", 0xEDBC, "W", 100),
    _of("tracker_mode", 0xEDB3, invalid=_OCTET),
    _of("panel_mpp_power", 0xEDB4, "W", 100),
    _of("panel_mpp_voltage", 0xEDB5, "V", 100),
    _of("panel_open_circuit_voltage", 0xEDB6, "V", 100),
    _of("panel_max_voltage", 0xEDB8, "V", 100),
    _of("panel_isolation_resistance", 0xEDB1, "Ω"),
    _of("load", 0xEDA8),
    _of("load_voltage", 0xEDA9, "V", 100),
    _of("load_current", 0xEDAD, "A", 10),
    _of("load_power", 0xEDAA, "W"),
    _of("load_current_percentage", 0xEDB0, "%", invalid=_OCTET),
    _of("yield_user", 0xEDDC, "kWh", 100),
    _of("yield_total", 0xEDDD, "kWh", 100),
    _of("yield_today", 0xEDD3, "kWh", 100),
    _of("max_power_today", 0xEDD2, "W"),
    _of("yield_yesterday", 0xEDD1, "kWh", 100),
    _of("max_power_yesterday", 0xEDD0, "W"),
    *_trackers(),
    # chargers that work together
    _of("network_voltage_setpoint", 0x2001, "V", 100),
    _of("network_battery_voltage", 0x2002, "V", 100),
    _of("network_battery_temperature", 0x2003, "°C", 100, SIGNED, invalid=_WORD),
    _of("network_state_time", 0x2007, "s", 1000),
    _of("network_absorption_time", 0x2008, "h", 100),
    _of("network_battery_current", 0x200A, "A", 1000, SIGNED),
    _of("network_status", 0x200F, invalid=_OCTET),
    _of("network_charge_current_percentage", 0x2014, "%", invalid=_OCTET),
    _of("network_charge_current_limit", 0x2015, "A", 10),
    _of("network_yield_total", 0x2020, "kWh", 100),
    _of("network_yield_user", 0x2021, "kWh", 100),
    _of("network_yield_today", 0x2022, "kWh", 100),
    _of("network_max_power_today", 0x2023, "W"),
    _of("network_yield_yesterday", 0x2024, "kWh", 100),
    _of("network_max_power_yesterday", 0x2025, "W"),
    _of("network_power", 0x2026, "W", 100),
    _of("network_panel_power", 0x2027, "W", 100),
    # battery monitors
    _of("voltage", 0xED8D, "V", 100, SIGNED),
    _of("current", 0xED8C, "A", 1000, SIGNED),
    _of("power", 0xED8E, "W", 1, SIGNED),
    _of("auxiliary_voltage", 0xED7D, "V", 100, SIGNED),
    _of("auxiliary_current", 0xED7F, "A", 10, SIGNED, invalid=_WORD),
    _of("auxiliary_power", 0xED7E, "W", 1, SIGNED),
    _of("temperature", 0xEDEC, "°C", 100, offset=_KELVIN),
    _of("consumed_charge", 0xEEFF, "Ah", 10, SIGNED),
    _of("state_of_charge", 0x0FFF, "%", 100),
    _of("time_to_go", 0x0FFE, "min"),
    _of("midpoint_voltage", 0x0382, "V", 100),
    _of("midpoint_deviation", 0x0383, "%", 10, SIGNED),
    _of("deepest_discharge", 0x0300, "Ah", 10, SIGNED),
    _of("last_discharge", 0x0301, "Ah", 10, SIGNED),
    _of("average_discharge", 0x0302, "Ah", 10, SIGNED),
    _of("charge_cycles", 0x0303),
    _of("full_discharges", 0x0304),
    _of("drawn_charge", 0x0305, "Ah", 10, SIGNED),
    _of("min_voltage", 0x0306, "V", 100, SIGNED),
    _of("max_voltage", 0x0307, "V", 100, SIGNED),
    _of("since_full_charge", 0x0308, "s"),
    _of("automatic_synchronisations", 0x0309),
    _of("low_voltage_alarms", 0x030A),
    _of("high_voltage_alarms", 0x030B),
    _of("min_auxiliary_voltage", 0x030E, "V", 100, SIGNED),
    _of("max_auxiliary_voltage", 0x030F, "V", 100, SIGNED),
    _of("discharged_energy", 0x0310, "kWh", 100),
    _of("charged_energy", 0x0311, "kWh", 100),
    # inverters
    _of("operating_time", 0x1040, "s"),
    _of("generated_energy", 0x1041, "kVAh", 100),
    _of("ac_output_voltage", 0x2200, "V", 100, SIGNED),
    _of("ac_output_current", 0x2201, "A", 10, SIGNED),
    _of("ac_output_power", 0x2204, "W", 1, SIGNED),
    _of("ac_output_apparent_power", 0x2205, "VA", 1, SIGNED),
    _of("ac_output_frequency", 0x2208, "Hz", 100),
    *_phases("ac_output", 0x2213),
    *_phases("ac_input", 0x2250),
)
REGISTERS: Final[Mapping[str, Register]] = {register.name: register for register in _ALL}
BY_NUMBER: Final[Mapping[int, Register]] = {register.number: register for register in _ALL}
