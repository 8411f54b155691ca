"""What the line knows of one address: its counters, its turn-arounds, and the replies it still owes. Pure.

The trap this closes: a request is tried twice; the reply to the first try comes late and is taken as that of
the second, rightly, as both ask the same. Then the reply to the second try comes when the next request is
out, and has its address, function and length. So a station counts the tries and the replies heard to them.
While one is owed, nothing that it might answer is asked of that address until `clear_at`, when it must have
come. Other addresses can be asked meanwhile, and this one for what has another reply: of another length, say.

Only what is certain is learned: which reply belonged to which try is known when all have come, or when the
time for more is over.
"""

from __future__ import annotations

import math

from bridge.line.turn_around import TurnAround
from protocols.dialogue import Request
from protocols.framing import Frame

_SLOWER = 1.5  # how much slower than ever seen a reply may be
_LEAST_HOLD_S = 0.050
_DOUBT_S = 1.0  # nobody knows when a reply comes that did not come in time; so long at least, it may


class Station:
    """One address on the line. Times are seconds of the loop's clock."""

    def __init__(self) -> None:
        self.turn_around = TurnAround()
        self.requests = 0
        self.replies = 0
        self.timeouts = 0
        self.crc_errors = 0
        self.late_replies = 0
        self.busy_s = 0.0  # for so long requests to it held the line
        self._request: Request | None = None  # the last one, until no reply to it can come any more
        self._tries: list[float] = []  # when each try of it was out on the wire
        self._reply: Frame | None = None  # the one that was taken
        self._heard: list[float] = []  # when the first octet of each reply to it came
        self._damaged = 0  # replies to it that were no good frame
        self._reply_timeout_s = 0.0

    def sent(self, request: Request, at: float, *, is_retry: bool) -> None:
        """A request is out on the wire at `at`."""
        if not is_retry:
            self._settle()
        self.requests += 1
        self._request = request
        self._tries.append(at)

    def answered(self, reply: Frame, at: float) -> float:
        """A reply was taken, its first octet came at `at`. Returns its turn-around since the last try."""
        self.replies += 1
        self._reply = reply
        turn_around_s = max(0.0, at - self._tries[-1])
        self._hear(at)
        return turn_around_s

    def unanswered(self, reply_timeout_s: float, *, is_damaged: bool) -> None:
        """The time for a reply is over; one came, but it was no good frame, if `is_damaged`."""
        self._reply_timeout_s = reply_timeout_s
        if is_damaged:
            self.crc_errors += 1
            self._damaged += 1
        else:
            self.timeouts += 1

    def takes(self, frame: Frame, at: float) -> bool:
        """Whether a frame nobody waits for is a late reply of this station; if so, it is counted."""
        if self._request is None or not self._request.accepts(frame):
            return False
        self.late_replies += 1
        self._hear(at)
        return True

    @property
    def is_owing(self) -> bool:
        """Whether a reply may still come."""
        return bool(self._tries)

    def clear_at(self, request: Request | None = None) -> float:
        """From when on `request` may be sent, or any other: until then the reply to it could be mistaken.

        -inf: no reply is owed.
        """
        if not self.is_owing:
            return -math.inf
        if self._reply is not None and request is not None and not request.accepts(self._reply):
            return -math.inf
        slowest_s = self.turn_around.slowest_s
        if self._heard:
            slowest_s = max(slowest_s, self._heard[0] - self._tries[0])  # if that was the reply to the first
        each_was_heard = len(self._heard) + self._damaged >= len(self._tries)
        if each_was_heard or (self._heard and self._asks_the_same(request)):
            least_s = _LEAST_HOLD_S if self.turn_around.is_known else self._reply_timeout_s
        else:
            least_s = max(2 * self._reply_timeout_s, _DOUBT_S)
        return self._tries[-1] + max(_SLOWER * slowest_s, least_s)

    def _asks_the_same(self, request: Request | None) -> bool:
        return request is not None and self._request is not None and request.data == self._request.data

    def _hear(self, at: float) -> None:
        self._heard.append(at)
        if len(self._heard) >= len(self._tries):
            self._settle()

    def _settle(self) -> None:
        """No further reply is owed: learns from those that came, which were those to the last tries."""
        last_tries = self._tries[-len(self._heard) :] if self._heard else ()
        for sent, heard in zip(last_tries, self._heard, strict=False):
            self.turn_around.add(max(0.0, heard - sent))
        self._request = self._reply = None
        self._tries.clear()
        self._heard.clear()
        self._damaged = 0
