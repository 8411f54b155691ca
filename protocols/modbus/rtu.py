"""Modbus RTU: the catalogue's entry.

Spec: Modbus Application Protocol V1.1b3 (`pdu`), Modbus over Serial Line V1.02, RTU mode (`serial_line`).
The sensor is asked; line settings are the sensor's own, its manual decides.
"""

from __future__ import annotations

from protocols import Protocol
from protocols.modbus import models
from protocols.modbus.description import Describer
from protocols.modbus.device import ModbusDevice
from protocols.modbus.serial_line import ReplyFramer, RequestFramer, StreamFramer, adu, body, frame_gap_s
from protocols.modbus.settings import SENSOR_SCHEMA, ModbusSettings, parse_settings
from protocols.modbus.simulation import SimulatedUnit

__all__ = [
    "PROTOCOL",
    "ModbusDevice",
    "ModbusSettings",
    "ReplyFramer",
    "RequestFramer",
    "SimulatedUnit",
    "adu",
    "body",
    "frame_gap_s",
    "framer",
]

framer = StreamFramer


def _address_of(settings: ModbusSettings) -> str:
    return str(settings.unit)


def _units_of(settings: ModbusSettings) -> dict[str, str]:
    return {register.name: register.unit for register in settings.registers}


PROTOCOL = Protocol(
    name="modbus-rtu",
    title="Modbus RTU",
    spec="Modbus Application Protocol V1.1b3, Modbus over Serial Line V1.02",
    line=None,
    framer=framer,
    describer=Describer,
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=ModbusDevice,
    address_of=_address_of,
    units_of=_units_of,
    bytesizes=frozenset({8}),  # Serial Line V1.02 §2.5.1: RTU mode has 8-bit characters
    models=models.names,
)
