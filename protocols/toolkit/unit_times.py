"""How long a unit needs to answer, as one who only listens sees it, and whether it was left alone for longer.

The usual time is taken from the median, so that a few late replies, and even a few that were another's, do
not move it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_RECENT: Final = 32
_ENOUGH: Final = 5  # times, before a median says anything
_UNKNOWN_S: Final = 1.0
_LEAST_S: Final = 0.1  # an adapter hands over in chunks, a busy machine hears late


class UnitTimes:
    """The times of one unit."""

    __slots__ = ("_heard_s", "_recent_s")

    def __init__(self) -> None:
        self._recent_s: deque[float] = deque(maxlen=_RECENT)
        self._heard_s: float | None = None

    @property
    def usual_s(self) -> float:
        """Return within which time it answers as a rule, with room: three times the median."""
        if len(self._recent_s) < _ENOUGH:
            return _UNKNOWN_S
        from statistics import median  # here, because it is large, and only who listens needs it

        return max(_LEAST_S, 3 * median(self._recent_s))

    def replied(self, turn_around_s: float, end_s: float) -> None:
        """Take a reply that began so long after a request, and ended then."""
        self._recent_s.append(turn_around_s)
        self._heard_s = end_s

    def is_left_alone(self, now: float, noise_s: float) -> bool:
        """Return whether it had the time to say all that it may have owed, and said nothing.

        Args:
            now: when it is asked next.
            noise_s: when something was heard last that may have been its reply.
        """
        if self._heard_s is None or noise_s > self._heard_s:
            return False
        return now - self._heard_s > self.usual_s
