"""The server's side of the uplink: whose turn it is, and what to do after an answer.

Each exchange carries one batch of one credential; credentials with live readings go first, in turn. A
credential that the server does not accept waits alone. Silence to all makes the link wait: one request at a
time, further and further apart, until one is answered. Meanwhile the server is asked whether it is back
(`in_flight`); one that answers 5.00 to all gets one message of one credential, in turn, and once one is
accepted, all go on (`refusals`).

What an answer tells about others depends on when its request was *sent*: one that was sent earlier, and
answered late, does not say that the server was there since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import count

from bridge.errors import PathTooNarrow, UplinkError
from bridge.response_code import ResponseCode
from bridge.spool import Row
from bridge.thingsboard import Action, Batch, Unsendable, decide
from bridge.uplink.clients import UplinkClient
from bridge.uplink.drain import Drain
from bridge.uplink.feed import Feed
from bridge.uplink.in_flight import Exchange, InFlight
from bridge.uplink.pace import Pace, Wait, news
from bridge.uplink.refusals import Refusals

log = logging.getLogger(__name__)


class Delivery:
    """Deliver the readings of the feeds, with as many batches in flight as the client has lanes.

    Attributes:
        silent_until: nothing is sent before this moment, in seconds of the loop's clock.
        last_error: why the link is down; None while the server answers.
        answered_at: when the server last answered; 0 before the first answer.
        delivered: readings accepted since the start.
    """

    def __init__(self, feeds: Sequence[Feed], drain: Drain, client: UplinkClient, pace: Pace) -> None:
        self.silent_until = 0.0
        self.last_error: str | None = None
        self.answered_at = 0.0
        self.delivered = 0
        self._feeds = feeds
        self._drain = drain
        self._client = client
        self._silence = Wait(pace.back_off_s, pace.jitter)
        self._distrust = Wait(pace.hold_s, pace.jitter)
        self._turns = count(1)
        self._served_at = dict.fromkeys(feeds, 0)
        self._unanswered_since: dict[Feed, float] = {}
        self._in_flight = InFlight(client, pace.probe_every_s, self._is_back)
        self._answered_sent_at = 0.0
        self._refusals = Refusals(pace.probe_every_s)
        self._connection = 0
        self._refused_sensors: set[str] = set()

    async def run(self) -> None:
        """Deliver until cancelled; then cancel what is in flight."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as exchanges:
            exchanges.create_task(self._in_flight.run())
            while True:
                while (feed := self._next(loop.time())) is not None:
                    if (exchange := self._take(feed, loop.time())) is not None:
                        self._in_flight.begin(exchange)
                        exchanges.create_task(self._exchange(exchange))
                await news(self._drain.work_available, self._idle_s(loop.time()))

    def is_advancing(self) -> bool:
        """Return whether every exchange in flight can still end by itself."""
        return not self._in_flight.is_overdue(asyncio.get_running_loop().time())

    def _is_back(self) -> None:
        """End the wait: the server that was silent answers pings."""
        self.silent_until = 0.0
        self._drain.work_available.set()

    def _next(self, now: float) -> Feed | None:
        """Return the feed whose turn it is; None while nothing may be sent.

        After silence, strictly in turn: a message that is never answered must not be the only probe.
        """
        is_failing = self._is_failing
        if now < self.silent_until or len(self._in_flight) >= (1 if is_failing else self._client.lanes):
            return None
        is_probing = not self._in_flight and self._refusals.is_time_to_probe(now)
        ready_feeds = [feed for feed in self._feeds if feed.is_ready(now, probing=is_probing)]
        in_turn = is_failing or is_probing
        return min(
            ready_feeds,
            key=lambda feed: (not (feed.has_live or in_turn), self._served_at[feed]),
            default=None,
        )

    @property
    def _is_failing(self) -> bool:
        return self._silence.is_on or self._distrust.is_on

    def _idle_s(self, now: float) -> float | None:
        """Return the seconds until a wait ends; None if there is none, so that only news changes anything."""
        moments = [max(feed.wait_until, self.silent_until) for feed in self._feeds if feed.has_work]
        if moments and (probe_at := self._refusals.probe_at(now)) is not None:
            moments.append(probe_at)
        return min((moment - now for moment in moments if moment > now), default=None)

    def _take(self, feed: Feed, now: float) -> Exchange | None:
        """Return the exchange for the feed's next batch; None if its first reading is unsendable."""
        self._served_at[feed] = next(self._turns)
        longest = self._client.longest(feed.path)
        budget = self._client.budget(feed.path)
        try:
            try:
                batch = feed.take(budget, now)
            except Unsendable as error:
                if budget >= longest:
                    raise
                feed.take_back(error.row)  # only too long for what is known of the path
                batch = feed.take(longest, now)
        except Unsendable as error:
            self._refuse(error.row, "", str(error))
            return None
        if self._drain.has_more_for(feed, now):
            self._drain.refill_needed.set()
        return Exchange(feed, batch, now, self._connection, is_too_long=len(batch.payload) > budget)

    async def _exchange(self, exchange: Exchange) -> None:
        """Send one batch and do what its answer asks for."""
        loop = asyncio.get_running_loop()
        feed, batch = exchange.feed, exchange.batch
        answer: ResponseCode | UplinkError | None
        try:
            async with asyncio.timeout(None) as exchange.scope:
                if feed.is_held:  # the server may have moved, and its old machine does not know new devices
                    await self._client.refresh()
                answer = (await self._client.post(feed.path, batch.payload)).code
        except TimeoutError:
            answer = exchange.instead
        except UplinkError as error:
            answer = exchange.instead or error
        self._in_flight.end(exchange)
        self._drain.work_available.set()
        others_answered = False
        if isinstance(answer, ResponseCode):
            self._record_answer(exchange, loop.time())
        elif answer is None or exchange.connection != self._connection:
            feed.put_back(batch)  # given up, or its connection was dropped for another request
            return
        elif isinstance(answer, PathTooNarrow) and not exchange.is_too_long:
            feed.put_back(batch)  # sent again in shorter messages
            return
        else:
            unanswered_since = self._unanswered_since.setdefault(feed, exchange.sent_at)
            others_answered = self._answered_sent_at > unanswered_since
        self._settle(feed, batch, answer, others_answered=others_answered)

    def _settle(
        self, feed: Feed, batch: Batch, answer: ResponseCode | UplinkError, *, others_answered: bool
    ) -> None:
        """Apply the decision on an answer to the feed, the spool and the link."""
        now = asyncio.get_running_loop().time()
        decision = decide(answer, feed.sent_message(batch, others_answered=others_answered))
        if decision.action is Action.SLOW_DOWN:
            self._refusals.record_refused(now)
        elif not isinstance(answer, UplinkError) and self._refusals.record_accepted(now):
            for waiting_feed in self._feeds:
                waiting_feed.release(now)
        reason_before = feed.reason
        delivered_ids = feed.settle(batch, decision, now)
        if feed.reason not in (None, reason_before):
            wait_s = feed.wait_until - now
            log.warning("%s: %s; next try in %.0f s", ", ".join(feed.sensors), feed.reason, wait_s)
        match decision.action:
            case Action.COMMIT:
                self.delivered += len(delivered_ids)
                self._drain.record_delivered(delivered_ids)
            case Action.REFUSE:
                self._refuse(batch.rows[0], str(answer), decision.reason)
            case Action.BACK_OFF:
                self._in_flight.is_lost = True
                self._back_off(decision.reason, now, self._silence)
            case Action.HOLD_LINK:
                self._in_flight.is_lost = False
                self._back_off(decision.reason, now, self._distrust)
            case Action.RENEW:
                self._renew()

    def _refuse(self, row: Row, answer: str, reason: str) -> None:
        """Quarantine a reading that the server will never accept; log the first of each sensor."""
        is_first = row.sensor not in self._refused_sensors
        self._refused_sensors.add(row.sensor)
        log.log(
            logging.ERROR if is_first else logging.DEBUG,
            "%s: a reading is quarantined: %s",
            row.sensor,
            reason,
        )
        self._drain.record_refused(row, answer, reason)

    def _record_answer(self, exchange: Exchange, now: float) -> None:
        """Record that the server answered, and end every wait of the link."""
        self._unanswered_since.pop(exchange.feed, None)
        self._answered_sent_at = max(self._answered_sent_at, exchange.sent_at)
        self._in_flight.record_answer(exchange, now)
        if self._is_failing:
            log.info("the server answers again")
            for feed in self._feeds:
                feed.resume()
        self.answered_at = now
        self.silent_until = 0.0
        self.last_error = None
        self._silence.end()
        self._distrust.end()

    def _back_off(self, reason: str, now: float, wait: Wait) -> None:
        """Wait with the whole link, for longer each time, and connect anew."""
        wait_s = wait.longer()
        if self.last_error is None or (wait is self._distrust and reason != self.last_error):
            log.warning("%s; next try in %.0f s, then further apart", reason, wait_s)
        self.last_error = reason
        self.silent_until = now + wait_s
        self._renew()

    def _renew(self) -> None:
        """Drop the connection, so that the next request gets a new socket, address and handshake."""
        self._connection += 1
        self._client.reset()
