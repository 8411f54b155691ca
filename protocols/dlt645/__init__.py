"""DL/T 645-2007: the Chinese standard of multi-function electricity meters, one file for each thing.

frame        §5: the frame on the wire, its checksum, and how it is found in a stream
data         2007, Annex A: data identifiers, and the encoding of their values
settings     how an installer writes a meter down: its keys, and every mistake in them
device       one meter, polled
overhearing  the same, where a foreign master polls it
description  frames into fields, for people
simulation   the other side: a simulated meter

The meter is polled; 2400 8E1 (2007) or 1200 8E1 (1997) unless it was set otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from protocols.dlt645.description import describe
from protocols.dlt645.device import Meter
from protocols.dlt645.edition import DLT645_1997, DLT645_2007
from protocols.dlt645.frame import StreamFramer
from protocols.dlt645.overhearing import MeterOverhearer, candidates
from protocols.dlt645.settings import conflicts, parse_settings, sensor_schema
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning


def _scanning() -> Scanning:
    from protocols.dlt645.scanning import SCANNING_2007  # a service never searches

    return SCANNING_2007


def _scanning_1997() -> Scanning:
    from protocols.dlt645.scanning import SCANNING_1997  # a service never searches

    return SCANNING_1997


PROTOCOL: Final = PolledProtocol(
    name="dlt645",
    title="DL/T 645-2007",
    spec="DL/T 645-2007 multi-function watt-hour meter communication protocol",
    line=LineSettings(2400, 8, "E", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=sensor_schema(DLT645_2007),
    settings=parse_settings,
    device=Meter,
    overhearer=MeterOverhearer,
    candidates=candidates,
    conflicts=conflicts,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
PROTOCOL_1997: Final = PolledProtocol(
    name="dlt645-1997",
    title="DL/T 645-1997",
    spec="DL/T 645-1997 multi-function watt-hour meter communication rule",
    line=LineSettings(1200, 8, "E", 1),
    framer=StreamFramer,
    describer=lambda: partial(describe, edition=DLT645_1997),
    schema=sensor_schema(DLT645_1997),
    settings=partial(parse_settings, edition=DLT645_1997),
    device=partial(Meter, edition=DLT645_1997),
    overhearer=partial(MeterOverhearer, edition=DLT645_1997),
    candidates=candidates,
    conflicts=conflicts,
    bytesizes=frozenset({8}),
    scanning=_scanning_1997,
)
