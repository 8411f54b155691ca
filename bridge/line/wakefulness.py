"""Whether this process was awake while it waited for a reply.

A process that is stopped or starved for a second finds the reply in the kernel's buffer when it goes on, and
nothing tells when it came. So while a reply is waited for, a timer ticks: what came since its last tick came
no earlier than that. A reply found after a gap teaches nothing about its device, and its time is known only
to lie inside the gap.
"""

from __future__ import annotations

import asyncio
import math

TICK_S = 0.025
GAP_S = 0.050  # what a busy process may be late without being said to have slept
_SAME_S = 0.050  # what is found so soon after a gap may have come inside it: a starved process goes on slowly


class Wakefulness:
    """Ticks from `start` to `stop`.

    Args:
        tick_s: seconds between two ticks; a gap that is shorter is not noticed.

    Attributes:
        slept_s: the sum of the gaps since `start`.
    """

    def __init__(self, tick_s: float = TICK_S) -> None:
        self.slept_s = 0.0
        self._tick_s = tick_s
        self._awake_at = 0.0
        self._gap_s = 0.0
        self._gap_ended_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the ticks."""
        self.slept_s = 0.0
        self._gap_ended_at = -math.inf
        self._awake_at = asyncio.get_running_loop().time()
        self._arm()

    def stop(self) -> None:
        """Stop the ticks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def gap_s(self) -> float:
        """Return how long the process was not awake until now, in seconds; 0 if no longer than usual."""
        if self._timer is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        gap_s, self._awake_at = now - self._awake_at, now
        if gap_s > self._tick_s + GAP_S:
            self.slept_s += gap_s
            self._gap_s, self._gap_ended_at = gap_s, now
        return self._gap_s if now - self._gap_ended_at <= _SAME_S else 0.0

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        self.gap_s()
        self._arm()
