"""The condition of one device, or of the converter before the line: what it keeps, and whether it hears."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.simulator.field.device_faults import UnitFaults


@dataclass(slots=True)
class Station:
    """The condition of one device, or of the converter; times are seconds of the wire's clock.

    Attributes:
        waiting: requests that it has kept: each answers from a time on, and returns when it is through.
        stalled_until: until then it keeps requests, or loses them.
        asked_at: when it was asked last.
        calls: requests since it fell asleep.
        deaf_until, refusing_until: until then it boots, and hears nothing, or refuses.
    """

    waiting: list[Callable[[float], float]] = field(default_factory=list)
    stalled_until: float = -math.inf
    asked_at: float = -math.inf
    calls: int = 0
    deaf_until: float = -math.inf
    refusing_until: float = -math.inf

    def is_awake(self, faults: UnitFaults, at: float) -> bool:
        """Return whether it is awake for a request, which may be the one that wakes it."""
        if at < self.deaf_until:
            return False
        if at - self.asked_at > faults.sleeps_after_s:
            self.calls = 0
        self.asked_at = at
        self.calls += 1
        return self.calls >= faults.wakes_after
