"""DL/T 645-2007: the catalogue's entry. The meter is asked; 2400 8E1 unless it was set otherwise."""

from __future__ import annotations

from protocols import Protocol, without_models
from protocols.dialogue import LineSettings
from protocols.dlt645.description import describe
from protocols.dlt645.device import Meter
from protocols.dlt645.frame import StreamFramer
from protocols.dlt645.settings import SENSOR_SCHEMA, MeterSettings, conflicts, parse_settings


def _address_of(settings: MeterSettings) -> str:
    return settings.address


def _units_of(settings: MeterSettings) -> dict[str, str]:
    return {item.name: item.unit for item in settings.items}


PROTOCOL = Protocol(
    name="dlt645",
    title="DL/T 645-2007",
    spec="DL/T 645-2007 multi-function watt-hour meter communication protocol",
    line=LineSettings(2400, 8, "E", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=Meter,
    address_of=_address_of,
    conflicts=conflicts,
    units_of=_units_of,
    bytesizes=frozenset({8}),
)
