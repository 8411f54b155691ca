"""`aligned = true`: a grid on the wall clock, so that a quarter hour is read at :00, :15, :30 and :45. Pure.

The intervals are counted from 1970 in UTC, and each gets one reading: at its begin or, where that passed
without one, as soon as possible. So the grid never drifts, and it is clear what happens when one is late:

    a start within an interval      its poll comes at once, unless a reading of it is in the spool's books
    a poll without an answer        it is repeated after `RETRY_S`, until the device is silent
    the clock is set forward        the interval that it lands in is polled at once; those between are missed
    set back within an interval     the interval was polled: the next poll is at the begin of the next one
    set back by more than one       the new time is believed, and its next begin is polled
    the time is not trusted yet     the device has a grid of its own, from its first poll on

The clock is looked at before every poll, and at least once a second: it may be set at any moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

LOOK_EVERY_S: Final = 1.0
RETRY_S: Final = (5.0, 60.0)  # after the first and the second poll in a row without an answer
WITHIN_S: Final = 1.0  # an aligned poll goes before others whose slots end later than this after its begin

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Alignment(Generic[Key]):
    """Which devices are aligned, and to what.

    Attributes:
        newest_s: for each of them the wall time of its newest reading, in seconds since 1970; None if it has
            none.
        ahead_s: returns how far the wall clock is ahead of the caller's, given the caller's time, both in
            seconds; None while the wall clock is not trusted.
    """

    newest_s: Mapping[Key, float | None]
    ahead_s: Callable[[float], float | None]


def next_slot(every_s: float, wall_s: float, polled_s: float | None) -> int:
    """Return the number of the interval that is to be polled next.

    Args:
        every_s: the length of an interval.
        wall_s: seconds since 1970 now.
        polled_s: a wall time within the interval that was polled last; None if none was.
    """
    current = math.floor(wall_s / every_s)
    if polled_s is None:
        return current
    polled = math.floor(polled_s / every_s)
    return polled + 1 if polled <= current + 1 else current + 1


def retry_s(every_s: float, misses: int) -> float:
    """Return the seconds from a poll without an answer, the `misses`-th in a row, to its repetition."""
    return min(RETRY_S[min(misses, len(RETRY_S)) - 1], every_s / 3)
