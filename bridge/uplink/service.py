"""The uplink as one job: from the site's files to feeds, a drain and a delivery, and the status they show."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bridge.config import Certificate, Credentials, Site, Token
from bridge.thingsboard import telemetry_path
from bridge.uplink.delivery import Client, Delivery
from bridge.uplink.drain import Drain
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace

log = logging.getLogger(__name__)


class Uplink:
    """Delivers a site's readings.

    Args:
        spool_path: the spool; its lock "uplink" is the caller's to hold.
        client: the way to the server, the caller's to close.
        publish: takes the status document, at most every `pace.status_every_s` and only if it changed:
            {"state": "idle" | "up" | "backing off" | "holding", "server": host:port,
            "last_success": ms | None, "last_error": sentence | None, "next_try": ms | None,
            "delivered_per_s": float, "holds": {sensor: {"reason": sentence, "next_try": ms | None}},
            "client": its counters}. `last_success` is when the server last answered; `last_error` why the
            link is down, None once it is up again; `next_try` None where somebody must act first.
    """

    def __init__(
        self,
        spool_path: Path,
        site: Site,
        credentials: Credentials,
        *,
        client: Client,
        publish: Callable[[dict[str, Any]], None],
        pace: Pace | None = None,
    ) -> None:
        self._spool_path = spool_path
        self._site = site
        self._credentials = credentials
        self._client = client
        self._publish = publish
        self._pace = pace or Pace()

    async def run(self) -> None:
        """Delivers until cancelled; then commits what was accepted so far and waits for no answer.

        Raises:
            SpoolDamaged, SpoolUnavailable: the spool cannot be opened.
            ExceptionGroup: of one of these, if it cannot be read any more.
        """
        settings = self._site.spool
        feeds, strangers = self._feeds()
        for sensor, reason in strangers.items():
            log.error("%s: %s; its readings wait in the spool", sensor, reason)
        drain = Drain(feeds, strangers, commit_every_s=settings.commit_every_s, pace=self._pace)
        await drain.open(self._spool_path, settings.limit)
        try:
            delivery = Delivery(feeds, drain, self._client, self._pace)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(drain.run())
                tasks.create_task(delivery.run())
                tasks.create_task(self._tell(feeds, drain, delivery))
        finally:
            await drain.close()

    def _feeds(self) -> tuple[list[Feed], dict[str, str]]:
        """A feed for each credential, and why the remaining sensors have none."""
        sensors_of: defaultdict[Token | Certificate, list[str]] = defaultdict(list)
        strangers: dict[str, str] = {}
        for sensor in self._site.sensors:
            credential = self._credentials.sensors.get(sensor)
            if credential is None:
                strangers[sensor] = "it has no credential in credentials.toml"
            else:
                sensors_of[credential].append(sensor)
        feeds = [
            Feed(
                sensors,
                telemetry_path(credential.value if isinstance(credential, Token) else None),
                self._pace,
                certificate=isinstance(credential, Certificate),
                server_time=self._site.thingsboard.timestamps == "server",
            )
            for credential, sensors in sensors_of.items()
        ]
        return feeds, strangers

    async def _tell(self, feeds: list[Feed], drain: Drain, delivery: Delivery) -> None:
        loop = asyncio.get_running_loop()
        told: dict[str, Any] = {}
        before, delivered_before = loop.time(), 0
        while True:
            now, delivered = loop.time(), delivery.delivered
            rate = (delivered - delivered_before) / (now - before) if now > before else 0.0
            before, delivered_before = now, delivered
            document = self._document(feeds, drain, delivery, now)
            document["delivered_per_s"] = round(rate, 1)
            if document != told:
                self._publish(document)
                told = document
            await asyncio.sleep(self._pace.status_every_s)

    def _document(self, feeds: list[Feed], drain: Drain, delivery: Delivery, now: float) -> dict[str, Any]:
        wall = time.time() - now
        holds: dict[str, dict[str, Any]] = {
            sensor: {"reason": reason, "next_try": None} for sensor, reason in drain.strangers.items()
        }
        held = False
        for feed in feeds:
            if feed.reason is not None:
                held = True
                for sensor in feed.sensors:
                    holds[sensor] = {"reason": feed.reason, "next_try": _ms(wall + feed.wait_until)}
        return {
            "state": _state(delivery, held=held),
            "server": f"{self._site.thingsboard.host}:{self._site.thingsboard.port}",
            "last_success": _ms(wall + delivery.answered_at) if delivery.answered_at else None,
            "last_error": delivery.last_error,
            "next_try": _ms(wall + delivery.silent_until) if delivery.last_error else None,
            "holds": holds,
            "client": asdict(self._client.stats),
        }


def _state(delivery: Delivery, *, held: bool) -> str:
    if delivery.last_error is not None:
        return "backing off"
    if held:
        return "holding"
    return "up" if delivery.answered_at else "idle"


def _ms(wall_s: float) -> int:
    """Whole seconds, so that the same moment is told the same way each time."""
    return round(wall_s) * 1000
