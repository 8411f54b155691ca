"""Whether a task gets on, for a watchdog: not that its event loop turns, but that its own work moves."""

from __future__ import annotations

import asyncio
import math

GRACE_S = 10.0  # what a loaded machine may be late


class Pulse:
    """A task says by when it will have got on; whoever watches asks whether it is overdue."""

    def __init__(self) -> None:
        self._due = math.inf

    def expect(self, within_s: float) -> None:
        """The task will say so again within that many seconds, whatever happens."""
        self._due = asyncio.get_running_loop().time() + within_s + GRACE_S

    @property
    def is_beating(self) -> bool:
        """Whether it is not overdue."""
        return asyncio.get_running_loop().time() <= self._due
