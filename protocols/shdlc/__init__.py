"""Sensirion SHDLC: sensors of air quality that are asked over a UART, one file for each thing.

frame        the frame on the wire, its byte stuffing and checksum, and how it is found in a stream
models       what each sensor must be told to measure, and how its values are written
settings     how an installer writes a sensor down: its keys, and every mistake in them
device       one sensor, polled: started if it is idle, woken if it sleeps
description  frames into fields, for people
simulation   the other side: a sensor that answers

The sensor is polled; 115200 8N1, which none of them can change.
"""

from __future__ import annotations

from protocols.shdlc.description import Describer
from protocols.shdlc.device import Sensor
from protocols.shdlc.frame import MAX_LENGTH, StreamFramer
from protocols.shdlc.models import MODELS
from protocols.shdlc.settings import SENSOR_SCHEMA, conflicts, parse_settings
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Models, PolledProtocol
from protocols.toolkit.scanning import Scanning


def _scanning() -> Scanning:
    from protocols.shdlc.scanning import SCANNING  # a service never searches

    return SCANNING


PROTOCOL = PolledProtocol(
    name="shdlc",
    title="Sensirion SHDLC",
    spec="Sensirion SHDLC, as in the SPS30 datasheet V2.0 (June 2023) §5",
    line=LineSettings(115200, 8, "N", 1),
    framer=StreamFramer,
    describer=Describer,
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=Sensor,
    conflicts=conflicts,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
    models=Models(names=lambda: tuple(MODELS), describer=Describer),
)
