"""Detects a server that answers 5.00 to every credential, and decides when to probe it.

One credential's 5.00 may be its rate limit, and its throttle deals with that. Where nothing at all was
accepted for some seconds it is the server that fails: waiting longer and longer is pointless then, and one
message in a while finds out when the failure ends.
"""

from __future__ import annotations

TO_ALL_AFTER_S = 5.0


class Refusals:
    """The 5.00 answers of one link. Pure: `now` is seconds on any steady clock.

    Args:
        probe_every_s: between two messages while all are refused.
    """

    def __init__(self, probe_every_s: float) -> None:
        self._probe_every_s = probe_every_s
        self._since: float | None = None
        self._refused_at = 0.0

    def record_refused(self, now: float) -> None:
        """Record a 5.00."""
        self._refused_at = now
        if self._since is None:
            self._since = now

    def record_accepted(self, now: float) -> bool:
        """Record an answer other than 5.00 and return whether it ends a failure of the server."""
        was_failing = self._is_failing(now)
        self._since = None
        return was_failing

    def probe_at(self, now: float) -> float | None:
        """Return when the next probe is due; None unless all are refused."""
        return self._refused_at + self._probe_every_s if self._is_failing(now) else None

    def is_time_to_probe(self, now: float) -> bool:
        """Return whether a message may be sent before its credential's time."""
        probe_at = self.probe_at(now)
        return probe_at is not None and now >= probe_at

    def _is_failing(self, now: float) -> bool:
        return self._since is not None and now - self._since >= TO_ALL_AFTER_S
