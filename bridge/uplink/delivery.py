"""The server's side of the uplink: whose turn it is, and what an answer asks for.

Each lane carries one batch of one credential; who has live readings goes first, in turn. A credential that
the server does not accept waits alone. Silence to everybody makes the link wait: one request at a time,
further and further apart, until something is answered. Meanwhile a ping every few seconds finds out whether
the server is there at all, and the wait ends as soon as one that was not is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import count
from typing import Any, Protocol

from bridge.errors import UplinkError
from bridge.spool import Row
from bridge.thingsboard import Action, Batch, Unsendable, decide
from bridge.uplink.drain import Drain
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace, Wait, news

log = logging.getLogger(__name__)

EXCHANGE_WITHIN_S = 300.0  # more than the client's own deadlines add up to, with every lane behind the others


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

    async def post(self, path: Sequence[str], payload: bytes) -> Answer: ...

    async def ping(self) -> bool: ...

    def budget(self, path: Sequence[str]) -> int: ...

    def reset(self) -> None: ...


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
        self._in_flight: list[float] = []  # when each exchange began
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
                        self._in_flight.append(loop.time())
                        exchanges.create_task(self._exchange(feed, batch, self._in_flight[-1]))
                await news(self._drain.work, self._idle_s(loop.time()))

    def is_advancing(self) -> bool:
        """Whether every exchange in flight can still end by itself."""
        now = asyncio.get_running_loop().time()
        return all(now - began <= EXCHANGE_WITHIN_S for began in self._in_flight)

    async def _probe(self) -> None:
        """Ends the wait once a server that was gone gives a sign of life.

        One that gives signs of life all along, and no answers, is left to the wait.
        """
        is_gone = False
        while True:
            if not self._is_down.is_set():
                await self._is_down.wait()
                is_gone = False
            if not self._in_flight:
                is_there = await self._client.ping()
                if is_there and is_gone:
                    self.silent_until = 0.0
                    self._drain.work.set()
                is_gone = not is_there
            await asyncio.sleep(self._probe_every_s)

    def _next(self, now: float) -> Feed | None:
        """Whose turn it is.

        After silence, strictly in turn: a message that is never answered must not be the only probe.
        """
        is_failing = self._is_failing
        if now < self.silent_until or len(self._in_flight) >= (1 if is_failing else self._client.lanes):
            return None
        ready = [feed for feed in self._feeds if feed.is_ready(now)]
        return min(
            ready, key=lambda feed: (not (feed.has_live or is_failing), self._served_at[feed]), default=None
        )

    @property
    def _is_failing(self) -> bool:
        return self._silence.is_on or self._distrust.is_on

    def _idle_s(self, now: float) -> float | None:
        """How long until a wait ends; None if there is none, so that only news can change anything."""
        moments = [max(feed.wait_until, self.silent_until) for feed in self._feeds if feed.has_work]
        return min((moment - now for moment in moments if moment > now), default=None)

    def _take(self, feed: Feed, now: float) -> Batch | None:
        self._served_at[feed] = next(self._turns)
        try:
            batch = feed.take(self._client.budget(feed.path), now)
        except Unsendable as error:
            self._refuse(error.row, "", str(error))
            return None
        if self._drain.has_more_for(feed, now):
            self._drain.hunger.set()
        return batch

    async def _exchange(self, feed: Feed, batch: Batch, sent_at: float) -> None:
        """Sends one batch and does what its answer asks for."""
        loop = asyncio.get_running_loop()
        connection = self._connection
        answer: str | UplinkError
        try:
            answer = (await self._client.post(feed.path, batch.payload)).code
        except UplinkError as error:
            answer = error
        self._in_flight.remove(sent_at)
        self._drain.work.set()
        others_answered = False
        if isinstance(answer, str):
            self._heard(loop.time())
            self._unanswered_since.pop(feed, None)
        elif connection != self._connection:  # it went with the connection that another one gave up
            feed.put_back(batch)
            return
        else:
            others_answered = self.answered_at > self._unanswered_since.setdefault(feed, sent_at)
        self._settle(feed, batch, answer, others_answered=others_answered)

    def _settle(self, feed: Feed, batch: Batch, answer: str | UplinkError, *, others_answered: bool) -> None:
        now = asyncio.get_running_loop().time()
        decision = decide(answer, feed.sent(batch, others_answered=others_answered))
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

    def _heard(self, now: float) -> None:
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
