"""VE.Direct HEX: what registers mean.

Numbers are whole, of one, two or four octets as the device pleases, in a small unit. The highest one of two
octets or more says "not available". Temperatures are in 0.01 K or in 0.01 °C.

Here are the present values and counters that chargers and battery monitors are read for. Others can be
written in site.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from protocols.dialogue import Value
from protocols.meaning import Meaning, Missing, text

UNSIGNED: Final = "unsigned"
SIGNED: Final = "signed"
STRING: Final = "string"
KINDS: Final = (UNSIGNED, SIGNED, STRING)

SIZES: Final = (1, 2, 4)  # of a number, in octets
_KELVIN = -273.15


@dataclass(frozen=True, slots=True)
class Register:
    """A value that a device has.

    Attributes:
        name: ours.
        number: the register's.
        kind: one of `KINDS`.
        meaning: what its number means.
    """

    name: str
    number: int
    kind: str = UNSIGNED
    meaning: Meaning = field(default_factory=Meaning)

    def value(self, octets: bytes) -> Value | Missing:
        """What these octets say, low one first; or why that is no value."""
        if self.kind == STRING:
            return text(octets)
        if len(octets) not in SIZES:
            return Missing.NO_VALUE
        number = int.from_bytes(octets, "little", signed=self.kind == SIGNED)
        highest = (1 << 8 * len(octets) - (self.kind == SIGNED)) - 1
        if number == highest and len(octets) > 1:
            return Missing.NO_VALUE
        return self.meaning.meant(number, int.from_bytes(octets, "little"))


def _of(
    name: str, number: int, unit: str = "", divide: int = 1, kind: str = UNSIGNED, offset: float = 0
) -> Register:
    return Register(name, number, kind, Meaning(divide=divide, unit=unit, offset=offset))


_ALL: Final = (
    _of("serial_number", 0x010A, kind=STRING),
    _of("model", 0x010B, kind=STRING),
    _of("mode", 0x0200),
    _of("state", 0x0201),
    _of("off_reason", 0x0207),
    # chargers
    _of("charger_voltage", 0xEDD5, "V", 100),
    _of("charger_current", 0xEDD7, "A", 10),
    _of("charger_temperature", 0xEDDB, "°C", 100, SIGNED),
    _of("error", 0xEDDA),
    _of("max_charge_current", 0xEDF0, "A", 10),
    _of("absorption_voltage", 0xEDF7, "V", 100),
    _of("float_voltage", 0xEDF6, "V", 100),
    _of("panel_voltage", 0xEDBB, "V", 100),
    _of("panel_current", 0xEDBD, "A", 10),
    _of("panel_power", 0xEDBC, "W", 100),
    _of("tracker_mode", 0xEDB3),
    _of("load", 0xEDA8),
    _of("load_voltage", 0xEDA9, "V", 100),
    _of("load_current", 0xEDAD, "A", 10),
    _of("yield_total", 0xEDDD, "kWh", 100),
    _of("yield_today", 0xEDD3, "kWh", 100),
    _of("max_power_today", 0xEDD2, "W"),
    _of("yield_yesterday", 0xEDD1, "kWh", 100),
    _of("max_power_yesterday", 0xEDD0, "W"),
    # battery monitors
    _of("voltage", 0xED8D, "V", 100, SIGNED),
    _of("current", 0xED8C, "A", 1000, SIGNED),
    _of("power", 0xED8E, "W", 1, SIGNED),
    _of("auxiliary_voltage", 0xED7D, "V", 100, SIGNED),
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
    _of("discharged_energy", 0x0310, "kWh", 100),
    _of("charged_energy", 0x0311, "kWh", 100),
)
REGISTERS: Final[Mapping[str, Register]] = {register.name: register for register in _ALL}
BY_NUMBER: Final[Mapping[int, Register]] = {register.number: register for register in _ALL}
