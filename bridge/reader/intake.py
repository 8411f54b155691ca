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


STAMP_ERROR = "stamp_error_ms"
"""The key under which a reading says how wrong its stamp may be, where nobody was awake when it came."""


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
        self._empty = self._unchanged = self._unstorable = self._uncertain_stamps = 0

    def take(self, values: Values, taken: Instant, *, stamp_error_s: float = 0.0) -> None:
        """Make a reading of values that were on the wire at that time.

        Where that time is only known to `stamp_error_s` (0: as well as usual), the reading says so.
        """
        body, points = encode_values(values)
        if points < len(values):
            self._unstorable += len(unstorable(values))
        if not points:
            self._empty += 1
            return
        ts_ms = self._clock.ts_ms(taken, self._name)
        if self._on_change is None or self._on_change.keeps(values, taken.boottime_ns / 1e9):
            if stamp_error_s:
                self._uncertain_stamps += 1
                body, points = encode_values({**values, STAMP_ERROR: round(1000 * stamp_error_s)})
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
            "uncertain_stamps": self._uncertain_stamps,
        }
