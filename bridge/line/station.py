"""What the line knows of one address: its counters, its reply time-out, and the replies it still owes. Pure.

The trap this closes: a reply that comes late looks like the reply to whatever that address was asked since,
if that has a reply of the same shape; a bridge that queues requests and stalls hands over several at once. So
an address owes a reply to each try until one was heard, and nothing that this reply could answer is asked of
it before `clear_at`. Other addresses are asked meanwhile, and this one for what has another reply.

- The **same** request may be asked again at once: the reply means the same, whichever try it belongs to. It
  waits only where it has a rival, another request of its shape, or where the device may be slow (two tries in
  a row were missed, or nothing is known): half as long again as its slowest. With a rival, a device that is
  late by just one poll would else never show it: each reply would pass for that to the next try.
- **Another** request of that shape waits until every reply owed was heard, or nothing was for `HOLD_S`
  (more for an address that was seen to be slower, `LONGEST_HOLD_S` at most). A frame that comes after that is
  nobody's: a look-alike never extends a hold beyond it, and teaches nothing.

A refusal does not say what it refuses, and damaged octets may be anybody's. Where they may be the reply to
several requests they end the wait for none of them: the reply to the one they were taken for may still come.

A late reply is certain if it can be the answer to one request only, and nothing of its shape was asked of
that address since: then it is as good as one in time. With a rival, only one try of it may be out. If the
request was tried again, the time since its first try is the most that it can have taken: enough to know a
slow device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bridge.line.patience import Patience
from bridge.line.reply_timeout import LONGEST_S, MISSES_TO_DOUBT, ReplyTimeout
from bridge.line.second_reply import SecondReplies
from bridge.line.shape import accepts, is_alike
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request

HOLD_S = 20.0
LONGEST_HOLD_S = 60.0
_HOLD_OF_SLOWEST = 3.0
_SLOWER = 1.5  # how much slower than ever seen a reply to the same request may be
_LEAST_S = 0.050
_LINE_WAIT_S = 1.0  # the most that everybody waits for a reply that one address owes
_MOST_REMEMBERED = 64  # different requests of one address
_DOUBT_S = 1.0  # nobody knows when a reply comes that did not come in time; so long at least, it may


@dataclass(slots=True)
class _Question:
    """A request that was sent, until no reply to it can come any more.

    Attributes:
        request: what was asked.
        tries: when each try was out on the wire, since it was asked anew.
        replies_at: when the first octet of each reply to these came.
        damaged_replies: replies to these that were no good frame.
        older: how many tries from before that no reply was heard to.
        reply: the one that was taken.
        is_shared: something of the same shape was asked since, so that a reply may be to that.
        expires_at: no reply to its present tries is expected after that; `older_until` likewise.
    """

    request: Request
    tries: list[float] = field(default_factory=list)
    replies_at: list[float] = field(default_factory=list)
    damaged_replies: int = 0
    older: int = 0
    reply: Frame | None = None
    is_shared: bool = False
    expires_at: float = -math.inf
    older_until: float = -math.inf

    @property
    def owed(self) -> int:
        """Return how many of its present tries are unanswered."""
        return max(0, len(self.tries) - len(self.replies_at) - self.damaged_replies)

    @property
    def is_open(self) -> bool:
        """Return whether a reply may still come."""
        return bool(self.owed or self.older)

    @property
    def clear_at(self) -> float:
        """Return when no reply can come any more."""
        return max(self.expires_at if self.owed else -math.inf, self.older_until if self.older else -math.inf)


@dataclass(frozen=True, slots=True)
class Late:
    """A reply that came after its time-out.

    Attributes:
        request: what it answers.
        turn_around_s: since its first try.
        is_certain: it can be the answer to nothing else; to which try of it may be unknown.
    """

    request: Request
    turn_around_s: float
    is_certain: bool


class Station:
    """One address on the line. Times are seconds of the loop's clock."""

    def __init__(self) -> None:
        self.reply_timeout = ReplyTimeout()
        self.requests = 0
        self.replies = 0
        self.timeouts = 0
        self.crc_errors = 0
        self.was_damaged = False  # the reply to its last request
        self.late_replies = 0
        self.held = 0  # requests that were not sent, as their reply could have been mistaken
        self.second_replies = SecondReplies()
        self.busy_s = 0.0  # for so long requests to it held the line
        self._questions: list[_Question] = []  # the oldest first
        self._last: _Question | None = None  # the one that is waited for
        self._requests_asked: dict[bytes, Request] = {}  # or held; the latest last
        self._limit_s = 0.0

    def record_held(self, request: Request) -> None:
        """Record that a request was not sent, as its reply could have been mistaken."""
        self.held += 1
        self._remember(request)

    def record_request(self, request: Request, at: float, *, is_retry: bool) -> None:
        """Record that a request is out on the wire at `at`."""
        self.requests += 1
        self._remember(request)
        self.second_replies.record_request(request, at)
        self._drop_expired(at)
        for earlier in self._questions:
            earlier.is_shared |= earlier.request.data != request.data and is_alike(earlier.request, request)
        question = next(
            (earlier for earlier in self._questions if earlier.request.data == request.data), None
        )
        if question is None:
            question = _Question(request)
            self._questions.append(question)
        elif not is_retry:
            if question.owed:
                question.older += question.owed
                question.older_until = question.expires_at
            question.request, question.reply, question.damaged_replies = request, None, 0
            question.tries, question.replies_at = [], []
        question.tries.append(at)
        question.expires_at = at + self._hold_s
        self._last = question

    def record_reply(self, reply: Frame, at: float, over_at: float, *, is_measured: bool = True) -> float:
        """Record the reply to the request that was sent last.

        Args:
            reply: the frame.
            at: when its first octet came.
            over_at: when its last octet came.
            is_measured: False if the process was not awake to see when, so that nothing is learned from it.

        Returns:
            The turn-around since the last try, in seconds.
        """
        question = self._last
        assert question is not None, "nothing was sent"
        self.replies += 1
        self.was_damaged = False
        question.reply = reply
        self.second_replies.record_reply(question.request, over_at)
        turn_around_s = max(0.0, at - question.tries[-1])
        if is_measured and len(question.tries) > 1:
            self.reply_timeout.answered_again(at - question.tries[0])
        else:
            self.reply_timeout.answered_at_once()
        self._hear(question, at, is_measured=is_measured)
        return turn_around_s

    def clear(self) -> None:
        """Forget the replies owed: the reply just received shows that earlier requests are not answered."""
        if self._last is not None and not self._last.is_open:
            self._questions.clear()

    def record_timeout(
        self,
        reply_timeout_s: float,
        *,
        is_damaged: bool,
        is_owed: bool = False,
        patience: Patience = Patience.USUAL,
    ) -> None:
        """Record that the time for a reply is over.

        Args:
            reply_timeout_s: the time-out as configured.
            is_damaged: a reply came, but it was no good frame.
            is_owed: that may have been the reply to another request.
            patience: the kind of try it was.
        """
        assert self._last is not None, "nothing was sent"
        self._limit_s = reply_timeout_s
        self.was_damaged = is_damaged
        if is_damaged:
            self.crc_errors += 1
            self._last.damaged_replies += not is_owed
            self._close(self._last)
        else:
            self.timeouts += 1
            self.reply_timeout.missed(patience)

    def takes(self, frame: Frame, at: float, *, is_measured: bool = True) -> Late | None:
        """Count an unexpected frame and return what it answers late; None: it is not of this address."""
        self._drop_expired(at)
        answerable = [
            question for question in self._questions if question.is_open and accepts(question.request, frame)
        ]
        if not answerable:
            return None
        question = min(answerable, key=lambda question: -math.inf if question.older else question.tries[0])
        self.late_replies += 1
        if len(answerable) > 1:  # a refusal: whichever it is to, the replies to the others are still owed
            return Late(question.request, at - question.tries[0], is_certain=False)
        is_to_only_try = len(question.tries) == 1 and not (
            question.older or question.replies_at or question.damaged_replies
        )
        is_certain = not question.is_shared and (is_to_only_try or not self._has_rival(question.request))
        turn_around_s = at - question.tries[0]
        if is_measured:
            possible = [at - try_at for try_at in question.tries if at - try_at <= LONGEST_S]
            self.reply_timeout.came_late(max(possible, default=math.inf))
        if question.owed:
            self._hear(question, at, is_measured=is_measured)
        else:
            question.older -= 1
        if question.older:  # the next one may be as late
            question.older_until = max(question.older_until, at + self._hold_s)
        self._close(question)
        return Late(question.request, turn_around_s, is_certain)

    def is_for_earlier(self, request: Request, frame: Frame) -> bool:
        """Return whether a reply to `request` more likely answers another one, which was sent before.

        A refusal does not say what it refuses, and a device answers in turn. A reply that comes at other line
        settings is not received at these.
        """
        return any(
            question.is_open
            and question.request.data != request.data
            and question.request.reply_line == request.reply_line
            and accepts(question.request, frame)
            for question in self._questions
        )

    def may_say(self, frame: Frame) -> bool:
        """Return whether this frame could be a reply that is still owed."""
        return any(question.is_open and accepts(question.request, frame) for question in self._questions)

    def owes_beside(self, request: Request, now: float) -> bool:
        """Return whether a reply to anything but `request` may still come."""
        return any(
            question.clear_at > now and question.request.data != request.data for question in self._questions
        )

    def noise(self, at: float) -> None:
        """Record that octets were heard that belong to no frame, perhaps to a late reply of this address."""
        if any(question.clear_at > at for question in self._questions):
            self.reply_timeout.suspect()

    def forget(self) -> None:
        """Forget what was learned of the station; replies that it owes are still owed."""
        self.reply_timeout = ReplyTimeout()
        self.second_replies = SecondReplies()

    @property
    def is_owing(self) -> bool:
        """Return whether a reply may still come."""
        return any(question.is_open for question in self._questions)

    def clear_at(self, request: Request) -> float:
        """Return the earliest time at which the reply to `request` cannot be confused with one owed.

        -inf: at once.
        """
        clear_times = (self._clear_at(question, request) for question in self._questions)
        return max(self.second_replies.clear_at(request), *clear_times, -math.inf)

    def soon_at(self, request: Request) -> float:
        """Return until when replies in the way of `request` are worth waiting for on the line."""
        in_the_way = [
            question for question in self._questions if self._clear_at(question, request) > -math.inf
        ]
        likely = (question.tries[-1] + self._likely_s(question) for question in in_the_way)
        return max(self.second_replies.soon_at(request), *likely, -math.inf)

    def _likely_s(self, question: _Question) -> float:
        """Return how long after a try its reply is likely to come, at most what the line may wait."""
        first_s = question.replies_at[0] - question.tries[0] if question.replies_at else 0.0
        return min(_LINE_WAIT_S, max(self.reply_timeout.wait_s(self._limit_s), _SLOWER * first_s))

    def _clear_at(self, question: _Question, request: Request) -> float:
        if not question.is_open or not is_alike(question.request, request):
            return -math.inf
        if question.reply is not None and not accepts(request, question.reply):
            return -math.inf
        if question.request.data != request.data:
            return question.clear_at
        if not (self._is_doubtful or self._has_rival(request)):
            return -math.inf
        least_s = _LEAST_S if self.reply_timeout.is_known else self._limit_s
        if question.owed and not question.replies_at and self._is_doubtful:
            least_s = max(2 * self._limit_s, _DOUBT_S)
        return question.tries[-1] + max(_SLOWER * self.reply_timeout.times.slowest_s, least_s)

    @property
    def _is_doubtful(self) -> bool:
        """Return whether a reply that did not come may be late rather than lost, for all that is known."""
        return not self.reply_timeout.is_known or self.reply_timeout.misses >= MISSES_TO_DOUBT

    @property
    def _hold_s(self) -> float:
        return min(LONGEST_HOLD_S, max(HOLD_S, _HOLD_OF_SLOWEST * self.reply_timeout.times.slowest_s))

    def _hear(self, question: _Question, at: float, *, is_measured: bool) -> None:
        question.replies_at.append(at)
        if question.older and not self._has_rival(question.request):  # it may be the latest that is owed
            question.older_until = max(question.older_until, question.expires_at)
        if question.owed:  # one was just heard, so the next may be as late
            question.expires_at = max(question.expires_at, at + self._hold_s)
        else:
            last_tries = question.tries[-len(question.replies_at) :]
            for try_at, reply_at in zip(last_tries, question.replies_at, strict=False):
                if is_measured:
                    self.reply_timeout.learn(max(0.0, reply_at - try_at))
            self._close(question)

    def _remember(self, request: Request) -> None:
        self._requests_asked.pop(request.data, None)
        self._requests_asked[request.data] = request
        if len(self._requests_asked) > _MOST_REMEMBERED:
            del self._requests_asked[next(iter(self._requests_asked))]

    def _has_rival(self, request: Request) -> bool:
        """Return whether another request of this shape is asked of the address, too."""
        return any(
            other.data != request.data and is_alike(other, request) for other in self._requests_asked.values()
        )

    def _close(self, question: _Question) -> None:
        if not question.is_open and question in self._questions:
            self._questions.remove(question)

    def _drop_expired(self, now: float) -> None:
        for question in self._questions:
            if question.older_until <= now:
                question.older = 0
        self._questions = [question for question in self._questions if question.clear_at > now]
