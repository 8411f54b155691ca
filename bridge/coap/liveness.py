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
    """Watch the requests of one association that wait for an answer.

    Args:
        waiting_exchanges: returns the exchanges whose request has left and is not answered.
        ping: sends a ping.
        repeat: sends the request of an exchange again.
    """

    def __init__(
        self,
        waiting_exchanges: Callable[[], Sequence[Exchange]],
        ping: Callable[[], None],
        repeat: Callable[[Exchange], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting_exchanges = waiting_exchanges
        self._ping = ping
        self._repeat = repeat
        self._timer: asyncio.TimerHandle | None = None
        self._every_s = 0.0
        self._last_datagram_s = 0.0
        self._is_silent = False

    def begin_request(self, ack_timeout_s: float) -> None:
        """Check every two ACK_TIMEOUTs from now on until no request waits; a request is about to leave."""
        self._every_s = 2 * ack_timeout_s
        if self._timer is None:
            self._last_datagram_s = self._loop.time()
            self._timer = self._loop.call_later(self._every_s, self._look)

    def record_datagram(self) -> None:
        """Record a datagram from the server; after a silence, repeat what it has not acknowledged."""
        self._last_datagram_s = self._loop.time()
        if self._is_silent:
            self._is_silent = False
            for exchange in self._waiting_exchanges():
                if not exchange.is_acknowledged:
                    self._repeat(exchange)

    def end_request(self) -> None:
        """Stop the checks if no request waits any more; a request is over."""
        if self._timer is not None and not self._waiting_exchanges():
            self._timer.cancel()
            self._timer = None
            self._is_silent = False

    def _look(self) -> None:
        """Repeat acknowledged requests that got no answer, and send a ping after a silence."""
        now_s = self._loop.time()
        self._timer = self._loop.call_later(self._every_s, self._look)
        exchanges = self._waiting_exchanges()
        for exchange in exchanges:
            if (
                exchange.is_acknowledged
                and now_s - exchange.acknowledged_s >= 2 * self._every_s * 3**exchange.repeats
            ):
                exchange.repeats += 1
                self._repeat(exchange)
        if now_s - self._last_datagram_s >= self._every_s and not all(
            exchange.is_acknowledged for exchange in exchanges
        ):
            self._is_silent = True
            self._ping()
