"""What one sensor tells becomes readings: encoded, stamped, and put into the spool.

Values without one usable number or text are no reading, and neither are those that `publish = "change"`
suppresses; both are counted. Nothing old is ever shown as fresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.clock import Clock, Instant
from bridge.reader.on_change import OnChange
from bridge.spool import Reading, SpoolWriter
from bridge.thingsboard import encode_values, unstorable
from protocols.dialogue import Values

if TYPE_CHECKING:
    from bridge.config import Sensor


class Intake:
    """The way of one sensor's values into the spool."""

    def __init__(self, sensor: Sensor, spool: SpoolWriter, clock: Clock) -> None:
        self._name = sensor.name
        self._spool = spool
        self._clock = clock
        self._on_change = (
            OnChange(deadband=sensor.deadband, at_least_s=sensor.at_least_s, every_s=sensor.every_s)
            if sensor.publish == "change"
            else None
        )
        self._last_ts: int | None = None
        self._last_values: Values | None = None
        self._empty = self._unchanged = self._unstorable = 0

    def take(self, values: Values, taken: Instant) -> None:
        """These values were on the wire at that time."""
        body, points = encode_values(values)
        if points < len(values):
            self._unstorable += len(unstorable(values))
        if not points:
            self._empty += 1
            return
        ts_ms = self._clock.ts_ms(taken, self._name)
        if self._on_change is None or self._on_change.keeps(values, taken.boottime_ns / 1e9):
            self._spool.put(Reading(self._name, taken, ts_ms, body, points))
        else:
            self._unchanged += 1
        self._last_ts, self._last_values = ts_ms, values

    def document(self) -> dict[str, Any]:
        """What status says of the sensor's values."""
        return {
            "last_ts": self._last_ts,
            "last_values": self._last_values,
            "empty": self._empty,
            "unchanged": self._unchanged,
            "unstorable": self._unstorable,
        }
