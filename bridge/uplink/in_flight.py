"""The requests in flight, and the probes while they stay unanswered.

Silence has several reasons, and each has its probe:

    the server does not answer pings          a ping, every `probe_every_s`; the first answer ends the wait
    it answers pings, and not a request       that request once more, as a new message: the first may be
                                              acknowledged and forgotten, and is then never answered
    it does not answer that one either        its length may be the reason: the client records it, and a
                                              shorter one is sent at once

Only the oldest request is repeated, and only once it takes longer than answers take: a slow server does not
get everything twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.errors import PathTooNarrow, UplinkError
from bridge.response_code import ResponseCode
from bridge.thingsboard import Batch
from bridge.uplink.clients import UplinkClient
from bridge.uplink.feed import Feed

_FADES = 0.95  # the slowest answer is forgotten over some dozens of others


@dataclass(eq=False, slots=True)
class Exchange:
    """A batch in flight.

    Attributes:
        sent_at: when the request that was answered was sent; until then, when the first was.
        connection: number of the connection that it was sent on.
        is_too_long: longer than the way is known to carry, because one value in it allows no less.
        scope: ends the wait for the first request.
        repeat_scope: ends the wait for the repeated request.
        instead: the answer to the repeated request; None, with the wait ended, if it was given up.
    """

    feed: Feed
    batch: Batch
    sent_at: float
    connection: int
    is_too_long: bool = False
    scope: asyncio.Timeout | None = None
    repeat_scope: asyncio.Timeout | None = None
    instead: ResponseCode | UplinkError | None = None

    def end_wait(self) -> None:
        """End the wait for the first request, in favour of the answer in `instead`."""
        _end(self.scope)


class InFlight:
    """The exchanges of one client.

    Args:
        client: sends the requests and pings.
        probe_every_s: seconds between two probes, and the least time before the first.
        is_back: called when a server that was lost answers a ping.

    Attributes:
        is_lost: the server answers nothing; set by the caller, cleared by an answer.
    """

    def __init__(self, client: UplinkClient, probe_every_s: float, is_back: Callable[[], None]) -> None:
        self.is_lost = False
        self._client = client
        self._probe_every_s = probe_every_s
        self._is_back = is_back
        self._exchanges: list[Exchange] = []
        self._has_begun = asyncio.Event()
        self._slowest_answer_s = 0.0

    def __len__(self) -> int:
        return len(self._exchanges)

    def begin(self, exchange: Exchange) -> None:
        """Add an exchange before its request is sent."""
        self._exchanges.append(exchange)
        self._has_begun.set()

    def end(self, exchange: Exchange) -> None:
        """Remove an exchange, and end its repeated request if that is in flight."""
        self._exchanges.remove(exchange)
        _end(exchange.repeat_scope)

    def record_answer(self, exchange: Exchange, now: float) -> None:
        """Record how long an answer took; the next ones are allowed twice the slowest's time."""
        self.is_lost = False
        self._slowest_answer_s = max(now - exchange.sent_at, _FADES * self._slowest_answer_s)

    def is_overdue(self, now: float) -> bool:
        """Return whether an exchange is past the client's deadline, so that it will not end by itself."""
        return any(now - exchange.sent_at > self._client.deadline_s for exchange in self._exchanges)

    async def run(self) -> None:
        """Probe the server while requests stay unanswered, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._exchanges and not self.is_lost:
                self._has_begun.clear()
                await self._has_begun.wait()
            looked_at = loop.time()
            exchange = self._oldest_unanswered(looked_at)
            if exchange is not None:
                if await self._client.ping():
                    await self._repeat(exchange)
            elif self.is_lost and not self._exchanges and await self._client.ping():
                self._is_back()
            await asyncio.sleep(max(0.0, looked_at + self._probe_every_s - loop.time()))

    def _oldest_unanswered(self, now: float) -> Exchange | None:
        """Return the oldest exchange if it takes longer than answers take."""
        longest_s = max(self._probe_every_s, 2 * self._slowest_answer_s)
        oldest = min(self._exchanges, key=lambda exchange: exchange.sent_at, default=None)
        return oldest if oldest is not None and now - oldest.sent_at >= longest_s else None

    async def _repeat(self, exchange: Exchange) -> None:
        """Send once more a request that a living server has not answered: it may have forgotten it."""
        sent_at = asyncio.get_running_loop().time()
        feed, batch = exchange.feed, exchange.batch
        try:
            async with asyncio.timeout(self._probe_every_s) as exchange.repeat_scope:
                answer = await self._client.post(feed.path, batch.payload, at_once=True)
        except PathTooNarrow as error:
            self._answer(exchange, error)
            return
        except (UplinkError, TimeoutError):
            if exchange in self._exchanges:
                self._answer(exchange, self._client.record_ignored(feed.path, len(batch.payload)))
            return
        finally:
            exchange.repeat_scope = None
        self._answer(exchange, answer.code)
        for stale in self._exchanges:
            if stale is not exchange and sent_at - stale.sent_at >= self._probe_every_s:
                stale.end_wait()  # forgotten likewise: each is sent anew
        exchange.sent_at = sent_at

    def _answer(self, exchange: Exchange, answer: ResponseCode | UplinkError | None) -> None:
        if answer is not None and exchange in self._exchanges:
            exchange.instead = answer
            exchange.end_wait()


def _end(scope: asyncio.Timeout | None) -> None:
    """End a wait now. One that is ending already takes some steps to unwind, and cannot be ended again."""
    if scope is not None and not scope.expired():
        scope.reschedule(asyncio.get_running_loop().time())
