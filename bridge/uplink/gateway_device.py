"""The gateway's own device in ThingsBoard: how the gateway is, each minute, and at once if a state changes.

The values come from the status documents, so it does not matter which process reads a bus, and from the
spool. Only what differs from the last accepted report is sent, and all of it once an hour; the uptime is in
each, so the device is active exactly as long as the gateway delivers. Nothing is kept of what could not be
sent: the next report is about its own moment. ThingsBoard dates what it gets, because a gateway must be able
to say that it has no time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.clock import Clock
from bridge.clock.kernel_clock import boottime_ns
from bridge.config import Site
from bridge.errors import BridgeError
from bridge.release import VERSION
from bridge.spool import Spool, sum_of
from bridge.spool.locks import beside
from bridge.status import gateway_report
from bridge.status.gateway_report import ErrorShares, Observation, SpoolFigures
from bridge.status.runtime import Runtime
from bridge.thingsboard import Value
from bridge.uplink.beside_readings import BesideReadings, Device, flat_messages

if TYPE_CHECKING:
    from bridge.status.documents import GatewayDocument

LOOK_EVERY_S: Final = 2.0
REPORT_EVERY_S: Final = 60.0
ALL_EVERY_S: Final = 3600.0
_IN_EACH: Final = "uptime_s"

_NO_CREDENTIAL: Final = (
    "it has no credential in credentials.toml, so nothing is reported: serial-bridge provision"
)


class GatewayDevice:
    """Report on the gateway, as the device that site.toml names.

    Args:
        site: the configuration; it names the device.
        device: how the device is reached; None if it has no credential.
        posts: what sends beside the readings.
        runtime: where the processes publish their documents.
        clock: dates the readings.
        publish: takes the document for `status`.
        read_spool: returns what waits; None if the spool cannot be read now. Called in a thread.
        wall_ms: returns milliseconds since 1970 UTC.
    """

    def __init__(
        self,
        site: Site,
        device: Device | None,
        posts: BesideReadings,
        *,
        runtime: Runtime,
        clock: Clock,
        publish: Callable[[GatewayDocument], None],
        read_spool: Callable[[], SpoolFigures | None],
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._site = site
        self._device = device
        self._posts = posts
        self._runtime = runtime
        self._clock = clock
        self._publish = publish
        self._read_spool = read_spool
        self._wall_ms = wall_ms
        self._bus_of = {sensor.name: bus.name for bus in site.buses.values() for sensor in bus.sensors}
        self._shares = ErrorShares()
        self._accepted: dict[str, Value] = {}
        self._all_at = self._report_at = 0.0
        self._last_success: int | None = None
        self._last_document: GatewayDocument | None = None

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            if self._device is None:
                self._publish_document(_NO_CREDENTIAL)
            else:
                await self._report(self._device)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _report(self, device: Device) -> None:
        """Send what has changed since the last accepted report; the figures only once a minute."""
        now = asyncio.get_running_loop().time()
        if now >= self._all_at:
            self._accepted.clear()
            self._all_at = now + ALL_EVERY_S
        observation = self._observation()
        values = gateway_report.states(observation)
        is_due = now >= self._report_at
        if is_due:
            self._accepted.pop(_IN_EACH, None)
            spool = await asyncio.to_thread(self._read_spool)
            uptime_s = boottime_ns() / 1e9
            values |= gateway_report.figures(observation, spool, uptime_s)
            values |= self._shares.since_last(observation)
        identity = gateway_report.identity(observation, self._site.name, VERSION)
        is_accepted = await self._send(device, "telemetry", values)
        if is_accepted and is_due:
            self._report_at = now + REPORT_EVERY_S
            self._last_success = self._wall_ms()
        if is_accepted:
            await self._send(device, "attributes", identity)
        troubles = [self._posts.trouble.get((*device.base, part)) for part in ("telemetry", "attributes")]
        self._publish_document(next(filter(None, troubles), None))

    def _observation(self) -> Observation:
        buses, uplink = self._runtime.buses_and_uplink()
        return Observation(
            sensors=self._bus_of,
            buses=buses,
            uplink=uplink,
            clock_trusted=self._clock.known is not None,
            clock_state=self._clock.state,
            now_ms=self._wall_ms(),
        )

    async def _send(self, device: Device, resource: str, values: Mapping[str, Value]) -> bool:
        """Send the values that differ from the last ones accepted; return whether the server has them all."""
        changes = {key: value for key, value in values.items() if self._accepted.get(key) != value}
        for part, payload in flat_messages(changes, device.client.budget((*device.base, resource))):
            if not await self._posts.post(device, resource, payload):
                return False
            self._accepted |= part
        return True

    def _publish_document(self, trouble: str | None) -> None:
        name = self._site.thingsboard.gateway or ""
        document: GatewayDocument = {"device": name, "last_success": self._last_success, "trouble": trouble}
        if document != self._last_document:
            self._publish(document)
            self._last_document = document


def read_spool(path: Path, limit: int) -> SpoolFigures | None:
    """Return what waits in a spool, without opening it to work; None if it cannot be read now.

    Args:
        path: the database.
        limit: bytes that it may take.
    """
    try:
        with closing(Spool.view(path)) as spool:
            sums, oldest_ms = sum_of(spool.ledger().values()), spool.oldest_ms()
        sizes = [file.stat().st_size for file in (path, beside(path, "-wal")) if file.exists()]
        disk = os.statvfs(path.parent)
    except (BridgeError, OSError):
        return None
    age_s = 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)
    return SpoolFigures(
        **asdict(sums),
        oldest_age_s=age_s,
        bytes=sum(sizes),
        limit=limit,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
    )
