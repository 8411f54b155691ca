"""How long a device takes to answer, learned from its own answers: pure.

A dead device costs the line one reply timeout each time it is asked, so the timeout should be no longer
than this device needs. What it needs shows in its last 1000 turn-arounds. Until 5 are known the configured
timeout applies, until 20 a wide margin, and the learned one never exceeds the configured one.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort

GUESSED_AFTER, KNOWN_AFTER = 5, 20
_WINDOW = 1000
_LEAST_S = 0.050
_MARGIN_S = 0.030
_WIDE, _WIDE_MARGIN_S = 2.0, 0.045  # over the slowest of a few


class TurnAround:
    """The last 1000 times from the end of a request to the first byte of its reply, in seconds."""

    def __init__(self) -> None:
        self._recent = array("d")  # a ring, oldest at _oldest once it is full
        self._oldest = 0
        self._sorted = array("d")

    def add(self, seconds: float) -> None:
        """One more turn-around was seen; the oldest beyond 1000 is forgotten."""
        if len(self._recent) < _WINDOW:
            self._recent.append(seconds)
        else:
            del self._sorted[bisect_left(self._sorted, self._recent[self._oldest])]
            self._recent[self._oldest] = seconds
            self._oldest = (self._oldest + 1) % _WINDOW
        insort(self._sorted, seconds)

    @property
    def is_known(self) -> bool:
        """Whether enough of them were seen to go by."""
        return len(self._sorted) >= KNOWN_AFTER

    @property
    def slowest_s(self) -> float:
        """The longest of them; 0 while none is known."""
        return self._sorted[-1] if self._sorted else 0.0

    def percentile_s(self, percent: float) -> float | None:
        """The time within which that share of them came; None while none is known."""
        if not self._sorted:
            return None
        return self._sorted[max(0, math.ceil(len(self._sorted) * percent / 100) - 1)]

    def reply_timeout_s(self, limit_s: float) -> float:
        """How long to wait for the first byte of a reply, never above `limit_s`."""
        p99_s = self.percentile_s(99)
        if p99_s is None or len(self._sorted) < GUESSED_AFTER:
            return limit_s
        if not self.is_known:
            return min(limit_s, max(_WIDE * self.slowest_s, self.slowest_s + _WIDE_MARGIN_S))
        return min(limit_s, max(1.5 * self.slowest_s, p99_s + _MARGIN_S, _LEAST_S))
