"""DL/T 645-1997: the catalogue's entry. The meter is asked; 1200 8E1 unless it was set otherwise."""

from __future__ import annotations

from functools import partial
from typing import Final

from protocols.dlt645.description import describe
from protocols.dlt645.device import Meter
from protocols.dlt645.edition import DLT645_1997
from protocols.dlt645.entry import address_of, units_of
from protocols.dlt645.frame import StreamFramer
from protocols.dlt645.settings import conflicts, parse_settings, sensor_schema
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, without_models

PROTOCOL: Final = Protocol(
    name="dlt645-1997",
    title="DL/T 645-1997",
    spec="DL/T 645-1997 multi-function watt-hour meter communication rule",
    line=LineSettings(1200, 8, "E", 1),
    framer=StreamFramer,
    describer=without_models(lambda: partial(describe, edition=DLT645_1997)),
    schema=sensor_schema(DLT645_1997),
    settings=partial(parse_settings, edition=DLT645_1997),
    device=partial(Meter, edition=DLT645_1997),
    address_of=address_of,
    conflicts=conflicts,
    units_of=units_of,
    bytesizes=frozenset({8}),
)
