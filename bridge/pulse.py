"""The heartbeat of a task, for a watchdog: proof that the task's own work moves, not only its event loop."""

from __future__ import annotations

import asyncio
import math

GRACE_S = 10.0  # what a loaded machine may be late


class Heartbeat:
    """The deadline of a task's next sign of life: the task extends it, a watchdog asks if it has passed."""

    def __init__(self) -> None:
        self._deadline = math.inf

    def extend(self, within_s: float) -> None:
        """Promise the next `extend` within that many seconds; `GRACE_S` is added for a loaded machine."""
        self._deadline = asyncio.get_running_loop().time() + within_s + GRACE_S

    @property
    def is_alive(self) -> bool:
        """Return whether the deadline has not passed; True before the first `extend`."""
        return asyncio.get_running_loop().time() <= self._deadline
