"""Requests of a foreign master paired with their replies, by one who only listens.

A reply seldom says what it answers. On our own line that is safe, because nothing is asked while a reply is
owed; a foreign master has rules of its own, and we hear it through noise. So a pair is claimed only where the
reply can be the answer to nothing else:

    request ──▶ outstanding ── reply that answers it, in time ──▶ a pair
                     │
                     ├─ noise ────────────▶ over: what broke may have been another request
                     └─ another request ──▶ over, and its reply is owed: it may still come, late

While a unit owes the reply to another request of the same kind, a reply of that kind could be either's, and
is nobody's. If it was the other's, the unit may be one reply behind from then on: each of its replies answers
the request before. So the doubt outlasts the debt, until the unit shows that it is not behind: it answers
nothing more while it is left alone for longer than it needs (`unit_times.py`), it answers a request of
another kind, for it answers in the order in which it was asked, or what it answers is what each request
brought before (`likeness.py`).

Where the master has ever asked one thing alone of that kind, none of this is a doubt: noise and late replies
change nothing, for a reply of that kind can answer only that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from protocols.toolkit.likeness import Likeness
from protocols.toolkit.unit_times import UnitTimes

REPLY_WITHIN_S: Final = 5.0  # after a request; what comes later answers nothing
NEXT_WITHIN_S: Final = 1.0  # after a late reply, that to the request which waited behind it
_MOST_KINDS: Final = 4096  # that are remembered; a master that asks for more than this is not understood
_MOST_UNITS: Final = 1024  # that are counted apart


class Question(Protocol):
    """What a foreign master asked."""

    @property
    def unit(self) -> Hashable | None:
        """Return the unit that was asked; None if all of them were, so that nobody answers."""
        ...

    @property
    def kind(self) -> Hashable:
        """Return what the requests share whose replies cannot be told apart, the unit among it."""
        ...

    @property
    def data(self) -> bytes:
        """Return the request as it was on the wire: what is asked again is the same octets."""
        ...

    @property
    def is_write(self) -> bool:
        """Return whether it changes something in the unit."""
        ...

    def is_broken_reply(self, noise: bytes) -> bool:
        """Return whether these octets can only be a reply to it that was cut or disturbed."""
        ...


@dataclass(slots=True)
class UnitTally:
    """What became of the requests to one unit.

    Attributes:
        requests: how many were heard.
        writes: how many of them change something.
        pairs: how many had a reply that can be nothing else.
        refusals: how many were refused.
        doubtful: how many had a reply that may be another's.
        slowest_s: the longest from the end of a request to its reply.
        times: how long it needs, and when it was heard.
    """

    requests: int = 0
    writes: int = 0
    pairs: int = 0
    refusals: int = 0
    doubtful: int = 0
    slowest_s: float = 0.0
    times: UnitTimes = field(default_factory=UnitTimes, repr=False)

    @property
    def unanswered(self) -> int:
        """Return how many had no reply, or none that was whole."""
        return self.requests - self.pairs - self.refusals - self.doubtful


@dataclass(slots=True)
class _Doubt:
    """A kind whose replies may each be that to the request before.

    Attributes:
        unit: whose they are.
        until_s: before that time nothing ends it: a reply that is owed may still come.
    """

    unit: Hashable | None
    until_s: float


_MOST_LIKENESSES: Final = 256  # kinds whose contents are remembered


Q = TypeVar("Q", bound=Question)


class Pairing(Generic[Q]):
    """The requests and replies of one line, in the order in which they are heard.

    Attributes:
        requests: how many were heard.
        pairs: how many had a reply that can be nothing else.
        unpaired: replies that were nobody's, by the reason.
        of_unit: the same for each unit; None are all of them.
    """

    def __init__(self) -> None:
        self.of_unit: dict[Hashable | None, UnitTally] = {}
        self.requests = self.pairs = 0
        self.unpaired: Counter[str] = Counter()
        self._outstanding: Q | None = None
        self._end_s = 0.0  # when the last octet of the outstanding request came
        self._is_over = False  # noise came after it
        self._owed: dict[Hashable, dict[bytes, float]] = {}  # by kind: requests, and until when they are
        self._doubts: dict[Hashable, _Doubt] = {}  # by kind
        self._likenesses: dict[Hashable, Likeness] = {}  # by kind
        self._start_s = self._event_end_s = 0.0  # of what is heard now
        self._noise_s = 0.0  # when noise was heard last
        self._asked_ever: dict[Hashable, set[bytes]] = {}  # by kind: requests, two at most

    def at(self, start_s: float, end_s: float) -> None:
        """Note when the first and the last octet came of what is taken next."""
        self._start_s, self._event_end_s = start_s, end_s

    def request(self, question: Q, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`, in seconds of a clock that never goes back."""
        self.requests += 1
        tally = self._tally(question)
        tally.requests += 1
        tally.writes += question.is_write
        self._owe()
        if tally.times.is_left_alone(self._start_s, self._noise_s):
            self._end_doubts(question.unit)
        if question.unit is None:
            return
        if question.kind in self._asked_ever or len(self._asked_ever) < _MOST_KINDS:
            asked_ever = self._asked_ever.setdefault(question.kind, set())
            if len(asked_ever) < 2:
                asked_ever.add(question.data)
        self._outstanding, self._end_s, self._is_over = question, end_s, False

    def noise(self, data: bytes) -> None:
        """Take octets that are no frame."""
        self._noise_s = self._event_end_s
        if self._outstanding is None:
            return
        if self._outstanding.is_broken_reply(data):
            self._outstanding = None
        else:
            self._is_over = True

    def outstanding(self) -> Q | None:
        """Return the request that was heard last, if nothing has answered it."""
        return self._outstanding

    def owes(self, question: Q, now: float) -> bool:
        """Return whether the same request was heard before, and its reply may still come."""
        is_outstanding = self._outstanding is not None and self._outstanding.data == question.data
        return is_outstanding or question.data in self._owing(question.kind, now)

    def reply(self, kind: Hashable, start_s: float, content: bytes = b"") -> Q | None:
        """Take a reply.

        Args:
            kind: the kind of the requests that it can answer.
            start_s: when its first octet came.
            content: what it holds; b"": nothing that could tell which request it answers.

        Returns:
            The request of which this can only be the answer; None if it may be that of another one.
        """
        question = self._outstanding
        if question is None or question.kind != kind:
            self.unpaired["without its request"] += 1
            return None
        self._outstanding = None
        tally = self._tally(question)
        turn_around_s = start_s - self._end_s
        usual_s = tally.times.usual_s
        tally.times.replied(turn_around_s, self._event_end_s)
        is_certain = len(self._asked_ever.get(kind, ())) == 1
        others = self._owing(kind, start_s) - {question.data}
        if turn_around_s > REPLY_WITHIN_S:
            reason = "too late"
        elif self._is_over and not is_certain:
            reason = "after noise"
        elif others and not is_certain:
            reason = "may be another's"
            self._doubt(question, is_late=turn_around_s > usual_s)
        elif kind in self._doubts and not is_certain and not self._is_in_step(question, content):
            reason = "may be another's"
        else:
            self.pairs += 1
            tally.pairs += 1
            tally.slowest_s = max(tally.slowest_s, turn_around_s)
            self._end_doubts(question.unit, but=kind)
            if content:
                self._likeness(kind).learn(question.data, content)
            return question
        tally.doubtful += 1
        self.unpaired[reason] += 1
        return None

    def _doubt(self, question: Q, *, is_late: bool) -> None:
        """Note that a reply may have been that to another request, so that the one to `question` comes yet.

        Args:
            question: to what it seemed the reply.
            is_late: it came later than its unit needs, so what is owed may come as late again.
        """
        until_s = max(self._owed[question.kind].values()) + NEXT_WITHIN_S
        if is_late:
            self._owed[question.kind][question.data] = self._end_s + REPLY_WITHIN_S
        self._doubts[question.kind] = _Doubt(question.unit, until_s)
        self._likeness(question.kind).doubt()

    def _is_in_step(self, question: Q, content: bytes) -> bool:
        """Take a reply whose kind is in doubt; return whether it no longer is, by what the replies hold."""
        if self._start_s <= self._doubts[question.kind].until_s or not content:
            return False
        if not self._likeness(question.kind).is_in_step(question.data, content):
            return False
        del self._doubts[question.kind]
        return True

    def _likeness(self, kind: Hashable) -> Likeness:
        """Return what is known of the contents of a kind; of one too many, what nobody looks at."""
        if kind not in self._likenesses and len(self._likenesses) >= _MOST_LIKENESSES:
            return Likeness()
        return self._likenesses.setdefault(kind, Likeness())

    def _end_doubts(self, unit: Hashable | None, but: Hashable = None) -> None:
        """End the doubts about the kinds of a unit that is not behind; not about the kind `but`."""
        over = [
            kind
            for kind, doubt in self._doubts.items()
            if doubt.unit == unit and kind != but and self._start_s > doubt.until_s
        ]
        for kind in over:
            del self._doubts[kind]

    def refused(self) -> None:
        """Take a reply that says only that a request is refused."""
        if self._outstanding is not None:
            self._tally(self._outstanding).refusals += 1
        self._outstanding = None

    def _tally(self, question: Q) -> UnitTally:
        """Return what is counted of a unit; of one too many, what nobody looks at."""
        unit = question.unit
        if unit not in self.of_unit and len(self.of_unit) >= _MOST_UNITS:
            return UnitTally()
        return self.of_unit.setdefault(unit, UnitTally())

    def _owe(self) -> None:
        """Note that the outstanding request was given up by its master; its reply may still come."""
        question, self._outstanding = self._outstanding, None
        if question is not None:
            self._owing(question.kind, self._end_s)
            self._owed.setdefault(question.kind, {})[question.data] = self._end_s + REPLY_WITHIN_S

    def _owing(self, kind: Hashable, now: float) -> set[bytes]:
        """Return the requests of a kind whose replies may still come; those of long ago are forgotten."""
        owed = {data: until_s for data, until_s in self._owed.get(kind, {}).items() if now <= until_s}
        if owed:
            self._owed[kind] = owed
        else:
            self._owed.pop(kind, None)
        return set(owed)
