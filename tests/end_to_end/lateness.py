"""How late this process was. The simulated line runs in it, and when it is late its replies are."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from bridge.simulator.field.sensors import Served

LATE_S = 0.015  # by so much less than the margin of a learned time-out
WATCH_EVERY_S = 0.005
NEAR_S = 0.050
SHORTEST_WAIT_S = 0.050  # for a reply, of what is learned of a device


class Lateness:
    """When this process, in which the simulated line runs, was late itself.

    Attributes:
        gaps: when each ended, on the monotonic clock, and how long it was, in seconds.
    """

    def __init__(self) -> None:
        self.gaps: list[tuple[float, float]] = []
        self._is_over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Watch until the block ends."""
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self._is_over.set()
            watcher.join()

    def excuses(self, served: Iterable[Served] = ()) -> int:
        """Return how many time-outs of a reader may be the fault of this process."""
        waited = sum(math.ceil(gap_s / SHORTEST_WAIT_S) for _, gap_s in self.gaps)
        return waited + sum(reply.delay_s > LATE_S for reply in served)

    def longest_s(self, served: Iterable[Served] = ()) -> float:
        """Return how late a reply may have been at most through the fault of this process, in seconds."""
        return max([0.0, *(gap_s for _, gap_s in self.gaps), *(reply.delay_s for reply in served)])

    def near_s(self, at: float) -> float:
        """Return how late this process was when it handed over a reply at that time, in seconds."""
        return sum(gap_s for end, gap_s in self.gaps if end - gap_s - NEAR_S <= at <= end + NEAR_S)

    def _watch(self) -> None:
        awake_at = time.monotonic()
        while not self._is_over.wait(WATCH_EVERY_S):
            now = time.monotonic()
            if now - awake_at > WATCH_EVERY_S + LATE_S:
                self.gaps.append((now, now - awake_at))
            awake_at = now
