"""What is added to a status document on its way: what its process was started with, when, and its history.

The day of each line, which is longer, is a file of its own, written when a bucket of it is full.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bridge.status import value_history
from bridge.status.history import StateHistory
from bridge.status.line_history import LineHistory, parse
from bridge.status.runtime import Runtime
from bridge.status.value_history import ValueHistory

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument, SensorDocument, SpoolDocument
    from bridge.status.line_history import SensorTimes


def publisher(runtime: Runtime, part: str, fingerprint: str | None) -> Callable[[Mapping[str, object]], None]:
    """Return what publishes the status of a part of the site.

    Args:
        runtime: where.
        part: "bus-NAME" or "uplink".
        fingerprint: that of the part of site.toml that this process was started with.
    """
    marks = {"fingerprint": fingerprint, "started": _now_ms()} if fingerprint else {}
    return lambda document: runtime.publish(part, {**document, **marks})


def bus_publisher(
    runtime: Runtime, bus: str, fingerprint: str | None, backlog: Callable[[], SpoolDocument | None]
) -> Callable[[BusDocument], None]:
    """Return what publishes the status of a bus, with the history of its sensors.

    Args:
        runtime: where.
        bus: its name.
        fingerprint: as for `publisher`.
        backlog: returns what waits in memory because the disk takes nothing.
    """
    publish, history = publisher(runtime, f"bus-{bus}", fingerprint), StateHistory()

    def publish_bus(document: BusDocument) -> None:
        has_port = document["state"] != "lost"
        sensors = history.added_to(document["sensors"], _now_ms(), has_port=has_port)
        publish({**document, "sensors": sensors, "spool": backlog()})

    return publish_bus


def line_observer(
    runtime: Runtime, bus: str, boot_id: str, boottime_s: Callable[[], float]
) -> Callable[[Mapping[str, SensorDocument], Mapping[str, SensorTimes]], None]:
    """Return what keeps the last day of a bus's line, going on with that of an earlier process.

    Args:
        runtime: where.
        bus: its name.
        boot_id: of this boot.
        boottime_s: returns the seconds since then.
    """
    past = runtime.past(bus)
    history, values = LineHistory(parse(past, boot_id)), ValueHistory(value_history.parse(past, boot_id))

    def observe(sensors: Mapping[str, SensorDocument], times: Mapping[str, SensorTimes]) -> None:
        now_s = boottime_s()
        values.observe(now_s, sensors)
        if history.observe(now_s, sensors, times):
            runtime.publish_past(bus, f"{history.text(boot_id)},{values.text()}")

    return observe


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
