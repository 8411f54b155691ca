"""The registers of a JBD BMS (JBD general protocol V4).

    03   voltage, current, capacities, cycles, production date, balancing, protection, version, state of
         charge, MOSFETs, number of cells, number of thermometers, temperatures
    04   voltages of the cells
    05   name of the hardware
    AA   how often each protection acted

Current is positive while charging; temperatures are in 0.1 K.

Quirk: 0 or FFFF stands for a thermometer that is not connected, as no thermometer measures them: it is None.
Quirk: newer firmware sends more octets after the temperatures in 03; they are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from construct import Array, Byte, GreedyBytes, Int16sb, Int16ub, Struct, this

from protocols.jbd_bms import frame as frames
from protocols.jbd_bms.frame import DONE, Request
from protocols.toolkit import layout
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import Fields

BASIC_INFORMATION: Final = 0x03
CELL_VOLTAGES: Final = 0x04
HARDWARE: Final = 0x05
ERROR_COUNTS: Final = 0xAA

BASIC: Final = "basic information" / Struct(
    "voltage" / Int16ub,
    "current" / Int16sb,
    "remaining_capacity" / Int16ub,
    "nominal_capacity" / Int16ub,
    "cycles" / Int16ub,
    "production_date" / Int16ub,
    "balancing" / Int16ub,  # cells 1–16, cell 1 in bit 0
    "balancing_high" / Int16ub,  # cells 17–32
    "protection" / Int16ub,
    "version" / Byte,
    "state_of_charge" / Byte,
    "fet" / Byte,
    "cells" / Byte,
    "ntc" / Byte,
    "temperatures" / Array(this.ntc, Int16ub),
    "more" / GreedyBytes,
)
_MIN_BASIC_LENGTH: Final = 23  # octets without thermometers
_ICE: Final = 2731  # 0 °C in 0.1 K

_COUNTS: Final = (
    "short_circuit_count",
    "charge_overcurrent_count",
    "discharge_overcurrent_count",
    "cell_overvoltage_count",
    "cell_undervoltage_count",
    "charge_overtemperature_count",
    "charge_undertemperature_count",
    "discharge_overtemperature_count",
    "discharge_undertemperature_count",
    "battery_overvoltage_count",
    "battery_undervoltage_count",
)

UNITS: Final[Mapping[str, str]] = {  # of the values; a list is one for each cell or thermometer
    "voltage": "V",
    "current": "A",
    "remaining_capacity": "Ah",
    "nominal_capacity": "Ah",
    "cycles": "",
    "production_date": "",
    "balancing": "",
    "protection": "",
    "state_of_charge": "%",
    "charge_enabled": "",
    "discharge_enabled": "",
    "temperatures": "°C",
    "cell_voltages": "V",
    "hardware": "",
}


def describe(frame: Frame) -> Fields:
    """Return register, status and data, and the values under the names of UNITS."""
    message = frames.parse(frame)
    if isinstance(message, Request):
        return {"op": message.order, "register": message.register, "data": message.data.hex()}
    fields: Fields = {
        "register": message.register,
        "status": message.status,
        "data": message.data.hex(),
    }
    return fields | (values(message.register, message.data) if message.status == DONE else {})


def values(register: int, data: bytes) -> Fields:
    """Return the values of a register; {} if it is unknown, or its data are too short."""
    if register == BASIC_INFORMATION:
        return _basic(data)
    if register == CELL_VOLTAGES:
        return {"cell_voltages": [None if word == 0xFFFF else word / 1000 for word in _words(data)]}
    if register == HARDWARE:
        return {"hardware": data.decode("ascii", "replace").strip("\0 ")}
    if register == ERROR_COUNTS:
        return dict(zip(_COUNTS, _words(data), strict=False))
    return {}


def _basic(data: bytes) -> Fields:
    if len(data) < _MIN_BASIC_LENGTH or len(data) < _MIN_BASIC_LENGTH + 2 * data[_MIN_BASIC_LENGTH - 1]:
        return {}
    fields = layout.parse(BASIC, data)
    del fields["more"]
    for name in "voltage", "current", "remaining_capacity", "nominal_capacity":
        fields[name] /= 100
    fields["balancing"] |= fields.pop("balancing_high") << 16
    date = fields.pop("production_date")
    if month := date >> 5 & 0xF:
        fields["production_date"] = f"{2000 + (date >> 9)}-{month:02}-{date & 0x1F:02}"
    fields["temperatures"] = [_celsius(raw) for raw in fields["temperatures"]]
    return fields | {"charge_enabled": bool(fields["fet"] & 1), "discharge_enabled": bool(fields["fet"] & 2)}


def _celsius(raw: int) -> float | None:
    return None if raw in (0, 0xFFFF) else (raw - _ICE) / 10


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]
