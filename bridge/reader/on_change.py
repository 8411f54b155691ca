"""Report on change: which of a sensor's readings are kept. Pure; time is passed in.

A reading is kept whole, as it was measured and with its own time, or not at all. What it is compared with is
the last one kept, not the last one measured: a value that creeps is kept each time it has crept further than
the deadband. Kept means that the server has it or will: whoever learns that it was lost says so.
"""

from __future__ import annotations

import math
from typing import TypeGuard

from protocols.toolkit.polling import Values


class OnChange:
    """Decides for one sensor.

    Args:
        deadband: a number has changed if it moved by more than this, in its own unit.
        at_least_s: a reading is kept at least this often, changed or not; None: only if changed.
        every_s: how often the sensor is read. One that would be kept within half of that is kept now, so that
            readings a moment early do not stretch `at_least_s` by a whole period.
    """

    def __init__(
        self, *, deadband: float = 0.0, at_least_s: float | None = None, every_s: float = 0.0
    ) -> None:
        self._deadband = deadband
        self._due_after_s = None if at_least_s is None else at_least_s - min(every_s, at_least_s) / 2
        self._kept: Values | None = None
        self._kept_at_s = 0.0

    def keeps(self, values: Values, at_s: float) -> bool:
        """Whether this reading is kept; asked once for each, in order.

        Args:
            values: as measured; NaN and infinity count as left out, as they are when sent.
            at_s: when, in seconds of a clock that never steps.
        """
        present = {key: value for key, value in values.items() if not _is_void(value)}
        if not self._is_due(at_s) and not self._has_changed(present):
            return False
        self._kept, self._kept_at_s = present, at_s
        return True

    def forget(self) -> None:
        """Keep the next reading whatever it is: the last one kept has not reached the server."""
        self._kept = None

    def _is_due(self, at_s: float) -> bool:
        return self._due_after_s is not None and at_s - self._kept_at_s >= self._due_after_s

    def _has_changed(self, values: Values) -> bool:
        """A value that appears or disappears is a change too."""
        kept = self._kept
        return (
            kept is None
            or kept.keys() != values.keys()
            or any(self._moved(kept[key], value) for key, value in values.items())
        )

    def _moved(self, before: object, now: object) -> bool:
        """Numbers move by more than the deadband; texts and states are the same or not."""
        if _is_number(before) and _is_number(now):
            return abs(now - before) > self._deadband
        return type(before) is not type(now) or before != now


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_void(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
