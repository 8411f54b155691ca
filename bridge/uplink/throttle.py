"""How fast one credential sends while the server answers some messages 5.00: their size and their rate.

What holds whatever the server does:

    floor       the next message leaves within `FLOOR_S`, and readings leave at least as fast as they come
    by time     a limit fades with time, not with messages: who reads once an hour is not slow for days
    retry       a refused message is tried again at its rate; after six refusals in a row, further apart
"""

from __future__ import annotations

from bridge.uplink.message_size import ALONE, MessageSize
from bridge.uplink.rate import Rate

FLOOR_S = 5.0
AT_ONCE_S = 2.0  # a message carries no more than flows in this time

_RETRY_S = 0.5
_PATIENT_AFTER = 6  # refusals in a row
_FURTHER = 1.25


class Throttle:
    """The size and rate of one credential's messages. Pure.

    `now` and `sent_at` are seconds on any steady clock.
    """

    def __init__(self) -> None:
        self._size = MessageSize()
        self._rate = Rate()
        self.refused_in_a_row = 0

    @property
    def slowed_since(self) -> float | None:
        """Return when the server's 5.00 began to limit the rate; None while they do not."""
        return self._rate.limited_since

    def per_s(self, now: float) -> float | None:
        """Return how many values a second may be sent; None for no limit."""
        return self._rate.per_s(now)

    def points(self, first_points: int, now: float) -> int:
        """Return the most values for the next message, whose first reading has `first_points`."""
        points = self._size.points(first_points, now)
        rate = self.per_s(now)
        return points if rate is None else min(points, max(first_points, int(rate * AT_ONCE_S)))

    def record_inflow(self, points: int, now: float) -> None:
        """Record a reading of so many values from the sensor: readings leave no slower than they come."""
        self._rate.record_inflow(points, now)

    def record_accepted(self, points: int, now: float) -> float:
        """Record that a message of so many values was accepted; return the seconds to wait for the next."""
        if self.refused_in_a_row >= ALONE:
            self._rate.forgive()  # it was the size, or the server: at this pace a bucket refills
        self.refused_in_a_row = 0
        self._size.record_accepted(points)
        self._rate.record_accepted(points, now)
        return self._spacing_s(points, now)

    def record_refused(self, points: int, sent_at: float, now: float, *, alone: bool) -> float:
        """Record that a message was answered 5.00; return the seconds to wait for the next.

        Args:
            points: values in the message.
            sent_at: when it was sent: an answer tells only about what went before.
            now: when it was answered.
            alone: whether it carried one reading, or a part of one.
        """
        self.refused_in_a_row += 1
        if not self._size.is_trial(points):
            self._rate.record_refused(points, sent_at, now)
        self._size.record_refused(points, now, alone=alone)
        further = _FURTHER ** max(0, min(self.refused_in_a_row, 20) - _PATIENT_AFTER)
        return min(max(self._spacing_s(self.points(1, now), now), _RETRY_S) * further, FLOOR_S)

    def forgive(self) -> None:
        """Forget the refusals since a message was last accepted: the server refused everybody."""
        self._rate.forgive()

    def too_large(self, points: int, now: float, *, alone: bool) -> None:
        """Send fewer values at once than in a message that the server finds too long."""
        self._size.too_large(points, now, alone=alone)

    def _spacing_s(self, points: int, now: float) -> float:
        rate = self.per_s(now)
        return 0.0 if rate is None else min(points / rate, FLOOR_S)
