"""How many values one message carries, found from which messages are answered 5.00.

A token bucket of 20 never takes a message of 21 values, however long one waits. So a size is searched for:

    proven      the most values in one message that was accepted
    trial       twice that, when it is time for one; accepted, it is proven, refused, the next is further off

A message of a proven size that is refused was refused for its speed or by chance. The next is of the same
size; those after it are halved, down to one reading. Only a reading that alone is refused `ALONE` times in a
row is cut, its parts again after half as many, and all readings as large as that one with it, until one as
large is accepted whole.
"""

from __future__ import annotations

ALONE = 8
_TRIAL_AFTER_S = (1.0, 300.0)


class MessageSize:
    """The message size of one credential, in values. Pure."""

    def __init__(self) -> None:
        self._proven_points = 0  # nothing yet: one reading
        self._trial_at = 0.0
        self._is_refused = False  # the last message was: no time for a trial
        self._trial_after_s = _TRIAL_AFTER_S[0]
        self._in_a_row = 0
        self._alone_in_a_row = 0
        self._cut_from: int | None = None

    def points(self, first_points: int, now: float) -> int:
        """Return the most values for the next message, whose first reading has `first_points`."""
        is_time = now >= self._trial_at and not self._is_refused
        most = 2 * self._proven_points if is_time else self._proven_points
        if self._cut_from is None or first_points < self._cut_from:
            most = max(most, first_points)
        return max(most, 1)

    def is_trial(self, points: int) -> bool:
        """Return whether a message of so many values is larger than any that was accepted."""
        return 0 < self._proven_points < points

    def record_accepted(self, points: int) -> None:
        """Record that a message of so many values was accepted."""
        self._in_a_row = self._alone_in_a_row = 0
        self._is_refused = False
        if points > self._proven_points:
            self._proven_points = points
            self._trial_at, self._trial_after_s = 0.0, _TRIAL_AFTER_S[0]
        if self._cut_from is not None and points >= self._cut_from:
            self._cut_from = None

    def record_refused(self, points: int, now: float, *, alone: bool) -> None:
        """Record that a message of so many values was answered 5.00.

        Args:
            points: values in the message.
            now: in seconds, on any steady clock.
            alone: whether it carried one reading, or a part of one.
        """
        is_first, self._is_refused = not self._is_refused, True
        self._alone_in_a_row += alone
        if self._alone_in_a_row >= (ALONE if self._cut_from is None else ALONE // 2):
            self.too_large(points, now, alone=True)
        elif is_first and self.is_trial(points):
            self._try_later(now)
            self._trial_after_s = min(2 * self._trial_after_s, _TRIAL_AFTER_S[1])
        elif not alone:
            self._in_a_row += 1
            if self._in_a_row > 1:
                self._proven_points = min(self._proven_points, max(points // 2, 1))

    def too_large(self, points: int, now: float, *, alone: bool) -> None:
        """Halve a message that will not be accepted at this size, even if it is one reading `alone`."""
        if alone:
            self._cut_from = points if self._cut_from is None else min(points, self._cut_from)
        self._proven_points = max(points // 2, 1)
        self._alone_in_a_row = 0
        self._try_later(now)

    def _try_later(self, now: float) -> None:
        self._trial_at = now + self._trial_after_s
