"""The last 1000 of a kind of time span, for its slowest and its percentiles. Pure."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort

_WINDOW = 1000


class RecentTimes:
    """The last 1000 times from the end of a request to the first octet of its reply, in seconds."""

    def __init__(self) -> None:
        self._recent = array("d")  # a ring, oldest at _oldest once it is full
        self._oldest = 0
        self._sorted = array("d")
        self._total = 0

    def add(self, seconds: float) -> None:
        """Add a time in seconds; the oldest beyond 1000 is forgotten."""
        self._total += 1
        if len(self._recent) < _WINDOW:
            self._recent.append(seconds)
        else:
            del self._sorted[bisect_left(self._sorted, self._recent[self._oldest])]
            self._recent[self._oldest] = seconds
            self._oldest = (self._oldest + 1) % _WINDOW
        insort(self._sorted, seconds)

    @property
    def count(self) -> int:
        """Return how many times there are, up to 1000."""
        return len(self._sorted)

    @property
    def total(self) -> int:
        """Return how many times were ever added."""
        return self._total

    @property
    def slowest_s(self) -> float:
        """Return the longest time, in seconds; 0 while there is none."""
        return self._sorted[-1] if self._sorted else 0.0

    def percentile_s(self, percent: float) -> float | None:
        """Return the time in seconds within which `percent` of the replies came; None while there is none."""
        if not self._sorted:
            return None
        return self._sorted[max(0, math.ceil(len(self._sorted) * percent / 100) - 1)]

    def newest_percentile_s(self, count: int, percent: float) -> float | None:
        """Return the same of the newest `count` times, as far as they are kept; None without any."""
        count = min(count, len(self._recent))
        if count <= 0:
            return None
        ordered = [*self._recent[self._oldest :], *self._recent[: self._oldest]]
        newest = sorted(ordered[-count:])
        return newest[max(0, math.ceil(count * percent / 100) - 1)]
