"""3.7 Alarm information: what is out of bounds, and which switches are closed.

request 44        info: the number of the battery
reply, RTN 00     info: flag | battery | cells m | state × m | thermometers n | state × n |
                  state of the charge current | of the voltage | of the discharge current | status × 5

state     00 normal, 01 below the lower limit, 02 above the upper limit, F0 another error
status 1  80 module undervoltage, 40 charge overtemperature, 20 discharge overtemperature,
          10 discharge overcurrent, 04 charge overcurrent, 02 cell undervoltage, 01 module overvoltage
status 2  08 the battery feeds itself, 04 discharge MOSFET on, 02 charge MOSFET on, 01 precharge
status 3  80 charges, 40 discharges, 20 heater on, 08 fully charged, 01 buzzer on
status 4, 5   cells 1–8 and 9–16 that have an error
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from construct import Array, Byte, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.protocol import Fields

COMMAND: Final = 0x44
UNITS: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "cell_alarms",
        "temperature_alarms",
        "cell_errors",
        "voltage_alarm",
        "charge_current_alarm",
        "discharge_current_alarm",
        "module_undervoltage",
        "module_overvoltage",
        "cell_undervoltage",
        "charge_overtemperature",
        "discharge_overtemperature",
        "charge_overcurrent",
        "discharge_overcurrent",
        "charge_enabled",
        "discharge_enabled",
        "heating",
        "fully_charged",
    ),
    "",
)
LAYOUT: Final = "alarm information" / Struct(
    "flag" / Byte,
    "battery" / Byte,
    "cells" / Byte,
    "cell_states" / Array(this.cells, Byte),
    "thermometers" / Byte,
    "temperature_states" / Array(this.thermometers, Byte),
    "charge_current" / Byte,
    "voltage" / Byte,
    "discharge_current" / Byte,
    "status" / Array(5, Byte),
)
STATES: Final[Mapping[int, str]] = {0x00: "normal", 0x01: "low", 0x02: "high", 0xF0: "error"}
_SHORTEST: Final = 12  # octets of an alarm information without cells and thermometers
_FLAGS: Final[Mapping[str, tuple[int, int]]] = {  # in which status, and its bit
    "module_undervoltage": (1, 0x80),
    "charge_overtemperature": (1, 0x40),
    "discharge_overtemperature": (1, 0x20),
    "discharge_overcurrent": (1, 0x10),
    "charge_overcurrent": (1, 0x04),
    "cell_undervoltage": (1, 0x02),
    "module_overvoltage": (1, 0x01),
    "discharge_enabled": (2, 0x04),
    "charge_enabled": (2, 0x02),
    "heating": (3, 0x20),
    "fully_charged": (3, 0x08),
}


def read(info: bytes) -> Fields:
    """Return what an alarm information says; nothing if this is none, as its length and states tell."""
    if len(info) < _SHORTEST or len(info) < _SHORTEST + info[2]:
        return {}
    if len(info) != _SHORTEST + info[2] + info[3 + info[2]]:
        return {}
    fields = layout.parse(LAYOUT, info)
    cells, thermometers = fields["cell_states"], fields["temperature_states"]
    currents_and_voltage = (fields["charge_current"], fields["voltage"], fields["discharge_current"])
    if not {*cells, *thermometers, *currents_and_voltage} <= STATES.keys():
        return {}
    status = fields["status"]
    return {
        "battery": fields["battery"],
        "cell_alarms": sum(state != 0 for state in cells),
        "temperature_alarms": sum(state != 0 for state in thermometers),
        "cell_errors": (status[3] | status[4] << 8).bit_count(),
        "charge_current_alarm": STATES[fields["charge_current"]],
        "voltage_alarm": STATES[fields["voltage"]],
        "discharge_current_alarm": STATES[fields["discharge_current"]],
        **{name: bool(status[number - 1] & bit) for name, (number, bit) in _FLAGS.items()},
    }
