"""Congestion control: how many requests at once, how many a second, and when one is sent again.

RFC 7252 §4.7 asks for one outstanding request (NSTART) unless something else prevents congestion. Here
several may be in flight as long as answers come; a timeout narrows that to one until the next answer.
Nothing here does I/O, and only `ConcurrencyLimit` waits.
"""

from __future__ import annotations

import asyncio


class ConcurrencyLimit:
    """Limit the requests in flight: `async with limit:` holds one place; callers are admitted in order.

    Args:
        width: requests in flight at once as long as the server answers.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._limit = width
        self._busy = 0
        self._turns: dict[asyncio.Future[None], None] = {}  # in order of arrival

    @property
    def limit(self) -> int:
        """Return the number of requests that may be in flight now."""
        return self._limit

    @property
    def width(self) -> int:
        """Return the number of requests that may be in flight as long as the server answers."""
        return self._width

    @width.setter
    def width(self, width: int) -> None:
        if width < 1:
            raise ValueError(f"{width} lanes carry nothing, use 1 or more")
        self._width = width
        self.widen()

    def narrow(self) -> None:
        """Allow one request at a time after a timeout; those in flight are left alone."""
        self._limit = 1

    def widen(self) -> None:
        """Allow the full width again after an answer."""
        self._limit = self._width
        self._admit()

    async def __aenter__(self) -> None:
        if self._busy < self._limit and not self._turns:
            self._busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            self._turns.pop(turn, None)
            if not turn.cancelled():  # admitted and cancelled in the same moment: hand the turn on
                await self.__aexit__()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._turns and self._busy < self._limit:
            turn = next(iter(self._turns))
            del self._turns[turn]
            if not turn.done():
                self._busy += 1
                turn.set_result(None)


class Pace:
    """Space confirmable messages out: a bucket of five that never lets more than 60 × `rate` go in a minute.

    ThingsBoard spends a message id on every answer and keeps it for 247 s; a client that gets more than about
    230 answers a second from it exhausts them, and is not answered any more.

    Args:
        rate: messages a second, retransmissions included; None for no limit.
    """

    BURST = 5

    def __init__(self, rate: float | None) -> None:
        # A window of 60 s holds the burst and what flows in meanwhile; together not more than rate × 60.
        self.interval_s = 0.0 if rate is None else 1 / (rate - self.BURST / 60)
        self._next_s = 0.0  # when the bucket is full again, on the caller's clock

    def reserve(self, now_s: float) -> float:
        """Reserve the next place in the stream and return the seconds to wait for it.

        A message that cannot wait (a retransmission) reserves too and leaves at once; later ones wait longer.

        Args:
            now_s: the time on any steady clock, in seconds.
        """
        full_s = max(self._next_s, now_s)
        self._next_s = full_s + self.interval_s
        return max(0.0, full_s - now_s - (self.BURST - 1) * self.interval_s)


class RoundTrip:
    """Estimate how long the server takes to acknowledge, and when to send again (RFC 6298).

    The wait is never below `floor_s`: ThingsBoard itself may take 500 ms before it acknowledges, whatever the
    network's round trip. It rises on slow links (NB-IoT, satellite), where everything would be sent twice.

    An exchange that took a retransmission tells only the most that the round trip can be. It counts for a
    quarter, so that loss raises the wait a little and a link slower than the first wait is still learned.
    """

    CEILING_S = 4.0  # twice RFC 7252's ACK_TIMEOUT

    def __init__(self, floor_s: float) -> None:
        self._floor_s = floor_s
        self._variation_s = 0.0
        self.smoothed_s: float | None = None

    @property
    def ack_timeout_s(self) -> float:
        """Return the ACK_TIMEOUT for the next request, in seconds."""
        if self.smoothed_s is None:
            return self._floor_s
        return max(self._floor_s, min(self.smoothed_s + 4 * self._variation_s, self.CEILING_S))

    def sample(self, elapsed_s: float, transmissions: int) -> None:
        """Record the duration of one exchange.

        Args:
            elapsed_s: from its first transmission to its acknowledgement, in seconds.
            transmissions: how often the request was sent.
        """
        if self.smoothed_s is None:
            self.smoothed_s, self._variation_s = elapsed_s, elapsed_s / 2
            return
        weight = 1.0 if transmissions == 1 else 0.25
        self._variation_s += weight / 4 * (abs(self.smoothed_s - elapsed_s) - self._variation_s)
        self.smoothed_s += weight / 8 * (elapsed_s - self.smoothed_s)
