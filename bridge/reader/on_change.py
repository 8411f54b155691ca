"""Report on change: the choice of the readings to keep. Pure; time is passed in.

A reading is kept whole, as it was measured and with its own time, or not at all. What it is compared with is
the last one kept, not the last one measured: a value that creeps is kept each time it has crept further than
the deadband. A reading that is kept counts as received by the server; `forget` when it was lost after all.
"""

from __future__ import annotations

import math
from typing import TypeGuard

from protocols.toolkit.polling import Values


class OnChange:
    """Decide which readings of one sensor are kept.

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
        self._last_values: Values | None = None
        self._last_kept_at_s = 0.0

    def keeps(self, values: Values, at_s: float) -> bool:
        """Return whether to keep this reading; call it once for each reading, in order.

        Args:
            values: as measured; NaN and infinity count as left out, as they are when sent.
            at_s: when, in seconds of a clock that never steps.
        """
        present = {key: value for key, value in values.items() if not _is_void(value)}
        if not self._is_due(at_s) and not self._has_changed(present):
            return False
        self._last_values, self._last_kept_at_s = present, at_s
        return True

    def forget(self) -> None:
        """Keep the next reading whatever it is: the last one kept has not reached the server."""
        self._last_values = None

    def _is_due(self, at_s: float) -> bool:
        return self._due_after_s is not None and at_s - self._last_kept_at_s >= self._due_after_s

    def _has_changed(self, values: Values) -> bool:
        """Return whether a value moved, appeared or disappeared since the last reading kept."""
        last_values = self._last_values
        return (
            last_values is None
            or last_values.keys() != values.keys()
            or any(self._moved(last_values[key], value) for key, value in values.items())
        )

    def _moved(self, before: object, now: object) -> bool:
        """Return whether a number moved by more than the deadband, or another value differs at all."""
        if _is_number(before) and _is_number(now):
            return abs(now - before) > self._deadband
        return type(before) is not type(now) or before != now


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_void(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
