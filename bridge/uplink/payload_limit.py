"""The longest payload that a way to the server carries, where something on it swallows long datagrams.

A tunnel or a firewall that drops fragments does not say so: long messages vanish, short ones are answered.
What was ever answered is proven. A longer one that got no answer, though the server was there, is tried
shorter, and so are all after it; the full length is tried again after a minute, then further and further
apart.
"""

from __future__ import annotations

LEAST = 400  # every IPv4 host takes datagrams of 576 bytes (RFC 791 §3.1)
_AGAIN_AFTER_S = (60.0, 3600.0)


class PayloadLimit:
    """One way's. Pure: `now` is seconds on any steady clock, lengths are bytes."""

    def __init__(self) -> None:
        self._proven = LEAST
        self._limit = 0
        self._until = 0.0
        self._again_after_s = _AGAIN_AFTER_S[0]

    def budget(self, most: int, now: float) -> int:
        """Return how long a payload may be now, at most `most`."""
        return most if now >= self._until else min(most, self._limit)

    def is_proven(self, length: int) -> bool:
        """Whether a payload as long as this was ever answered, or is too short to be swallowed."""
        return length <= self._proven

    def answered(self, length: int) -> None:
        """Note that a payload so long was answered."""
        if length > self._proven:
            self._proven = length
            self._again_after_s = _AGAIN_AFTER_S[0]

    def swallowed(self, length: int, now: float) -> None:
        """Note that a payload so long had no answer from a server that was there."""
        if self.is_proven(length):
            return
        self._limit = max(self._proven, length // 2)
        self._until = now + self._again_after_s
        self._again_after_s = min(2 * self._again_after_s, _AGAIN_AFTER_S[1])
