"""M-Bus on wires, EN 13757: meters of heat, water, gas and electricity, one file for each thing.

link         EN 13757-2: frames, acknowledgement, checksum, and how they are found in a stream
application  EN 13757-3: the content of a frame: headers, application errors, the fixed data structure
secondary    EN 13757-3: the secondary address, and the selection by it
records      EN 13757-3: data records: DIF, DIFE, VIF, VIFE, data
vif          EN 13757-3: the tables of VIF: the quantity of a record, and its unit
vife         EN 13757-3: the table of combinable VIFE
makers       the VIF and VIFE that manufacturers define themselves, as far as they publish them
data         EN 13757-3 annex A: data types: integers, BCD, reals, dates, texts
items        a record into a name, a unit and a value
settings     how an installer writes a meter down: its keys, and every mistake in them
device       one meter, polled by its primary or secondary address
overhearing  the same, where a foreign master polls it
description  frames into fields, for people
scanning     who is on a line that nobody knows; secondary_search, the tree of secondary addresses
simulation   the other side: a meter that answers

The meter is polled; 2400 8E1 unless it was set otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from protocols.mbus.description import describe
from protocols.mbus.device import Meter
from protocols.mbus.link import LONGEST, StreamFramer
from protocols.mbus.overhearing import MeterOverhearer, candidates
from protocols.mbus.settings import SENSOR_SCHEMA, MeterSettings, conflicts, parse_settings
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning

# EN 13757-2: a meter answers within 330 bit times and 50 ms; the slowest line has 300 baud.
_REPLY_TIMEOUT_S: Final = 330 / 300 + 0.05


def _with_keys(keys: Mapping[str, MeterKey]) -> PolledProtocol[MeterSettings]:
    def device(sensors: Sequence[MeterSettings], line: LineSettings) -> Meter:
        return Meter(sensors, line, keys.get(sensors[0].address))

    return replace(PROTOCOL, device=device, overhearer=partial(MeterOverhearer, keys=keys))


def _scanning() -> Scanning:
    from protocols.mbus.scanning import SCANNING  # a service never searches

    return SCANNING


PROTOCOL: Final[PolledProtocol[MeterSettings]] = PolledProtocol(
    name="mbus",
    title="M-Bus, wired",
    spec="EN 13757-2 and EN 13757-3",
    line=LineSettings(2400, 8, "E", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=Meter,
    overhearer=MeterOverhearer,
    candidates=candidates,
    conflicts=conflicts,
    reply_timeout_s=_REPLY_TIMEOUT_S,
    longest=LONGEST,
    bytesizes=frozenset({8}),
    with_keys=_with_keys,
    scanning=_scanning,
)
