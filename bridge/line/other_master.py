"""Whether another master asks on this line: frames of units that nobody here asked. Pure.

A device that has another address than site.toml says may answer our request, once; what another master asks
is answered at any time. So a frame counts if it came when our last request was answered already, or if it
is not the first one since. One may be a reply that a converter kept for long; three within a minute are not.
"""

from __future__ import annotations

from collections import deque

_SURE_AFTER = 3  # frames …
_WITHIN_S = 60.0  # … in so long


class OtherMaster:
    """The frames of others that came unasked. Times are seconds of the loop's clock."""

    def __init__(self) -> None:
        self._heard_at: deque[float] = deque(maxlen=_SURE_AFTER)
        self._may_be_ours = False  # the next one may answer our request, from another address

    def asked(self) -> None:
        """Note that a request of ours is out."""
        self._may_be_ours = True

    def answered(self) -> None:
        """Note that our last request was answered."""
        self._may_be_ours = False

    def hears(self, at: float) -> None:
        """Note a good frame that is the reply to nothing we asked."""
        if not self._may_be_ours:
            self._heard_at.append(at)
        self._may_be_ours = False

    def is_likely(self, now: float) -> bool:
        """Return whether another master asked within the last minute."""
        return len(self._heard_at) == _SURE_AFTER and now - self._heard_at[0] <= _WITHIN_S
