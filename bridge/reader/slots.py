"""The grid by which `every` thins out what comes by itself: one in each slot, on the sensor's own rhythm."""

from __future__ import annotations

from collections.abc import Hashable, KeysView


class Slots:
    """The next slot of each kind of what comes.

    Args:
        every_s: from one slot to the next, in seconds.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next_at: dict[Hashable, float] = {}

    @property
    def kinds(self) -> KeysView[Hashable]:
        """Return the kinds that came so far."""
        return self._next_at.keys()

    def take(self, kind: Hashable, at_s: float) -> bool:
        """Return whether what came is the one of its slot: the first since half a slot before it.

        Args:
            kind: what has a grid of its own.
            at_s: when it came, in seconds of a clock that never goes back.
        """
        slot_at = self._next_at.get(kind)
        if slot_at is not None and at_s < slot_at - self._every_s / 2:
            return False
        next_at = (at_s if slot_at is None else slot_at) + self._every_s
        self._next_at[kind] = max(next_at, at_s + self._every_s / 2)
        return True
