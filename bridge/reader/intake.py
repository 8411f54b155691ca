"""The values of one sensor become readings: encoded, stamped, and put into the spool.

Values without one usable number or text are no reading, and neither are those that `publish = "change"`
suppresses; both are counted. A reading that the server never got does not count as published: the next
one goes, changed or not. Nothing old is ever shown as fresh.

ThingsBoard keeps one value per key and millisecond. Of a faster sensor, as many readings are kept as have a
millisecond to themselves near the one they were taken in; the rest is dropped, in the books and in the log.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bridge.clock import Clock, Instant
from bridge.reader.on_change import OnChange
from bridge.spool import Reading, SpoolWriter
from bridge.thingsboard import encode_values, unstorable
from protocols.toolkit.polling import Values

if TYPE_CHECKING:
    from bridge.config import Sensor
    from bridge.status.documents import SensorDocument


_log = logging.getLogger(__name__)

STAMP_ERROR = "stamp_error_ms"
"""The key for the possible error of a reading's stamp, where the process was not awake on arrival."""

AHEAD_MS = 50
"""The most that a stamp may be ahead of the time it is of, because the milliseconds before are taken."""


class Intake:
    """Encode, stamp and spool the values of one sensor."""

    def __init__(self, sensor: Sensor, spool: SpoolWriter, clock: Clock) -> None:
        self._name = sensor.name
        self._offsets = sensor.offsets
        self._spool = spool
        self._clock = clock
        self._on_change = (
            OnChange(deadband=sensor.deadband, at_least_s=sensor.at_least_s, every_s=sensor.every_s)
            if sensor.publish == "change"
            else None
        )
        self._stamps = StampBudget()
        self._is_too_fast = False
        self._last_ts: int | None = None
        self._last_values: Values | None = None
        self._empty = self._unchanged = self._unstorable = self._uncertain_stamps = 0

    def take(self, values: Values, taken: Instant, *, stamp_error_s: float = 0.0) -> None:
        """Spool the values of one poll or telegram as a reading.

        Args:
            values: in engineering units, by key, as the device says them: its offsets are added here.
            taken: when they were on the wire.
            stamp_error_s: how uncertain that time is, in seconds; the reading says so. 0: as exact as usual.
        """
        if self._offsets:
            from bridge.reader.offsets import continued  # here, because few sensors were replaced

            values = continued(values, self._offsets)
        body, points = encode_values(values)
        if points < len(values):
            self._unstorable += len(unstorable(values))
        if not points:
            self._empty += 1
            return
        self._last_ts, self._last_values = self._clock.measured_ms(taken), values
        if self._on_change is not None and self._spool.was_lost(self._name):
            self._on_change.forget()
        if self._on_change is not None and not self._on_change.keeps(values, taken.boottime_ns / 1e9):
            self._unchanged += 1
        elif self._stamps.grants(taken.boottime_ns):
            self._put(values, body, points, taken, stamp_error_s)
        else:
            self._drop()

    def _put(self, values: Values, body: bytes, points: int, taken: Instant, stamp_error_s: float) -> None:
        """Stamp a reading and spool it; a stamp that differs from the reading's time is marked in it."""
        measured_ms = self._last_ts
        self._last_ts = ts_ms = self._clock.ts_ms(taken, self._name)
        if ts_ms is not None and measured_ms is not None and ts_ms - measured_ms > AHEAD_MS:
            stamp_error_s = max(stamp_error_s, (ts_ms - measured_ms) / 1000)  # the clock was set back
        if stamp_error_s:
            self._uncertain_stamps += 1
            body, points = encode_values({**values, STAMP_ERROR: round(1000 * stamp_error_s)})
        self._spool.put(Reading(self._name, taken, ts_ms, body, points))

    def _drop(self) -> None:
        """Book a reading as dropped because it came too soon after those before it."""
        if not self._is_too_fast:
            _log.warning(
                "%s: more than 1000 readings/s, but the server keeps one a millisecond; the rest is dropped: "
                'read it less often, with every = "…"',
                self._name,
            )
        self._is_too_fast = True
        self._spool.lose(self._name)
        if self._on_change is not None:
            self._on_change.forget()

    def document(self) -> SensorDocument:
        """Return the part of the status document about the sensor's values."""
        return {
            "last_ts": self._last_ts,
            "last_values": self._last_values,
            "empty": self._empty,
            "unchanged": self._unchanged,
            "unstorable": self._unstorable,
            "uncertain_stamps": self._uncertain_stamps,
        }


class StampBudget:
    """How many readings may be stamped: one a millisecond, and a few that come together. Pure."""

    def __init__(self) -> None:
        self._ahead_ms = 0.0
        self._latest_ns = 0

    def grants(self, taken_ns: int) -> bool:
        """Return whether a reading can be stamped at most `AHEAD_MS` after it was taken.

        Args:
            taken_ns: when it was taken, in ns of boottime.
        """
        passed_ms = max(0, taken_ns - self._latest_ns) / 1e6
        self._latest_ns = max(taken_ns, self._latest_ns)
        self._ahead_ms = max(0.0, self._ahead_ms - passed_ms)
        if self._ahead_ms + 1 > AHEAD_MS:
            return False
        self._ahead_ms += 1
        return True
