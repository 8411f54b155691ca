"""Who is asked next, and when: pure, time is passed in.

Every device has a grid: the moment its first poll began, and every `every_s` seconds after it. Grids do not
drift, whatever a poll takes. The rules, in order of rank:

1. A device on its grid is due when a slot of it begins. Of those due, the one whose slot ends first is
   asked first (earliest deadline first). A slot that passes unasked is skipped and counted, never queued up.
   The deadline of an overdue device stays that of its first unasked slot, so under overload nobody starves:
   every device loses slots, about in proportion.
2. A device that missed three polls in a row is silent. All silent ones together get at most 5 % of the time,
   in turn, each never more often than its own grid: N-1 dead sensors do not cost the living their rate. They
   wait for a moment when nobody else is due, but not for ever: on an overloaded line they get their share all
   the same, or one that came back would never be found. With its first answer a device is back on its grid.
3. What is left goes in rotation to devices with `every_s=0`: as often as the line allows.

First polls are not spread on purpose: that would delay the first reading. A grid begins where its first poll
began, so the wire, which takes one poll after the other, has spread them already.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bridge.line.turn_around import TurnAround

SILENT_AFTER = 3  # missed polls in a row
SILENT_SHARE = 0.05  # of the time, for all silent devices together
_PATIENCE_S = (
    1.0  # a silent device whose turn it is lets the others go first for so long, or for its `every_s`
)

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Entry(Generic[Key]):
    key: Key
    every_s: float
    origin: float | None = None  # where its grid begins; None before the first poll
    slot: int = 0  # the first slot not yet asked
    misses: int = 0  # polls missed in a row
    asked_at: float = -math.inf
    not_before: float = -math.inf
    missed_slots: int = 0
    lateness: TurnAround = field(default_factory=TurnAround)  # of the last 1000 slots that were asked

    @property
    def is_silent(self) -> bool:
        return self.misses >= SILENT_AFTER

    @property
    def due_at(self) -> float:
        """Begin of the first unasked slot; without a grid always due."""
        if self.origin is None or not self.every_s:
            return -math.inf
        return self.origin + self.slot * self.every_s

    @property
    def deadline(self) -> float:
        return self.due_at + self.every_s


def _last_asked(entry: _Entry[Key]) -> float:
    return entry.asked_at


class Schedule(Generic[Key]):
    """Decides which device is asked next. Times are seconds of one monotonic clock."""

    def __init__(self, every_s: Mapping[Key, float]) -> None:
        """`every_s`: for each device the seconds from poll to poll, 0 for as often as the line allows."""
        self._entries = {key: _Entry(key, every) for key, every in every_s.items()}
        self._probe_at = -math.inf  # no silent device is asked before

    def take(self, now: float) -> Key | None:
        """The device to ask now, or None if nobody is due. Its slot is taken: tell `done` how it went."""
        entry = self._choose(now)
        if entry is None:
            return None
        self._advance(entry, now)
        return entry.key

    def done(
        self, key: Key, started: float, now: float, *, answered: bool, not_before: float = -math.inf
    ) -> None:
        """The poll of a device that began at `started` is over at `now`.

        Args:
            key: the device.
            started: when `take` gave it.
            now: when its poll was over.
            answered: whether it replied at all.
            not_before: it is not asked again before, as it may still say something.
        """
        entry = self._entries[key]
        entry.not_before = not_before
        if entry.is_silent:
            self._probe_at = started + (now - started) / SILENT_SHARE
        entry.misses = 0 if answered else entry.misses + 1

    def wake_at(self, now: float) -> float:
        """When somebody is due next, if nothing happens until then; `math.inf` if never."""
        return max(now, min((self._eligible_at(entry) for entry in self._entries.values()), default=math.inf))

    def is_silent(self, key: Key) -> bool:
        """Whether the device missed so many polls in a row that it is only probed."""
        return self._entries[key].is_silent

    def misses(self, key: Key) -> int:
        """How many polls in a row it missed."""
        return self._entries[key].misses

    def missed_slots(self, key: Key) -> int:
        """How many of its slots passed unasked since the start, while it was not silent."""
        return self._entries[key].missed_slots

    def lateness(self, key: Key) -> TurnAround:
        """How long after the begin of its slot it was asked, the last 1000 times, while it was not silent."""
        return self._entries[key].lateness

    def _eligible_at(self, entry: _Entry[Key]) -> float:
        due_at = max(entry.due_at, entry.not_before)
        return max(due_at, self._probe_at) if entry.is_silent else due_at

    def _choose(self, now: float) -> _Entry[Key] | None:
        due = [entry for entry in self._entries.values() if self._eligible_at(entry) <= now]
        silent = min((entry for entry in due if entry.is_silent), key=_last_asked, default=None)
        if silent and now - self._eligible_at(silent) > max(silent.every_s, _PATIENCE_S):
            return silent
        on_grid = [entry for entry in due if entry.every_s and not entry.is_silent]
        if on_grid:
            return min(on_grid, key=lambda entry: (entry.deadline, entry.every_s))
        return silent or min(due, key=_last_asked, default=None)

    @staticmethod
    def _advance(entry: _Entry[Key], now: float) -> None:
        entry.asked_at = now
        if entry.origin is None:
            entry.origin = now
        if not entry.every_s:
            return
        current = int((now - entry.origin) / entry.every_s)
        if not entry.is_silent:
            entry.lateness.add(now - entry.origin - max(entry.slot, current) * entry.every_s)
            entry.missed_slots += max(0, current - entry.slot)
        entry.slot = max(entry.slot, current) + 1
