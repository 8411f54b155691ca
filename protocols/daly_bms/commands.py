"""The commands of a Daly BMS and their replies (Daly UART/485 communications protocol V1.2).

    90   voltages, current, state of charge
    91   highest and lowest cell voltage      92   highest and lowest temperature
    93   state, MOSFETs, remaining capacity   94   numbers of cells and thermometers, charger, load, cycles
    95   voltages of the cells, three a frame     96   temperatures, seven a frame

The current is sent with 30000 added, temperatures with 40. FF or FFFF stands where nothing is measured: a
thermometer that is not there, a cell that is not wired; it is None here. The document does not say which
direction of a current is positive: real units count discharge as positive, and so do the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from construct import Array, Byte, Construct, Int16ub, Int32ub, Padding, Struct

from protocols.daly_bms.frame import LAYOUT
from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.protocol import Fields

SUMMARY: Final = 0x90
CELL_RANGE: Final = 0x91
TEMPERATURE_RANGE: Final = 0x92
STATE: Final = 0x93
NUMBERS: Final = 0x94
CELL_VOLTAGES: Final = 0x95
TEMPERATURES: Final = 0x96

CELLS_A_FRAME: Final = 3
TEMPERATURES_A_FRAME: Final = 7
_NO_CURRENT: Final = 30000
_ICE: Final = 40
_NO_OCTET, _NO_WORD = 0xFF, 0xFFFF
_STATES: Final = ("stationary", "charging", "discharging")

DATA: Final[Mapping[int, Construct[Any, Any]]] = {
    SUMMARY: "summary"
    / Struct(
        "voltage" / Int16ub,
        "gathered_voltage" / Int16ub,
        "current" / Int16ub,
        "state_of_charge" / Int16ub,
    ),
    CELL_RANGE: "cell range"
    / Struct(
        "max_cell_voltage" / Int16ub,
        "max_cell" / Byte,
        "min_cell_voltage" / Int16ub,
        "min_cell" / Byte,
        Padding(2),
    ),
    TEMPERATURE_RANGE: "temperature range"
    / Struct(
        "max_temperature" / Byte,
        "max_thermometer" / Byte,
        "min_temperature" / Byte,
        "min_thermometer" / Byte,
        Padding(4),
    ),
    STATE: "state"
    / Struct(
        "state" / Byte,
        "charge_enabled" / Byte,
        "discharge_enabled" / Byte,
        "bms_life" / Byte,
        "remaining_mah" / Int32ub,
    ),
    NUMBERS: "numbers"
    / Struct(
        "cells" / Byte,
        "thermometers" / Byte,
        "charger_connected" / Byte,
        "load_connected" / Byte,
        "dio" / Byte,
        "cycles" / Int16ub,
        Padding(1),
    ),
    CELL_VOLTAGES: "cell voltages"
    / Struct("frame" / Byte, "cell_voltages" / Array(CELLS_A_FRAME, Int16ub), Padding(1)),
    TEMPERATURES: "temperatures" / Struct("frame" / Byte, "temperatures" / Array(TEMPERATURES_A_FRAME, Byte)),
}
_TENTHS = ("voltage", "gathered_voltage", "state_of_charge")
_MILLIVOLTS = ("max_cell_voltage", "min_cell_voltage")
_FLAGS = ("charge_enabled", "discharge_enabled", "charger_connected", "load_connected")
_SHIFTED = ("max_temperature", "min_temperature")


def describe(frame: Frame) -> Fields:
    """Return address, command and data; of a reply its values too."""
    raw = layout.parse(LAYOUT, frame.data)
    fields: Fields = {"address": raw["address"], "command": raw["command"], "data": raw["data"].hex()}
    return fields | ({} if frame.direction is Direction.REQUEST else values(raw["command"], raw["data"]))


def values(command: int, data: bytes) -> Fields:
    """Return the values in the eight octets of a reply; {} if the command is unknown."""
    if command not in DATA:
        return {}
    fields = layout.parse(DATA[command], data)
    fields |= {name: _scaled(fields[name], 10) for name in _TENTHS if name in fields}
    fields |= {name: _scaled(fields[name], 1000) for name in _MILLIVOLTS if name in fields}
    fields |= {name: bool(fields[name]) for name in _FLAGS if name in fields}
    fields |= {name: _celsius(fields[name]) for name in _SHIFTED if name in fields}
    if command == SUMMARY:
        fields["current"] = (fields["current"] - _NO_CURRENT) / 10
    elif command == STATE:
        fields["remaining_capacity"] = fields["remaining_mah"] / 1000
        if fields["state"] < len(_STATES):
            fields["operation"] = _STATES[fields["state"]]
    elif command == CELL_VOLTAGES:
        fields["cell_voltages"] = [_scaled(raw, 1000) for raw in fields["cell_voltages"]]
    elif command == TEMPERATURES:
        fields["temperatures"] = [_celsius(raw) for raw in fields["temperatures"]]
    return fields


def _scaled(raw: int, divide: int) -> float | None:
    return None if raw == _NO_WORD else raw / divide


def _celsius(raw: int) -> int | None:
    return None if raw == _NO_OCTET else raw - _ICE
