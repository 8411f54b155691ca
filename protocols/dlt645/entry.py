"""DL/T 645-2007: the catalogue's entry. The meter is asked; 2400 8E1 unless it was set otherwise."""

from __future__ import annotations

from protocols.dlt645.description import describe
from protocols.dlt645.device import Meter
from protocols.dlt645.edition import DLT645_2007
from protocols.dlt645.frame import StreamFramer
from protocols.dlt645.settings import MeterSettings, conflicts, parse_settings, sensor_schema
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, without_models


def address_of(settings: MeterSettings) -> str:
    """Return the address of the meter, twelve digits."""
    return settings.address


def units_of(settings: MeterSettings) -> dict[str, str]:
    """Return the values that are read, each with its unit."""
    return {item.name: item.unit for item in settings.items}


PROTOCOL = Protocol(
    name="dlt645",
    title="DL/T 645-2007",
    spec="DL/T 645-2007 multi-function watt-hour meter communication protocol",
    line=LineSettings(2400, 8, "E", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=sensor_schema(DLT645_2007),
    settings=parse_settings,
    device=Meter,
    address_of=address_of,
    conflicts=conflicts,
    units_of=units_of,
    bytesizes=frozenset({8}),
)
