"""The uplink as one job: from the site's files to feeds, a drain and a delivery, and the status they show."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bridge.coap import Stats
from bridge.config import Certificate, Credentials, Site, Token
from bridge.event_loop import until_multiple_s
from bridge.response_code import ResponseCode
from bridge.status.documents import ClientCounters, Hold, Slowed, UplinkDocument
from bridge.thingsboard import telemetry_path
from bridge.uplink.clients import UplinkClient
from bridge.uplink.delivery import Delivery
from bridge.uplink.drain import Drain
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace

log = logging.getLogger(__name__)

_WHOLE_FROM = 10  # values a second: below, one decimal is shown


class Uplink:
    """Deliver a site's readings.

    Args:
        spool_path: the spool; the caller holds its lock "uplink".
        site: the configuration.
        credentials: of its sensors.
        client: the client for tokens, the caller's to close; several tokens share it.
        own_clients: the client of each certificate, because a server knows one device by one connection.
        publish: takes the status document, at most every `pace.status_every_s` and only if it changed. Where
            only some of the links to the server are down, their sensors are among the holds.
        pace: timings and window sizes; the defaults are for a real site.
    """

    def __init__(
        self,
        spool_path: Path,
        site: Site,
        credentials: Credentials,
        *,
        client: UplinkClient,
        own_clients: Mapping[Certificate, UplinkClient] | None = None,
        publish: Callable[[UplinkDocument], None],
        pace: Pace | None = None,
    ) -> None:
        self._spool_path = spool_path
        self._site = site
        self._credentials = credentials
        self._client = client
        self._own_clients = own_clients or {}
        self._publish = publish
        self._pace = pace or Pace()
        self._parts: list[Drain | Delivery] = []
        self._links: list[_Link] = []

    async def run(self) -> None:
        """Deliver until cancelled; then commit the accepted readings, without waiting for answers.

        Raises:
            SpoolDamaged, SpoolUnavailable: the spool cannot be opened.
            ExceptionGroup: of one of these, if it cannot be read any more.
        """
        settings = self._site.spool
        feeds_of, unassigned = self._feeds()
        for sensor, reason in unassigned.items():
            log.error("%s: %s; its readings wait in the spool", sensor, reason)
        feeds = [feed for feeds_of_client in feeds_of.values() for feed in feeds_of_client]
        drain = Drain(feeds, unassigned, commit_every_s=settings.commit_every_s, pace=self._pace)
        await drain.open(self._spool_path, settings.limit)
        try:
            links = self._links = [
                _Link(client, client_feeds, drain, self._pace) for client, client_feeds in feeds_of.items()
            ]
            self._parts = [drain, *(link.delivery for link in links)]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(drain.run())
                for link in links:
                    tasks.create_task(link.delivery.run())
                tasks.create_task(self._publish_status(links, drain))
        finally:
            await drain.close()

    def is_advancing(self) -> bool:
        """Return whether the spool is being read and no exchange is overdue."""
        return all(part.is_advancing() for part in self._parts)

    def has_live_to_send(self) -> bool:
        """Return whether a live reading waits for its turn, so that nothing else may be sent before it."""
        now = asyncio.get_running_loop().time()
        return any(feed.has_live and feed.is_ready(now) for link in self._links for feed in link.feeds)

    def is_silent(self, client: UplinkClient) -> bool:
        """Return whether readings to this client are held back because the server does not answer."""
        return any(link.client is client and link.delivery.last_error is not None for link in self._links)

    def are_sent_by(self, client: UplinkClient) -> bool:
        """Return whether the readings of any sensor are sent by this client."""
        return any(link.client is client and link.feeds for link in self._links)

    def _feeds(self) -> tuple[dict[UplinkClient, list[Feed]], dict[str, str]]:
        """Return a feed for each credential, by its client, and the reason why other sensors have none."""
        sensors_of: defaultdict[Token | Certificate, list[str]] = defaultdict(list)
        unassigned: dict[str, str] = {}
        for sensor in self._site.sensors:
            credential = self._credentials.sensors.get(sensor)
            if credential is None:
                unassigned[sensor] = "it has no credential in credentials.toml"
            else:
                sensors_of[credential].append(sensor)
        feeds_of: dict[UplinkClient, list[Feed]] = {self._client: []}
        for credential, sensors in sensors_of.items():
            feed = Feed(
                sensors,
                telemetry_path(credential.value if isinstance(credential, Token) else None),
                self._pace,
                certificate=isinstance(credential, Certificate),
                server_time=self._site.thingsboard.timestamps == "server",
            )
            own_client = self._own_clients.get(credential) if isinstance(credential, Certificate) else None
            feeds_of.setdefault(own_client or self._client, []).append(feed)
        return feeds_of, unassigned

    async def _publish_status(self, links: Sequence[_Link], drain: Drain) -> None:
        """Publish the status document whenever it changed, until cancelled."""
        loop = asyncio.get_running_loop()
        last_document: UplinkDocument | None = None
        before, delivered_before = loop.time(), 0
        while True:
            now, delivered = loop.time(), sum(link.delivery.delivered for link in links)
            rate = (delivered - delivered_before) / (now - before) if now > before else 0.0
            before, delivered_before = now, delivered
            document = self._document(links, drain, now)
            document["delivered_per_s"] = round(rate, 1)
            if document != last_document:
                self._publish(document)
                last_document = document
            await asyncio.sleep(until_multiple_s(self._pace.status_every_s))

    def _document(self, links: Sequence[_Link], drain: Drain, now: float) -> UplinkDocument:
        """Return the status document, without the rate."""
        wall = time.time() - now
        holds: dict[str, Hold] = {
            sensor: {"reason": reason, "next_try": None} for sensor, reason in drain.unassigned.items()
        }
        links_in_use = [link for link in links if link.feeds] or links
        failing = [link.delivery for link in links_in_use if link.delivery.last_error is not None]
        is_down = len(failing) == len(links_in_use)
        is_holding = False
        for link in links_in_use:
            link_error = None if is_down else link.delivery.last_error
            for feed in link.feeds:
                if (reason := link_error or feed.reason) is not None:
                    is_holding = True
                    until = link.delivery.silent_until if link_error else feed.wait_until
                    next_try = _ms(wall + until)
                    for name in feed.sensors:
                        holds[name] = {"reason": reason, "next_try": next_try}
        answered_at = max(link.delivery.answered_at for link in links_in_use)
        return {
            "state": _state(is_down=is_down, is_holding=is_holding, has_answered=answered_at > 0),
            "server": f"{self._site.thingsboard.host}:{self._site.thingsboard.port}",
            "last_success": _ms(wall + answered_at) if answered_at else None,
            "last_error": failing[0].last_error if is_down else None,
            "next_try": _ms(wall + min(delivery.silent_until for delivery in failing)) if is_down else None,
            "holds": holds,
            "slowed": _slow_sensors(links_in_use, now, wall),
            "client": _sum_of_stats([link.client.stats for link in links_in_use]),
        }


def _slow_sensors(links: Sequence[_Link], now: float, wall: float) -> dict[str, Slowed]:
    """Return the sensors whose rate the server's 5.00 limits, for the status document."""
    return {
        sensor: {
            "values_per_s": round(rate, 1) if rate < _WHOLE_FROM else round(rate),
            "since": _ms(wall + since),
            "reason": "5.00 from the server",
        }
        for link in links
        for feed in link.feeds
        if (rate_limit := feed.rate_limit(now)) is not None
        for rate, since in [rate_limit]
        for sensor in feed.sensors
    }


class _Link:
    """One client and the deliveries through it, which back off independently of other links."""

    def __init__(self, client: UplinkClient, feeds: Sequence[Feed], drain: Drain, pace: Pace) -> None:
        self.client = client
        self.feeds = feeds
        self.delivery = Delivery(feeds, drain, client, pace)


def _sum_of_stats(stats: Sequence[Stats]) -> ClientCounters:
    """Return the counters of all clients added up, and what the first of them knows of the server."""
    responses: Counter[ResponseCode] = Counter()
    for client in stats:
        responses.update(client.responses)
    return {
        "requests": sum(client.requests for client in stats),
        "responses": dict(responses),
        "retransmissions": sum(client.retransmissions for client in stats),
        "timeouts": sum(client.timeouts for client in stats),
        "lanes": sum(client.lanes for client in stats),
        "srtt_s": next((client.srtt_s for client in stats if client.srtt_s is not None), None),
        "address": next((client.address for client in stats if client.address is not None), None),
    }


def _state(*, is_down: bool, is_holding: bool, has_answered: bool) -> str:
    if is_down:
        return "backing off"
    if is_holding:
        return "holding"
    return "up" if has_answered else "idle"


def _ms(wall_s: float) -> int:
    """Return milliseconds since 1970, rounded to whole seconds so that a moment is always shown the same."""
    return round(wall_s) * 1000
