"""The knowledge of one unit, learned from its answers, and the reads that follow from it. Pure.

A read is in one of these states, and a way leads back from each:

    unknown    never answered yet: after a failure it is cut, at a hole if it has one
    whole      was answered as it stands: a failure is a bad moment, until it failed in 3 polls in a row
    doubtful   was left unanswered the last time: sent after the others, and once only

A lesson from reads that failed is tried again by time, at growing intervals:

    a cut      two parts are answered, the whole is not: the whole is sent again beside its parts, so that no
               value is at stake; answered once, the cut is removed. Not where the plan would gain nothing
               without it: a trial that is lost keeps other reads of its length waiting
               registers that were added to tell replies apart (`apart`), and that the unit refuses, are a
               hole like any other
    left out   a value that is refused or left unanswered even alone: see `protocols.toolkit.lessons`

A trial that is left unanswered costs the line a time-out: there is at most one in 20 s, whatever is due.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

from protocols.modbus.apart import Length, count_lengths, vary_lengths
from protocols.modbus.plan import Cost, Limits, Read, Span, plan
from protocols.modbus.registers import Table
from protocols.toolkit.lessons import LEARN_AFTER, RETRY_SILENT_S, Backoff, Lessons

Place = tuple[Table, Span]
Cut = tuple[Table, Span | int]  # a hole that no read may touch, or an address before which a read must end


@dataclass(frozen=True, slots=True)
class Trial:
    """The reads that would be planned without one of the cuts."""

    cut: Cut
    reads: tuple[Read, ...]


class Knowledge:
    """The knowledge of one unit. `places`, `limits` and `cost` are those of `plan`."""

    def __init__(self, places: Collection[Place], limits: Limits, cost: Cost) -> None:
        self.lessons: Lessons[Place] = Lessons()
        self._places = frozenset(places)
        self._limits = limits
        self._cost = cost
        self._whole: set[Place] = set()  # the spans of reads that were answered as they stand
        self._failures: Counter[Place] = Counter()  # polls in a row in which such a read failed
        self._doubtful: set[Place] = set()
        self._cuts: dict[Cut, Backoff] = {}
        self._no_trials_before = -math.inf
        self._now = 0.0
        self._polls = 0
        self._lengths_in_use: Mapping[Length, int] = {}
        self._basis_of_plan: object = None
        self._reads: tuple[Read, ...] = ()
        self.replan()

    @property
    def reads(self) -> tuple[Read, ...]:
        """Return the plan: the reads of all places that are not left out."""
        return self._reads

    def twin(self) -> Self:
        """Return a copy that learns independently."""
        twin = copy(self)
        twin.lessons = self.lessons.twin()
        twin._whole = set(self._whole)
        twin._failures = self._failures.copy()
        twin._doubtful = set(self._doubtful)
        twin._cuts = {cut: copy(backoff) for cut, backoff in self._cuts.items()}
        return twin

    def keep_apart(self, lengths_in_use: Mapping[Length, int]) -> None:
        """Plan reads of other lengths than those in use, where the limits allow; see `vary_lengths`."""
        self._lengths_in_use = lengths_in_use
        self.replan()

    def begin(self, now: float) -> None:
        """Begin a poll at `now`, in seconds of a monotonic clock."""
        self._now = now
        self._polls += 1
        self.lessons.begin(now)

    def agenda(self) -> list[Read]:
        """Return the reads of a poll in their order.

        Doubtful reads come last, and so do those with added registers that were never answered. If there are
        no others, a single value goes before a doubtful read that was never answered: it tells a unit that is
        silent on that read from one that is not there. If all values are left out, the agenda is one of them,
        another one in each poll.
        """
        if not self._reads:
            places = list(self.lessons.left_out)
            return [self.single(places[self._polls % len(places)])] if places else []
        reads = sorted(self._reads, key=self._is_risky)
        first = reads[0]
        if self.is_doubtful(first) and not self.is_whole(first) and first != self.sample(first):
            reads.insert(0, self.sample(first))
        return reads

    def sample(self, read: Read) -> Read:
        """Return the read of one value of `read`, of another one in each poll."""
        return self.read(read.table, (read.wanted[self._polls % len(read.wanted)],))

    def read(self, table: Table, spans: Sequence[Span]) -> Read:
        """Return the read of these spans, with as few further addresses as the limits allow."""
        return self._limits.read(table, spans)

    def bare(self, read: Read) -> Read:
        """Return a read without the registers that were added to tell its reply apart."""
        return self.read(read.table, read.wanted)

    def single(self, place: Place) -> Read:
        """Return the read of one value."""
        return self.read(place[0], (place[1],))

    def is_whole(self, read: Read) -> bool:
        """Return whether a read was answered as it stands."""
        return _place(read) in self._whole

    def is_doubtful(self, read: Read) -> bool:
        """Return whether a read was left unanswered the last time."""
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
        """Record that a read was left unanswered; it may not be to blame, the unit may be away."""
        self._doubtful.add(_place(read))

    def failed(self, read: Read) -> None:
        """Record that a unit which is present did not answer a read; after 3 polls it is no longer whole."""
        place = _place(read)
        self._failures[place] += 1
        if self._failures[place] >= LEARN_AFTER:
            self._whole.discard(place)
            del self._failures[place]

    def missing(self, read: Read, reason: str, *, is_silent: bool) -> None:
        """Record that no value of a read can be read, not even alone."""
        for span in read.wanted:
            self.lessons.failed((read.table, span), reason, is_silent=is_silent)

    def cut(self, cut: Cut, *, is_silent: bool) -> None:
        """Record that the two parts of a read are answered and the whole is not."""
        if cut not in self._cuts:
            self._cuts[cut] = Backoff.after(self._now, is_silent=is_silent)

    def cut_added(self, read: Read, *, is_silent: bool) -> None:
        """Record that a read is answered only without the registers added to it."""
        bare, padded_span = self.bare(read).span, read.span
        for added_span in Span(padded_span.start, bare.start), Span(bare.end, padded_span.end):
            if added_span.start < added_span.end:
                self.cut((read.table, added_span), is_silent=is_silent)

    def sentences(self) -> list[str]:
        """Return a sentence for each cut, in the order of the addresses."""
        cuts = sorted(
            self._cuts, key=lambda cut: (cut[0].plural, cut[1].start if isinstance(cut[1], Span) else cut[1])
        )
        return [
            f"not read together: {table.plural} before and from {where} on"
            if isinstance(where, int)
            else f"not read along: {table.plural} {where}, which it does not stand"
            for table, where in cuts
        ]

    def due(self) -> Place | None:
        """Return the left-out place to try again now; None if none is due."""
        return self.lessons.due() if self._now >= self._no_trials_before else None

    def pause_trials(self) -> None:
        """Record that a trial was left unanswered."""
        self._no_trials_before = self._now + RETRY_SILENT_S

    def trial(self) -> Trial | None:
        """Return the reads that tell whether a cut is still needed; None if none is due and of use."""
        cut = min(self._cuts, key=lambda cut: self._cuts[cut].at, default=None)
        if cut is None or max(self._cuts[cut].at, self._no_trials_before) > self._now:
            return None
        reads = self._plan(self._cuts.keys() - {cut})
        if _effort(reads) >= _effort(self._reads):
            self._cuts[cut].failed(self._now)
            return None
        return Trial(cut, tuple(read for read in reads if _needs(read, cut)))

    def tried(self, trial: Trial, *, is_whole: bool) -> None:
        """Record the outcome of a trial; a cut that is no longer needed is removed."""
        if is_whole:
            del self._cuts[trial.cut]
        else:
            self._cuts[trial.cut].failed(self._now)

    def replan(self) -> None:
        """Plan again, if anything was learned since the last plan."""
        basis = frozenset(self._cuts), frozenset(self.lessons.left_out), tuple(self._lengths_in_use.items())
        if basis != self._basis_of_plan:
            self._basis_of_plan = basis
            self._reads = tuple(self._plan(self._cuts))

    def _plan(self, cuts: Iterable[Cut]) -> list[Read]:
        left_out = self.lessons.left_out.keys()  # asked for alone: no other read may touch it
        holes = {(table, cut) for table, cut in cuts if isinstance(cut, Span)}
        limits = replace(
            self._limits,
            forbidden=self._limits.forbidden | holes | left_out,
            cuts=frozenset((table, cut) for table, cut in cuts if isinstance(cut, int)),
        )
        reads = plan(self._places - left_out, limits, self._cost)
        if limits.cuts:  # reads must be short here: none is made longer than one that was answered
            longest = max((span.end - span.start for _, span in self._whole), default=1)
            limits = replace(limits, max_registers=min(limits.max_registers, longest))
        return vary_lengths(reads, limits, self._lengths_in_use)


def _needs(read: Read, cut: Cut) -> bool:
    """Return whether a read is possible only without a cut."""
    table, where = cut
    if isinstance(where, Span):
        return read.table is table and read.span.overlaps(where)
    return read.table is table and read.span.start < where < read.span.end


def _effort(reads: Sequence[Read]) -> tuple[int, int]:
    """Return how many reads there are, and how many of them are not told apart."""
    return len(reads), len(reads) - len(count_lengths(reads))


def _place(read: Read) -> Place:
    return read.table, read.span
