"""The state of a sensor as others see it: its reader's word, unless nobody reads it or its port is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bridge.status.history import NO_PORT

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument, SensorDocument

NOT_RUNNING: Final = "not running"
UNHEARD: Final = frozenset({"never", "silent", NO_PORT, NOT_RUNNING})
"""The states in which a sensor gives no sign of life; in every other one it is heard."""


def bus_state(document: BusDocument | None) -> str:
    """Return the state of a bus's port; "not running" if nobody reads the bus."""
    return document["state"] if document is not None and document.get("running") else NOT_RUNNING


def sensor_state(document: BusDocument | None, sensor: SensorDocument) -> str:
    """Return the state of a sensor.

    Args:
        document: of its bus; None if no process has published one.
        sensor: its own document, empty if that of the bus has none.
    """
    of_bus = bus_state(document)
    if of_bus == NOT_RUNNING or not sensor:
        return NOT_RUNNING
    return NO_PORT if of_bus == "lost" else sensor.get("state", "never")


def counts_of(buses: Mapping[str, BusDocument], bus: str, sensor: str) -> SensorDocument:
    """Return the document of a sensor of a bus, empty if nobody has published one."""
    document = buses.get(bus)
    return {} if document is None else document.get("sensors", {}).get(sensor, {})


def sensor_states(buses: Mapping[str, BusDocument], sensors: Mapping[str, str]) -> dict[str, str]:
    """Return the state of each sensor, by its name.

    Args:
        buses: their newest documents, by name.
        sensors: the bus of each sensor of the site.
    """
    return {name: sensor_state(buses.get(bus), counts_of(buses, bus, name)) for name, bus in sensors.items()}
