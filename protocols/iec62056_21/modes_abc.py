"""IEC 62056-21, modes A, B and C: the protocol `iec62056-21`. The meter is polled, at first with 300 7E1."""

from __future__ import annotations

from protocols.iec62056_21.description import describe
from protocols.iec62056_21.frame import MAX_LENGTH, StreamFramer
from protocols.iec62056_21.meter import Meter
from protocols.iec62056_21.overhearing import MeterOverhearer, candidates
from protocols.iec62056_21.settings import SENSOR_SCHEMA, conflicts, parse_settings
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning


def _scanning() -> Scanning:
    from protocols.iec62056_21.scanning import SCANNING  # a service never searches

    return SCANNING


PROTOCOL = PolledProtocol(
    name="iec62056-21",
    title="IEC 62056-21, modes A, B and C",
    spec="IEC 62056-21:2002 direct local data exchange; IEC 62056-61 OBIS codes",
    line=LineSettings(300, 7, "E", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=Meter,
    overhearer=MeterOverhearer,
    candidates=candidates,
    conflicts=conflicts,
    reply_timeout_s=2.0,  # a meter answers within 1.5 s
    longest=MAX_LENGTH,
    scanning=_scanning,
)
