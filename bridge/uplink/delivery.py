"""The server's side of the uplink: whose turn it is, and what an answer asks for.

Each lane carries one batch of one credential; who has live readings goes first, in turn. A credential that
the server does not accept waits alone. Silence to everybody makes the link wait: one request at a time,
further and further apart, until something is answered. Meanwhile the server is asked whether it is back:

    it does not answer pings          a ping; the first answer ends the wait
    it answers pings, not requests    the oldest request once more, as a new message: one that is acknowledged
                                      and forgotten is never answered, the next one may be
    it answers 5.00 to all            one message of one credential, in turn; once one is accepted, all go on

What an answer tells about others depends on when its request was *sent*: one that was sent earlier, and
answered late, does not say that the server was there since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from bridge.errors import PathTooNarrow, UplinkError
from bridge.spool import Row
from bridge.thingsboard import Action, Batch, Unsendable, decide
from bridge.uplink.drain import Drain
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace, Wait, news
from bridge.uplink.payload_limit import PayloadLimit
from bridge.uplink.refusals import Refusals

log = logging.getLogger(__name__)

_FADES = 0.95  # the slowest answer is forgotten over some dozens of others


class Answer(Protocol):
    """A response; its code as RFC 7252 writes it: "2.01"."""

    @property
    def code(self) -> str: ...


class Client(Protocol):
    """What the uplink asks of `bridge.coap.Client`, or of what stands in for it."""

    @property
    def lanes(self) -> int: ...

    @property
    def stats(self) -> Any: ...

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Answer: ...

    async def ping(self) -> bool: ...

    @property
    def deadline_s(self) -> float: ...

    async def refresh(self) -> None: ...

    def budget(self, path: Sequence[str]) -> int: ...

    def longest(self, path: Sequence[str]) -> int: ...

    def reset(self) -> None: ...


@dataclass(eq=False, slots=True)
class _Exchange:
    """A batch on its way.

    Attributes:
        sent_at: when the request that was answered was sent; until then, the first.
        connection: which one it was sent on.
        scope: ends the wait for the first request.
        repeat_scope: ends the wait for a later one.
        instead: the answer to a later one; None with the wait ended: given up.
    """

    feed: Feed
    batch: Batch
    sent_at: float
    connection: int
    scope: asyncio.Timeout | None = None
    repeat_scope: asyncio.Timeout | None = None
    instead: str | None = None


class Delivery:
    """Sends what the feeds have, as many batches at once as the client has lanes.

    Attributes:
        silent_until: nothing is sent before this moment.
        last_error: why the link is down; None while the server answers.
        answered_at: when it last did; 0 before.
        delivered: readings accepted since the start.
    """

    def __init__(self, feeds: Sequence[Feed], drain: Drain, client: Client, pace: Pace) -> None:
        self.silent_until = 0.0
        self.last_error: str | None = None
        self.answered_at = 0.0
        self.delivered = 0
        self._feeds = feeds
        self._drain = drain
        self._client = client
        self._probe_every_s = pace.probe_every_s
        self._silence = Wait(pace.back_off_s, pace.jitter)
        self._distrust = Wait(pace.hold_s, pace.jitter)
        self._is_down = asyncio.Event()
        self._turns = count(1)
        self._served_at = dict.fromkeys(feeds, 0)
        self._unanswered_since: dict[Feed, float] = {}
        self._in_flight: list[_Exchange] = []
        self._has_begun = asyncio.Event()
        self._answered_sent_at = 0.0
        self._slowest_answer_s = 0.0
        self._payload = PayloadLimit()
        self._refusals = Refusals(pace.probe_every_s)
        self._connection = 0
        self._refused_sensors: set[str] = set()

    async def run(self) -> None:
        """Until cancelled, and with it what is in flight."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as exchanges:
            exchanges.create_task(self._probe())
            while True:
                while (feed := self._next(loop.time())) is not None:
                    if (batch := self._take(feed, loop.time())) is not None:
                        exchange = _Exchange(feed, batch, loop.time(), self._connection)
                        self._in_flight.append(exchange)
                        self._has_begun.set()
                        exchanges.create_task(self._exchange(exchange))
                await news(self._drain.work, self._idle_s(loop.time()))

    def is_advancing(self) -> bool:
        """Whether every exchange in flight can still end by itself."""
        now = asyncio.get_running_loop().time()
        return all(now - exchange.sent_at <= self._client.deadline_s for exchange in self._in_flight)

    async def _probe(self) -> None:
        """Find out, while requests stay unanswered, whether the server is back."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._in_flight and not self._is_down.is_set():
                self._has_begun.clear()
                await self._has_begun.wait()
            looked_at = loop.time()
            exchange = self._overdue(looked_at)
            if exchange is not None:
                if await self._client.ping():
                    await self._repeat(exchange)
            elif self._is_down.is_set() and not self._in_flight and await self._client.ping():
                self.silent_until = 0.0
                self._drain.work.set()
            await asyncio.sleep(max(0.0, looked_at + self._probe_every_s - loop.time()))

    def _overdue(self, now: float) -> _Exchange | None:
        """Return the oldest exchange that takes longer than answers take."""
        overdue_s = max(self._probe_every_s, 2 * self._slowest_answer_s)
        oldest = min(self._in_flight, key=lambda exchange: exchange.sent_at, default=None)
        return oldest if oldest is not None and now - oldest.sent_at >= overdue_s else None

    async def _repeat(self, exchange: _Exchange) -> None:
        """Ask once more what the server, which is there, has not answered: it may have forgotten."""
        sent_at = asyncio.get_running_loop().time()
        feed, batch = exchange.feed, exchange.batch
        try:
            async with asyncio.timeout(self._probe_every_s) as exchange.repeat_scope:
                answer = await self._client.post(feed.path, batch.payload, at_once=True)
        except PathTooNarrow:  # the budget is less now
            self._end(exchange)
            return
        except (UplinkError, TimeoutError):
            if exchange in self._in_flight and not self._payload.is_proven(len(batch.payload)):
                self._payload.swallowed(len(batch.payload), sent_at)
                self._end(exchange)
            return
        finally:
            exchange.repeat_scope = None
        exchange.instead = answer.code
        for other in tuple(self._in_flight):
            if other is exchange or sent_at - other.sent_at >= self._probe_every_s:
                self._end(other)
        exchange.sent_at = sent_at

    def _end(self, exchange: _Exchange) -> None:
        """End the wait for the first request, in favour of what came instead."""
        if exchange in self._in_flight and exchange.scope is not None:
            exchange.scope.reschedule(asyncio.get_running_loop().time())

    def _next(self, now: float) -> Feed | None:
        """Whose turn it is.

        After silence, strictly in turn: a message that is never answered must not be the only probe.
        """
        is_failing = self._is_failing
        if now < self.silent_until or len(self._in_flight) >= (1 if is_failing else self._client.lanes):
            return None
        probing = not self._in_flight and self._refusals.is_time_to_probe(now)
        ready = [feed for feed in self._feeds if feed.is_ready(now, probing=probing)]
        in_turn = is_failing or probing
        return min(
            ready, key=lambda feed: (not (feed.has_live or in_turn), self._served_at[feed]), default=None
        )

    @property
    def _is_failing(self) -> bool:
        return self._silence.is_on or self._distrust.is_on

    def _idle_s(self, now: float) -> float | None:
        """How long until a wait ends; None if there is none, so that only news can change anything."""
        moments = [max(feed.wait_until, self.silent_until) for feed in self._feeds if feed.has_work]
        if moments and (probe_at := self._refusals.probe_at(now)) is not None:
            moments.append(probe_at)
        return min((moment - now for moment in moments if moment > now), default=None)

    def _take(self, feed: Feed, now: float) -> Batch | None:
        self._served_at[feed] = next(self._turns)
        longest = self._client.longest(feed.path)
        budget = self._payload.budget(self._client.budget(feed.path), now)
        try:
            try:
                batch = feed.take(budget, now)
            except Unsendable as error:
                if budget == longest:
                    raise
                feed.take_back(error.row)  # only too long for what is known of the path
                batch = feed.take(longest, now)
        except Unsendable as error:
            self._refuse(error.row, "", str(error))
            return None
        if self._drain.has_more_for(feed, now):
            self._drain.hunger.set()
        return batch

    async def _exchange(self, exchange: _Exchange) -> None:
        """Sends one batch and does what its answer asks for."""
        loop = asyncio.get_running_loop()
        feed, batch = exchange.feed, exchange.batch
        answer: str | UplinkError | None
        try:
            async with asyncio.timeout(None) as exchange.scope:
                if (
                    feed.is_held
                ):  # the server may have moved, and its old machine refuse what it does not know
                    await self._client.refresh()
                answer = (await self._client.post(feed.path, batch.payload)).code
        except TimeoutError:
            answer = exchange.instead
        except UplinkError as error:
            answer = exchange.instead or error
        self._in_flight.remove(exchange)
        if exchange.repeat_scope is not None:
            exchange.repeat_scope.reschedule(loop.time())
        self._drain.work.set()
        others_answered = False
        if isinstance(answer, str):
            self._heard(exchange, loop.time())
        elif answer is None or exchange.connection != self._connection or isinstance(answer, PathTooNarrow):
            feed.put_back(batch)  # given up, or gone with the connection that another gave up, or too long
            return
        else:
            unanswered_since = self._unanswered_since.setdefault(feed, exchange.sent_at)
            others_answered = self._answered_sent_at > unanswered_since
            if others_answered:
                self._payload.swallowed(len(batch.payload), loop.time())
        self._settle(feed, batch, answer, others_answered=others_answered)

    def _settle(self, feed: Feed, batch: Batch, answer: str | UplinkError, *, others_answered: bool) -> None:
        now = asyncio.get_running_loop().time()
        decision = decide(answer, feed.sent(batch, others_answered=others_answered))
        if decision.action is Action.SLOW_DOWN:
            self._refusals.refused(now)
        elif not isinstance(answer, UplinkError) and self._refusals.accepted(now):
            for each in self._feeds:
                each.release(now)
        reason_before = feed.reason
        delivered = feed.settle(batch, decision, now)
        if feed.reason not in (None, reason_before):
            wait_s = feed.wait_until - now
            log.warning("%s: %s; next try in %.0f s", ", ".join(feed.sensors), feed.reason, wait_s)
        match decision.action:
            case Action.COMMIT:
                self.delivered += len(delivered)
                self._drain.delivered(delivered)
            case Action.REFUSE:
                self._refuse(batch.rows[0], str(answer), decision.reason)
            case Action.BACK_OFF:
                self._is_down.set()
                self._lost(decision.reason, now, self._silence)
            case Action.HOLD_LINK:
                self._is_down.clear()
                self._lost(decision.reason, now, self._distrust)
            case Action.RENEW:
                self._renew()

    def _refuse(self, row: Row, answer: str, reason: str) -> None:
        first = row.sensor not in self._refused_sensors
        self._refused_sensors.add(row.sensor)
        log.log(
            logging.ERROR if first else logging.DEBUG,
            "%s: a reading is refused and kept apart: %s",
            row.sensor,
            reason,
        )
        self._drain.refused(row, answer, reason)

    def _heard(self, exchange: _Exchange, now: float) -> None:
        self._unanswered_since.pop(exchange.feed, None)
        self._answered_sent_at = max(self._answered_sent_at, exchange.sent_at)
        self._slowest_answer_s = max(now - exchange.sent_at, _FADES * self._slowest_answer_s)
        self._payload.answered(len(exchange.batch.payload))
        if self._is_failing:
            log.info("the server answers again")
            for feed in self._feeds:
                feed.resume()
        self.answered_at = now
        self.silent_until = 0.0
        self.last_error = None
        self._silence.end()
        self._distrust.end()
        self._is_down.clear()

    def _lost(self, reason: str, now: float, wait: Wait) -> None:
        wait_s = wait.longer()
        if self.last_error is None or (wait is self._distrust and reason != self.last_error):
            log.warning("%s; next try in %.0f s, then further apart", reason, wait_s)
        self.last_error = reason
        self.silent_until = now + wait_s
        self._renew()

    def _renew(self) -> None:
        """A fresh socket, address and handshake; what is in flight comes back as if never sent."""
        self._connection += 1
        self._client.reset()
