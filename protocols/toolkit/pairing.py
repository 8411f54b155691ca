"""Requests of a foreign master paired with their replies, by one who only listens.

A reply seldom says what it answers. On our own line that is safe, because nothing is asked while a reply is
owed; a foreign master has rules of its own, and we hear it through noise. So a pair is claimed only where the
reply can be the answer to nothing else:

    request ──▶ outstanding ── reply that answers it, in time ──▶ a pair
                     │
                     ├─ noise ────────────▶ over: what broke may have been another request
                     └─ another request ──▶ over, and its reply is owed: it may still come, late

While a unit owes the reply to another request of the same kind, a reply of that kind could be either's, and
is nobody's. Where the master has ever asked one thing alone of that kind, none of this is a doubt: noise and
late replies change nothing, for a reply of that kind can answer only that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

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
    """

    requests: int = 0
    writes: int = 0
    pairs: int = 0
    refusals: int = 0
    doubtful: int = 0
    slowest_s: float = 0.0

    @property
    def unanswered(self) -> int:
        """Return how many had no reply, or none that was whole."""
        return self.requests - self.pairs - self.refusals - self.doubtful


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
        self._asked_ever: dict[Hashable, set[bytes]] = {}  # by kind: requests, two at most

    def request(self, question: Q, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`, in seconds of a clock that never goes back."""
        self.requests += 1
        tally = self._tally(question)
        tally.requests += 1
        tally.writes += question.is_write
        self._owe()
        if question.unit is None:
            return
        if question.kind in self._asked_ever or len(self._asked_ever) < _MOST_KINDS:
            asked_ever = self._asked_ever.setdefault(question.kind, set())
            if len(asked_ever) < 2:
                asked_ever.add(question.data)
        self._outstanding, self._end_s, self._is_over = question, end_s, False

    def noise(self, data: bytes) -> None:
        """Take octets that are no frame."""
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

    def reply(self, kind: Hashable, start_s: float) -> Q | None:
        """Take a reply.

        Args:
            kind: the kind of the requests that it can answer.
            start_s: when its first octet came.

        Returns:
            The request of which this can only be the answer; None if it may be that of another one.
        """
        question = self._outstanding
        if question is None or question.kind != kind:
            self.unpaired["without its request"] += 1
            return None
        self._outstanding = None
        tally = self._tally(question)
        is_certain = len(self._asked_ever.get(kind, ())) == 1
        others = self._owing(kind, start_s) - {question.data}
        if start_s - self._end_s > REPLY_WITHIN_S:
            reason = "too late"
        elif self._is_over and not is_certain:
            reason = "after noise"
        elif others and not is_certain:
            reason = "may be another's"
            until_s = max(self._owed[kind].values()) + NEXT_WITHIN_S
            self._owed[kind].setdefault(question.data, until_s)  # if this was the other's, its own comes yet
        else:
            self.pairs += 1
            tally.pairs += 1
            tally.slowest_s = max(tally.slowest_s, start_s - self._end_s)
            return question
        tally.doubtful += 1
        self.unpaired[reason] += 1
        return None

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
