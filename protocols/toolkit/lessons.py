"""What a device does not give, as far as is known: learned slowly, and always doubted again.

    asked ──it failed in 3 polls in a row──▶ left out ──its time has come: asked alone──▶ asked
                                             ▲                      │
                                             └── failed: twice the distance, an hour at most

One failure teaches nothing: a device that boots, or has a bad moment, gets over it. What is left out is asked
for again by time, not by polls, which may be hours apart. If one item is back, whatever kept it back is
probably over: all others are asked again too, but on probation, so that one failure leaves them out again.

The rules that keep this honest: an item fails at most once in a poll; any answer, at any time, puts it back;
nothing is left out without a reason that people can read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Final, Generic, Self, TypeVar

LEARN_AFTER: Final = 3  # polls in a row in which an item failed
RETRY_REFUSED_S: Final = 5.0  # the first distance; a refusal costs one short exchange …
RETRY_SILENT_S: Final = 20.0  # … and a silence a whole time-out, which must stay below 5 % of the time
LONGEST_RETRY_S: Final = 3600.0
MOST_SILENCES: Final = 3  # of one poll, by a device that answers other requests
NO_REPLY: Final = "no reply"

Item = TypeVar("Item", bound=Hashable)


@dataclass(slots=True)
class Backoff:
    """When to try again, at a growing distance. Times are seconds of one monotonic clock.

    Attributes:
        at: not before this time.
        distance_s: from the last try to `at`.
    """

    at: float
    distance_s: float

    @classmethod
    def after(cls, now: float, *, is_silent: bool) -> Backoff:
        """Return the back-off of what failed for the first time."""
        distance_s = RETRY_SILENT_S if is_silent else RETRY_REFUSED_S
        return cls(now + distance_s, distance_s)

    def failed(self, now: float) -> None:
        """Double the distance, up to an hour."""
        self.distance_s = min(2 * self.distance_s, LONGEST_RETRY_S)
        self.at = now + self.distance_s


@dataclass(slots=True)
class _Record:
    failures: int = 0  # polls in a row
    failed_in: int = 0  # the number of the last such poll
    reason: str = ""
    backoff: Backoff | None = None  # while it is left out, and on probation


class Lessons(Generic[Item]):
    """The items of one device that fail. An item without a record is asked for and answered."""

    def __init__(self) -> None:
        self._records: dict[Item, _Record] = {}
        self._left_out: dict[Item, str] = {}
        self._doubtful: set[Item] = set()
        self._now = 0.0
        self._poll = 0

    @property
    def left_out(self) -> Mapping[Item, str]:
        """Return the items that are not asked for, each with the reason in words."""
        return self._left_out

    def named(self, sensors: Iterable[Mapping[str, Item]]) -> tuple[Mapping[str, str], ...]:
        """Return the `left_out` of a PollResult.

        Args:
            sensors: for each settings object the item behind each of its keys.
        """
        if not self._left_out:
            return ()
        return tuple(
            {key: self._left_out[item] for key, item in keys.items() if item in self._left_out}
            for keys in sensors
        )

    def twin(self) -> Self:
        """Return lessons that know the same, and are learned apart from these."""
        twin = copy(self)
        twin._records = {
            item: replace(record, backoff=copy(record.backoff)) for item, record in self._records.items()
        }
        twin._left_out = dict(self._left_out)
        twin._doubtful = set(self._doubtful)
        return twin

    def begin(self, now: float) -> None:
        """Begin a poll at `now`, in seconds of a monotonic clock."""
        self._now = now
        self._poll += 1

    def agenda(self, items: Iterable[Item]) -> list[Item]:
        """Return which of these items to ask for in this poll, in which order.

        What was silent comes last, so that it does not hide that the device answers other requests. If all
        are left out, it is one of them, another one in each poll.
        """
        all_items = list(items)
        due_items = [item for item in all_items if self.asks_for(item)]
        return (
            sorted(due_items, key=self._doubtful.__contains__) or all_items[self._poll % len(all_items) :][:1]
        )

    def asks_for(self, item: Item) -> bool:
        """Return whether an item is asked for in this poll."""
        return item not in self._left_out or item == self.due()

    def due(self) -> Item | None:
        """Return the left out item to ask for in this poll; None if no time has come."""
        item = min(self._left_out, key=self._retry_at, default=None)
        return item if item is not None and self._retry_at(item) <= self._now else None

    def failed(self, item: Item, reason: str, *, is_silent: bool = False) -> None:
        """Record that an item was refused, or left unanswered by a device that answers other requests.

        Args:
            item: what was asked for.
            reason: why there is no value, in words.
            is_silent: nothing was answered at all.
        """
        record = self._records.setdefault(item, _Record())
        if record.failed_in == self._poll:
            return
        record.failed_in = self._poll
        record.failures += 1
        record.reason = reason
        if record.failures < LEARN_AFTER:
            return
        if record.backoff is None:
            record.backoff = Backoff.after(self._now, is_silent=is_silent)
        else:
            record.backoff.failed(self._now)
        self._left_out[item] = reason

    def unanswered(self, item: Item, *, is_present: bool) -> None:
        """Record a silence; it says something of the item if the device answered another one in this poll."""
        self._doubtful.add(item)
        if is_present:
            self.failed(item, NO_REPLY, is_silent=True)

    def answered(self, items: Iterable[Item]) -> None:
        """Record that items were answered. If one of them was left out, all are asked for again."""
        if not self._records and not self._doubtful:
            return
        items = list(items)
        self._doubtful.difference_update(items)
        is_back = False
        for item in items:
            is_back |= self._left_out.pop(item, None) is not None
            self._records.pop(item, None)
        if is_back:
            for item in self._left_out:
                self._records[item].failures = LEARN_AFTER - 1
            self._left_out.clear()

    def _retry_at(self, item: Item) -> float:
        backoff = self._records[item].backoff
        assert backoff is not None, "what is left out has a back-off"
        return backoff.at
