"""Decides which device is polled next, and when. Pure: time is passed in.

Every device has a grid: the moment its first poll began, and every `every_s` seconds after it. Grids do not
drift, whatever a poll takes. The rules, in order of rank:

1. A device on its grid is due when a slot of it begins. Of those due, the one whose slot ends first is
   asked first (earliest deadline first). A slot that passes unasked is skipped and counted, never queued up.
   The deadline of an overdue device stays that of its first unasked slot, so under overload nobody starves:
   every device loses slots, about in proportion.
2. A device that missed three polls in a row is silent. All silent ones together get at most 5 % of the time,
   in turn, each never more often than its own grid: N-1 dead sensors do not cost the living their rate. They
   wait for a moment when nobody else is due, but not for ever: on an overloaded line they get their share all
   the same, or one that came back would never be found. Only misses are charged to that share: once power is
   back, all are asked one after the other. Every second probe repeats its request, as some devices only wake
   at the first one; and now and then, for a small part of that share, a probe has more patience, as a slow
   device may be taken for a dead one. With its first answer a device is back on its grid.
3. A slow device does not cost the others theirs. On an overloaded line, one that takes more than its fair
   share is asked when nobody else is due. One that may be waited for beyond the configured time-out is asked
   at once where nobody loses a slot by that. Otherwise, where the line would have time enough if each of its
   polls took the configured time-out, it is asked and waited for so long: what comes later is heard all the
   same. Where the line has not, it is waited for in 1.5 % of the time.
4. The grid of an aligned device lies on the wall clock (`wall_grid`), and its poll waits for nobody who has
   time.
5. What is left goes in rotation to devices with `every_s=0`: as often as the line allows.

First polls are not spread on purpose: that would delay the first reading. A grid begins where its first poll
began, so the wire, which takes one poll after the other, has spread them already.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bridge.line import Patience
from bridge.line.recent_times import RecentTimes
from bridge.reader.fair_share import fair_share
from bridge.reader.wall_grid import LOOK_EVERY_S, WITHIN_S, Alignment, next_slot, retry_s

SILENT_AFTER = 3  # missed polls in a row
SILENT_SHARE = 0.05  # of the time, for all silent devices together,
WIDE_SHARE = 0.004  # of which this is for probes of more patience
SLOW_SHARE = 0.015  # of the time, for waiting for slow devices while others lose slots
_ROOM = 0.8  # a line that would be busy for no more of the time has some to spare
_PATIENCE_S = 1.0  # so long, or its `every_s`, a silent device whose turn it is lets the others go first

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Entry(Generic[Key]):
    key: Key
    every_s: float
    limit_s: float = math.inf  # the configured reply time-out
    origin: float | None = None  # where its grid begins; None before the first poll
    slot: int = 0  # the first slot not yet asked
    misses: int = 0  # polls missed in a row
    asked_at: float = -math.inf
    not_before: float = -math.inf
    missed_slots: int = 0
    cost_s: float = 0.0  # what its polls took of late, while it was not silent
    last_s: float = 0.0  # what the last of these took,
    usual_s: float = 0.0  # and the shorter of the last two: one odd poll does not count
    wait_s: float = 0.0  # so long its next poll may wait for a reply, where that is beyond the configured
    probes: int = 0  # since it fell silent, from 0 or 1 on, so that of those silent half are probed twice
    patience: Patience = Patience.USUAL  # of the poll under way
    is_at_expense: bool = False  # others may lose slots by the poll under way
    lateness: RecentTimes = field(default_factory=RecentTimes)  # of the last 1000 slots that were asked
    is_aligned: bool = False  # to the wall clock, once that is trusted

    @property
    def is_silent(self) -> bool:
        return self.misses >= SILENT_AFTER

    @property
    def due_at(self) -> float:
        """Return the begin of the first slot not yet polled; -inf without a grid."""
        if self.origin is None or not self.every_s:
            return -math.inf
        return self.origin + self.slot * self.every_s

    @property
    def deadline(self) -> float:
        return self.due_at + (min(self.every_s, WITHIN_S) if self.is_aligned else self.every_s)

    @property
    def demand(self) -> float:
        """Return the share of the time that the device takes if it is polled on its grid."""
        return self.cost_s / self.every_s if self.every_s and not self.is_silent else 0.0


def _last_asked(entry: _Entry[Key]) -> float:
    return entry.asked_at


class Schedule(Generic[Key]):
    """Decide which device is polled next. Times are seconds of one monotonic clock.

    Args:
        every_s: for each device the seconds from poll to poll, 0 for as often as the line allows.
        limit_s: for each its configured reply time-out.
        alignment: which of them are aligned to the wall clock; None for none.
    """

    def __init__(
        self,
        every_s: Mapping[Key, float],
        limit_s: Mapping[Key, float] | None = None,
        alignment: Alignment[Key] | None = None,
    ) -> None:
        limits_s = limit_s or {}
        self._entries = {
            key: _Entry(key, every, limits_s.get(key, math.inf)) for key, every in every_s.items()
        }
        self._alignment = alignment if alignment is not None and alignment.newest_s else None
        self._probe_at = -math.inf  # no silent device is asked before
        self._wide_at = -math.inf  # nor with more patience than usual
        self._fallen_silent = 0  # how often a device fell silent
        self._slow_at = -math.inf  # no slow device is waited for before, where others lose slots by that

    def take(self, now: float) -> Key | None:
        """Return the device to poll now; None if none is due. Its slot is taken: call `done` afterwards."""
        self._align(now)
        entry = self._choose(now)
        if entry is None:
            return None
        entry.patience = self._patience(entry, now)
        is_waited_for = entry.wait_s > 0 and entry.patience is Patience.USUAL
        entry.is_at_expense = is_waited_for and not self._fits(entry, entry.wait_s, now)
        self._advance(entry, now)
        return entry.key

    def patience(self, key: Key) -> Patience:
        """Return how long the poll in progress waits for replies."""
        return self._entries[key].patience

    def may_wait(self, key: Key, wait_s: float, now: float) -> bool:
        """Return whether the poll in progress may wait so long for a reply; charged if others lose slots."""
        entry = self._entries[key]
        is_free = self._fits(entry, wait_s, now)
        if not is_free and now < self._slow_at:
            return False
        entry.is_at_expense |= not is_free
        return True

    def done(
        self,
        key: Key,
        started: float,
        now: float,
        *,
        answered: bool,
        not_before: float = -math.inf,
        wait_s: float = 0.0,
    ) -> None:
        """Record that the poll of a device is over.

        Args:
            key: the device.
            started: when `take` returned it.
            now: when its poll was over.
            answered: whether it replied at all.
            not_before: the earliest time of its next poll, as a reply may still come.
            wait_s: how long its next poll may wait for a reply; 0 if no longer than configured.
        """
        entry = self._entries[key]
        entry.not_before = not_before
        entry.wait_s = wait_s
        self._charge(entry, started, now - started, answered=answered)
        if answered:
            self._revive(entry)
        else:
            entry.misses += 1
            if entry.misses == SILENT_AFTER:
                entry.probes = self._fallen_silent % 2
                self._fallen_silent += 1
            elif entry.is_aligned and not entry.is_silent:
                entry.slot -= 1  # its interval is still without a reading
                entry.not_before = max(not_before, now + retry_s(entry.every_s, entry.misses))

    def _charge(self, entry: _Entry[Key], started: float, taken_s: float, *, answered: bool) -> None:
        """Charge a poll to the share of the silent or of the slow, and to what its device costs."""
        if entry.is_silent and not answered:
            entry.probes += 1
            if entry.patience is Patience.WIDE:
                self._wide_at = started + taken_s / WIDE_SHARE
            else:
                self._probe_at = started + taken_s / (SILENT_SHARE - WIDE_SHARE)
        elif entry.is_at_expense:
            self._slow_at = started + taken_s / SLOW_SHARE
        if not entry.is_silent:
            entry.cost_s = taken_s if not entry.cost_s else (entry.cost_s + taken_s) / 2
            entry.usual_s, entry.last_s = min(taken_s, entry.last_s), taken_s
        entry.is_at_expense = False

    def hold(self, key: Key, until: float, *, is_taken: bool = False) -> None:
        """Poll a device not before `until`.

        Args:
            key: the device.
            until: the earliest time.
            is_taken: `take` has returned it, and its slot passes.
        """
        entry = self._entries[key]
        entry.not_before = max(entry.not_before, until)
        if is_taken and not entry.is_silent:
            entry.missed_slots += 1

    def lives(self, key: Key, *, not_before: float = -math.inf, wait_s: float = 0.0) -> None:
        """Record that a device was heard after its poll: it is slow, not dead. Arguments as for `done`."""
        entry = self._entries[key]
        entry.not_before, entry.wait_s = not_before, wait_s
        self._revive(entry)

    def forget(self, key: Key) -> None:
        """Forget what was learned of a device; its grid and its counters stay."""
        entry = self._entries[key]
        entry.wait_s = entry.cost_s = 0.0
        entry.not_before = -math.inf
        self._revive(entry)

    def wake_at(self, now: float) -> float:
        """Return when the next device is due, if nothing happens until then; `math.inf` if never."""
        eligible = (
            max(self._eligible_at(entry), self._affordable_at(entry, now)) for entry in self._entries.values()
        )
        look_at = now + LOOK_EVERY_S if self._alignment is not None else math.inf
        return max(now, min([look_at, *eligible]))

    def is_due(self, now: float) -> bool:
        """Return whether a device that is not silent waits for a slot of its grid."""
        entry = self._choose(now)
        return entry is not None and entry.every_s > 0 and not entry.is_silent

    def room_s(self, now: float) -> float:
        """Return how long the line can be held so that no device on its grid loses a slot; inf: for ever."""
        deadlines = (
            entry.deadline
            for entry in self._entries.values()
            if entry.every_s and entry.origin is not None and not entry.is_silent
        )
        return max(0.0, min(deadlines, default=math.inf) - now)

    def is_silent(self, key: Key) -> bool:
        """Return whether the device missed so many polls in a row that it is only probed."""
        return self._entries[key].is_silent

    def misses(self, key: Key) -> int:
        """Return the number of polls in a row that the device missed."""
        return self._entries[key].misses

    def missed_slots(self, key: Key) -> int:
        """Return the number of slots skipped since the start while the device was not silent."""
        return self._entries[key].missed_slots

    def lateness(self, key: Key) -> RecentTimes:
        """Return the delays from slot to poll, the last 1000 while the device was not silent."""
        return self._entries[key].lateness

    def _align(self, now: float) -> None:
        """Lay the grids of the aligned devices on the wall clock, as it is now."""
        if self._alignment is None or (ahead_s := self._alignment.ahead_s(now)) is None:
            return
        for key, newest_s in self._alignment.newest_s.items():
            entry = self._entries[key]
            if entry.is_aligned:
                polled_s: float | None = (entry.slot - 1) * entry.every_s
            else:
                polled_s = newest_s if math.isinf(entry.asked_at) else entry.asked_at + ahead_s
            entry.is_aligned, entry.origin = True, -ahead_s
            entry.slot = next_slot(entry.every_s, now + ahead_s, polled_s)

    def _eligible_at(self, entry: _Entry[Key]) -> float:
        due_at = max(entry.due_at, entry.not_before)
        return max(due_at, self._probe_at) if entry.is_silent else due_at

    def _choose(self, now: float) -> _Entry[Key] | None:
        due_entries = [
            entry
            for entry in self._entries.values()
            if self._eligible_at(entry) <= now and self._affordable_at(entry, now) <= now
        ]
        silent = min((entry for entry in due_entries if entry.is_silent), key=_last_asked, default=None)
        if silent and now - self._eligible_at(silent) > max(silent.every_s, _PATIENCE_S):
            return silent
        on_grid = [entry for entry in due_entries if entry.every_s and not entry.is_silent]
        if on_grid:
            share = fair_share([entry.demand for entry in self._entries.values()])
            return min(
                on_grid, key=lambda entry: (self._yields(entry, share, now), entry.deadline, entry.every_s)
            )
        return silent or min(due_entries, key=_last_asked, default=None)

    def _yields(self, entry: _Entry[Key], share: float, now: float) -> bool:
        """Return whether a device lets others go first because it takes more than its share; not for ever."""
        has_waited = now - entry.due_at > 1 / SLOW_SHARE * entry.cost_s
        return entry.demand > share and not has_waited

    def _fits(self, entry: _Entry[Key], wait_s: float, now: float) -> bool:
        """Return whether no other device loses a slot if this one is waited for `wait_s` from now."""
        deadlines = (
            other.deadline
            for other in self._entries.values()
            if other is not entry and other.every_s and other.origin is not None and not other.is_silent
        )
        return now + wait_s <= min(deadlines, default=math.inf)

    def _affordable_at(self, entry: _Entry[Key], now: float) -> float:
        """Return when a slow device may be waited for although others lose slots by that."""
        is_patient = entry.wait_s > 0 and not entry.is_silent and not self._fits(entry, entry.wait_s, now)
        return self._slow_at if is_patient and not self._has_room(entry) else -math.inf

    def _has_room(self, entry: _Entry[Key]) -> bool:
        """Return whether time is left over if each poll of a device takes the configured time-out."""
        if not entry.every_s:
            return False
        others = sum(
            other.usual_s / other.every_s
            for other in self._entries.values()
            if other is not entry and other.every_s and not other.is_silent
        )
        return others + entry.limit_s / entry.every_s <= _ROOM

    def _patience(self, entry: _Entry[Key], now: float) -> Patience:
        if not entry.is_silent:
            is_free = not entry.wait_s or self._fits(entry, entry.wait_s, now)
            may_wait = is_free or (now >= self._slow_at and not self._has_room(entry))
            return Patience.USUAL if may_wait else Patience.BRIEF
        if now >= self._wide_at:
            return Patience.WIDE
        return Patience.WAKE if entry.probes % 2 else Patience.PROBE

    @staticmethod
    def _revive(entry: _Entry[Key]) -> None:
        entry.misses = entry.probes = 0

    @staticmethod
    def _advance(entry: _Entry[Key], now: float) -> None:
        is_first = math.isinf(entry.asked_at)
        entry.asked_at = now
        if entry.origin is None:
            entry.origin = now
        if not entry.every_s:
            return
        current = int((now - entry.origin) / entry.every_s)
        if not entry.is_silent and not (entry.is_aligned and is_first):  # a late start is not a late poll
            entry.lateness.add(now - entry.origin - max(entry.slot, current) * entry.every_s)
            entry.missed_slots += max(0, current - entry.slot)
        entry.slot = max(entry.slot, current) + 1
