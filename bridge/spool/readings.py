"""What goes into the spool, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.clock import Instant


@dataclass(frozen=True, slots=True)
class Reading:
    """One answered poll, on its way into the spool.

    Attributes:
        sensor: its name in site.toml.
        taken: when its first byte was on the wire.
        ts_ms: its stamp, milliseconds since 1970 UTC; None if the time was not trusted yet.
        body: its values as a JSON object, b'{"voltage":230.1}'.
        points: how many values that is.
    """

    sensor: str
    taken: Instant
    ts_ms: int | None
    body: bytes
    points: int


@dataclass(frozen=True, slots=True)
class Row:
    """One dated reading in the spool. `id` grows with the order of arrival and is never used twice."""

    id: int
    sensor: str
    ts_ms: int
    points: int
    body: bytes
