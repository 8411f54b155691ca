"""Modbus RTU: the protocol `modbus-rtu`.

Spec: Modbus Application Protocol V1.1b3 (`pdu`), Modbus over Serial Line V1.02, RTU mode (`serial_line`).
The sensor is polled; its manual decides on the line settings.
"""

from __future__ import annotations

from protocols.modbus.device import ModbusDevice
from protocols.modbus.serial_line import RTU, ReplyFramer, RequestFramer, StreamFramer, adu, body
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.simulation import SimulatedUnit
from protocols.modbus.transmission_mode import TransmissionMode

__all__ = [
    "PROTOCOL",
    "ModbusDevice",
    "ModbusSettings",
    "ReplyFramer",
    "RequestFramer",
    "SimulatedUnit",
    "adu",
    "body",
    "framer",
]

framer = StreamFramer

PROTOCOL = TransmissionMode(
    name="modbus-rtu",
    title="Modbus RTU",
    spec="Modbus Application Protocol V1.1b3, Modbus over Serial Line V1.02",
    framer=framer,
    carrier=RTU,
    bytesizes=frozenset({8}),  # Serial Line V1.02 §2.5.1: RTU mode has 8-bit characters
).protocol()
