"""Whether an address answers twice: two devices have it, or another master asks it too. Pure.

    request A ─▶ reply A ─▶ reply A of the other device

The second reply looks like the answer to whatever of the same shape was asked meanwhile. Whoever is new is
watched: behind its first reply, another request of that shape waits for `WATCH_S`. If a second reply is heard
then, or at any other time when nothing was asked that it could answer, such requests wait half as long again
as the second one took, until 20 waits in a row have passed without one.

What cannot be known: whether a second device is slower than the watch; and one that is given the address
later may answer for the first in one poll, if that poll asks for several things of one shape, before a second
reply comes when none can be mistaken. Replies that overlap on the wire are damaged, and nobody believes them.
"""

from __future__ import annotations

import math

from bridge.line.shape import accepts, is_alike
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request

WATCH_S = 0.5
_REACH_S = 2.0  # what comes later than this behind a reply is no second one
_SLOWER = 1.5  # how much slower than ever seen the next second reply may be
_LEAST_S = 0.050
_LINE_WAIT_S = 0.1  # the most that everybody waits for the second reply of one address, once that is known
_ALONE_AFTER = 20  # waits in a row without a second reply


class SecondReplies:
    """The second replies of one address. Times are seconds of the loop's clock.

    Attributes:
        count: how many were heard.
    """

    def __init__(self) -> None:
        self.count = 0
        # the latest, no two alike, each with the time when its reply was over
        self._answered_requests: list[tuple[Request, float]] = []
        self._wait_s = WATCH_S
        self._waits = 1  # to pass without a second reply, until it is taken to be alone

    @property
    def is_expected(self) -> bool:
        """Return whether the address answered twice, and not alone often enough since."""
        return self.count > 0 and self._waits > 0

    def record_request(self, request: Request, at: float) -> None:
        """Record that a request is out: from now on a reply of its shape may be its own."""
        alike = [over_at for earlier, over_at in self._answered_requests if is_alike(earlier, request)]
        self._answered_requests = [
            (earlier, over_at)
            for earlier, over_at in self._answered_requests
            if not is_alike(earlier, request)
        ]
        if alike and at >= max(alike) + self._wait_s:
            self._waits = max(0, self._waits - 1)

    def record_reply(self, request: Request, over_at: float) -> None:
        """Record that a request was answered; the last octet of its reply came at `over_at`."""
        self._answered_requests = [
            (earlier, end) for earlier, end in self._answered_requests if over_at - end < _REACH_S
        ]
        self._answered_requests.append((request, over_at))

    def hears(self, frame: Frame, at: float) -> bool:
        """Return whether an unexpected frame that began at `at` is a second reply."""
        lags_s = [at - over_at for request, over_at in self._answered_requests if accepts(request, frame)]
        if not lags_s or min(lags_s) > _REACH_S:
            return False
        slowest_s = self._wait_s if self.is_expected else _LEAST_S
        self._wait_s = max(slowest_s, _SLOWER * min(lags_s))
        self._waits = _ALONE_AFTER
        self.count += 1
        return True

    def clear_at(self, request: Request) -> float:
        """Return until when a second reply could be taken for the reply to `request`; -inf if not at all."""
        if not self._waits:
            return -math.inf
        ends = (
            over_at
            for earlier, over_at in self._answered_requests
            if earlier.data != request.data and is_alike(earlier, request)
        )
        return max(ends, default=-math.inf) + self._wait_s

    def soon_at(self, request: Request) -> float:
        """Return until when to wait on the line before `request`; -inf if not at all."""
        is_short = not self.is_expected or self._wait_s <= _LINE_WAIT_S
        return self.clear_at(request) if is_short else -math.inf
