"""What is added to a status document on its way: what its process was started with, when, and its history."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bridge.status.history import StateHistory
from bridge.status.runtime import Runtime

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument, SpoolDocument


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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
