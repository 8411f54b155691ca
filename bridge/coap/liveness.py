"""Looks after the requests that wait for an answer on one association.

aiocoap sends a request again further and further apart, and no more once it is acknowledged: right for a
crowded network, slow for a link that was cut for a moment. So, on top of that:

    nothing heard for a while       a ping (RFC 7252 §4.3: an empty CON, answered with RST); with the first
                                    sign of life whatever is not acknowledged is sent again at once
    acknowledged and not answered   the same message again, further and further apart: a server whose answer
                                    was lost repeats it, one that restarted serves it, others acknowledge it

What is sent again keeps its message id, so a server that has served it does not serve it twice. A ping takes
four bytes. Nothing runs while nothing waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.coap.exchange import Exchange


class LivenessMonitor:
    """One association's.

    Args:
        waiting: the lanes whose request has left and is not answered.
        ping: sends one.
        repeat: sends the request of an exchange again.
    """

    def __init__(
        self,
        waiting: Callable[[], Sequence[Exchange]],
        ping: Callable[[], None],
        repeat: Callable[[Exchange], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting = waiting
        self._ping = ping
        self._repeat = repeat
        self._timer: asyncio.TimerHandle | None = None
        self._every_s = 0.0
        self._heard_s = 0.0
        self._is_silent = False

    def begin(self, ack_timeout_s: float) -> None:
        """A request leaves; from here on there is a look every two ACK_TIMEOUTs until all are over."""
        self._every_s = 2 * ack_timeout_s
        if self._timer is None:
            self._heard_s = self._loop.time()
            self._timer = self._loop.call_later(self._every_s, self._look)

    def heard(self) -> None:
        """A sign of life."""
        self._heard_s = self._loop.time()
        if self._is_silent:
            self._is_silent = False
            for exchange in self._waiting():
                if not exchange.is_acknowledged:
                    self._repeat(exchange)

    def over(self) -> None:
        """A request is over."""
        if self._timer is not None and not self._waiting():
            self._timer.cancel()
            self._timer = None
            self._is_silent = False

    def _look(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._every_s, self._look)
        waiting = self._waiting()
        for exchange in waiting:
            if (
                exchange.is_acknowledged
                and now - exchange.acknowledged_s >= 2 * self._every_s * 3**exchange.repeats
            ):
                exchange.repeats += 1
                self._repeat(exchange)
        if now - self._heard_s >= self._every_s and not all(exchange.is_acknowledged for exchange in waiting):
            self._is_silent = True
            self._ping()
