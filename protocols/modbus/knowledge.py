"""What is known of one unit from its answers, and the reads that follow from it. Pure; no frames here.

A read is in one of these states, and a way leads back from each:

    unknown    never answered yet: a failure has it cut, by a hole if it has one
    whole      was answered as it stands: a failure is a bad moment, until it failed in 3 polls in a row
    doubtful   was silent the last time: asked after the others, and once only

and what was learned from reads that failed is tried again by time, at a growing distance:

    a cut      two parts are read, the whole is not: it is asked for whole again, beside its parts, so that no
               value is at stake; answered once, the cut is gone
               registers that were added to tell replies apart (`apart`), and that the unit does not stand,
               are a hole like any other
    left out   a value that is refused or left unanswered even alone: see `protocols.toolkit.lessons`

What is tried and left unanswered costs the line a time-out: it comes at most every 20 s, whatever is due.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

from protocols.modbus.apart import Length, told_apart
from protocols.modbus.plan import Cost, Limits, Read, Span, plan
from protocols.modbus.registers import Table
from protocols.toolkit.lessons import LEARN_AFTER, RETRY_SILENT_S, Backoff, Lessons

Place = tuple[Table, Span]
Cut = tuple[Table, Span | int]  # a hole that no read may touch, or an address before which a read must end


@dataclass(frozen=True, slots=True)
class Trial:
    """Reads that would be planned without one of the cuts."""

    cut: Cut
    reads: tuple[Read, ...]


class Knowledge:
    """What is known of one unit. `wanted`, `limits` and `cost` as for `plan`."""

    def __init__(self, wanted: Collection[Place], limits: Limits, cost: Cost) -> None:
        self.lessons: Lessons[Place] = Lessons()
        self._wanted = frozenset(wanted)
        self._limits = limits
        self._cost = cost
        self._whole: set[Place] = set()  # the spans of reads that were answered as they stand
        self._failures: Counter[Place] = Counter()  # polls in a row in which such a read failed
        self._doubtful: set[Place] = set()
        self._cuts: dict[Cut, Backoff] = {}
        self._no_trials_before = -math.inf
        self._now = 0.0
        self._polls = 0
        self._taken: Mapping[Length, int] = {}
        self._planned_for: object = None
        self._reads: tuple[Read, ...] = ()
        self.replan()

    @property
    def reads(self) -> tuple[Read, ...]:
        """The plan: what brings all that is wanted and not left out."""
        return self._reads

    def twin(self) -> Self:
        """Return knowledge that is the same, and grows apart from this."""
        twin = copy(self)
        twin.lessons = self.lessons.twin()
        twin._whole = set(self._whole)
        twin._failures = self._failures.copy()
        twin._doubtful = set(self._doubtful)
        twin._cuts = {cut: copy(backoff) for cut, backoff in self._cuts.items()}
        return twin

    def keep_apart(self, taken: Mapping[Length, int]) -> None:
        """Plan reads of other lengths than `taken`, where the unit stands that; as for `told_apart`."""
        self._taken = taken
        self.replan()

    def begin(self, now: float) -> None:
        """Begin a poll at `now`, in seconds of a monotonic clock."""
        self._now = now
        self._polls += 1
        self.lessons.begin(now)

    def agenda(self) -> list[Read]:
        """Return the reads of a poll in their order.

        The doubtful ones come last, and those with added registers that were never answered. If there are no
        others, a single value goes before a doubtful read that was never answered: it tells a unit that is
        silent on that read from one that is not there. If all values are left out, it is one of them, another
        one in each poll.
        """
        if not self._reads:
            items = list(self.lessons.left_out)
            return [self.alone(items[self._polls % len(items)])] if items else []
        reads = sorted(self._reads, key=self._is_risky)
        first = reads[0]
        if self.is_doubtful(first) and not self.is_whole(first) and first != self.sample(first):
            reads.insert(0, self.sample(first))
        return reads

    def sample(self, read: Read) -> Read:
        """Return one value of a read, alone: another one in each poll."""
        return self.read(read.table, (read.wanted[self._polls % len(read.wanted)],))

    def read(self, table: Table, wanted: Sequence[Span]) -> Read:
        """Return the read that brings these spans and nothing else."""
        return self._limits.read(table, wanted)

    def bare(self, read: Read) -> Read:
        """Return a read without the registers that were added to tell its reply apart."""
        return self.read(read.table, read.wanted)

    def alone(self, place: Place) -> Read:
        """Return the read of one value."""
        return self.read(place[0], (place[1],))

    def is_whole(self, read: Read) -> bool:
        """Whether a read was answered as it stands."""
        return _place(read) in self._whole

    def is_doubtful(self, read: Read) -> bool:
        """Whether a read was left unanswered the last time."""
        return _place(read) in self._doubtful

    def _is_risky(self, read: Read) -> bool:
        return self.is_doubtful(read) or not (self.is_whole(read) or read == self.bare(read))

    def answered(self, read: Read) -> None:
        """Record that a read was answered."""
        place = _place(read)
        self._whole.add(place)
        self._doubtful.discard(place)
        self._failures.pop(place, None)
        self.lessons.answered((read.table, span) for span in read.wanted)

    def unanswered(self, read: Read) -> None:
        """Record that nothing answered a read, which may say nothing of it: the unit may be away."""
        self._doubtful.add(_place(read))

    def failed(self, read: Read) -> None:
        """Record that a unit which is there did not give a read; in the third poll it is no longer whole."""
        place = _place(read)
        self._failures[place] += 1
        if self._failures[place] >= LEARN_AFTER:
            self._whole.discard(place)
            del self._failures[place]

    def missing(self, read: Read, reason: str, *, is_silent: bool) -> None:
        """Record that nothing of a read is given, not even a single value."""
        for span in read.wanted:
            self.lessons.failed((read.table, span), reason, is_silent=is_silent)

    def cut(self, cut: Cut, *, is_silent: bool) -> None:
        """Record that two parts are read where the whole is not."""
        if cut not in self._cuts:
            self._cuts[cut] = Backoff.after(self._now, is_silent=is_silent)

    def cut_added(self, read: Read, *, is_silent: bool) -> None:
        """Record that a read is given without the registers added to it only."""
        bare, asked = self.bare(read).span, read.span
        for added in Span(asked.start, bare.start), Span(bare.end, asked.end):
            if added.start < added.end:
                self.cut((read.table, added), is_silent=is_silent)

    def due(self) -> Place | None:
        """Return what is left out and to be asked for again; None if no time has come."""
        return self.lessons.due() if self._now >= self._no_trials_before else None

    def pause_trials(self) -> None:
        """Record that a trial was left unanswered."""
        self._no_trials_before = self._now + RETRY_SILENT_S

    def trial(self) -> Trial | None:
        """Return the reads that tell whether a cut is still needed; None if no time has come."""
        cut = min(self._cuts, key=lambda one: self._cuts[one].at, default=None)
        if cut is None or max(self._cuts[cut].at, self._no_trials_before) > self._now:
            return None
        joined = self._plan(self._cuts.keys() - {cut})
        return Trial(cut, tuple(read for read in joined if _needs(read, cut)))

    def tried(self, trial: Trial, *, is_whole: bool) -> None:
        """Record how a trial went; a cut that is no longer needed is gone."""
        if is_whole:
            del self._cuts[trial.cut]
        else:
            self._cuts[trial.cut].failed(self._now)

    def replan(self) -> None:
        """Plan anew, if anything was learned since the last plan."""
        known = frozenset(self._cuts), frozenset(self.lessons.left_out), tuple(self._taken.items())
        if known != self._planned_for:
            self._planned_for = known
            self._reads = tuple(self._plan(self._cuts))

    def _plan(self, cuts: Iterable[Cut]) -> list[Read]:
        left_out = self.lessons.left_out.keys()  # asked for alone: no other read may touch it
        holes = {(table, cut) for table, cut in cuts if isinstance(cut, Span)}
        limits = replace(
            self._limits,
            forbidden=self._limits.forbidden | holes | left_out,
            cuts=frozenset((table, cut) for table, cut in cuts if isinstance(cut, int)),
        )
        reads = plan(self._wanted - left_out, limits, self._cost)
        if limits.cuts:  # reads must be short here: none is made longer than one that was answered
            longest = max((span.end - span.start for _, span in self._whole), default=1)
            limits = replace(limits, max_registers=min(limits.max_registers, longest))
        return told_apart(reads, limits, self._taken)


def _needs(read: Read, cut: Cut) -> bool:
    """Return whether a read is possible without a cut only."""
    table, where = cut
    if isinstance(where, Span):
        return read.table is table and read.span.overlaps(where)
    return read.table is table and read.span.start < where < read.span.end


def _place(read: Read) -> Place:
    return read.table, read.span
