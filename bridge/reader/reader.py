"""One bus, read into the spool: port + line + schedule + protocol.

Whoever is due is polled; what a poll brings is split to its sensors, stamped with the arrival of its first
reply, and put into the spool. A poll without one usable value is no reading: nothing old is ever shown as
fresh. A poll that is interrupted, or answered only in part, keeps what it brought.

A lost port is said once, watched for, and opened again. Nobody outside this task notices.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.clock import Clock, Instant
from bridge.diagnostics import SAVE_EVERY_S, Memory
from bridge.errors import NoReply, PortLost
from bridge.line import Line, Reply
from bridge.port import Port, State
from bridge.port.adapter import find_adapter
from bridge.reader.group import Group, groups
from bridge.reader.poll import ask_again, poll
from bridge.reader.schedule import Schedule
from bridge.spool import Reading, SpoolWriter
from bridge.thingsboard import encode_values
from protocols.dialogue import PollResult, Request
from protocols.errors import ProtocolError

if TYPE_CHECKING:
    from bridge.config import Bus

_log = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0
LOOK_EVERY_S = 0.5  # for a lost adapter: plugged in again, it is opened at once
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0  # for a port that is there but does not open


class Reader:
    """The task of one bus.

    Args:
        bus: from site.toml.
        spool: where readings go.
        clock: when it is.
        publish: called with the status document, at most once a second and only if it changed.
        find_port: tells the device file; raises PortLost if the adapter is not plugged in.
        port: what carries the bytes; not yet open.
        memory: what the bus counted before; kept up to date.
    """

    def __init__(
        self,
        bus: Bus,
        spool: SpoolWriter,
        clock: Clock,
        publish: Callable[[Mapping[str, Any]], None],
        find_port: Callable[[], str] | None = None,
        port: Port | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._bus = bus
        self._spool = spool
        self._clock = clock
        self._publish = publish
        self._find_port = find_port or partial(find_adapter, bus.adapter)
        self._port = port or Port()
        self._line = Line(self._port, bus.line, clock)
        self._groups = groups(bus)
        self._schedule = Schedule({group: group.every_s for group in self._groups})
        self._memory = memory
        self._started_at = math.inf
        self._saved_at = -math.inf
        self._retry_s = FIRST_RETRY_S
        self._error: str | None = None
        self._published: Mapping[str, Any] = {}
        self._published_at = -PUBLISH_EVERY_S
        self._publishing: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Reads the bus until cancelled; the port is closed then, and every reading taken is in the spool."""
        if math.isinf(self._started_at):
            self._started_at = self._saved_at = asyncio.get_running_loop().time()
        try:
            while True:
                try:
                    await self._open()
                    await self._poll_all()
                except PortLost as lost:
                    await self._port.close()
                    self._lost(lost)
                    await self._wait_for_adapter()
        finally:
            await self._port.close()
            self._publish_now()
            self._remember(self._published)

    async def _open(self) -> None:
        await self._port.open(self._find_port(), self._bus.line, self._bus.rs485)
        _log.info(
            "bus %s: reads %d sensors on %s, %s",
            self._bus.name,
            len(self._bus.sensors),
            self._port.path,
            self._bus.line,
        )
        self._error = None
        self._publish_soon()

    async def _poll_all(self) -> None:
        """Polls whoever is due, until the port is lost."""
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            group = self._schedule.take(started)
            if group is None:
                await self._line.listen(self._schedule.wake_at(started))
                continue
            answered = await self._poll(group)
            not_before = self._clear_at(group)
            self._schedule.done(group, started, now(), answered=answered, not_before=not_before)
            self._publish_soon()

    async def _poll(self, group: Group) -> bool:
        """Polls a device once and keeps what it brings; returns whether it answered at all.

        Interrupted, it keeps what was brought until then.
        """
        outcome = await poll(group.device, partial(self._ask, group))
        if outcome.first is not None:
            self._retry_s = FIRST_RETRY_S
            self._keep(group, outcome.result, outcome.first.taken)
        elif outcome.interruption is None:
            group.missed()
        if outcome.interruption is not None:
            raise outcome.interruption
        return outcome.first is not None

    def _clear_at(self, group: Group) -> float:
        """From when on its next poll need not wait for a reply it owes; until then the line is for others."""
        station = self._line.stations[group.address]
        if not station.is_owing:
            return -math.inf
        requests = group.device.planned()
        return station.clear_at(requests[0] if requests else None)

    async def _ask(self, group: Group, request: Request) -> Reply | None:
        """The reply to one request, tried again as the site allows; None if there is none."""
        try:
            reply = await ask_again(
                self._line,
                request,
                group.address,
                reply_timeout_s=group.reply_timeout_s,
                gap_s=group.gap_s,
                retries=group.retries if group.is_retried else 0,
            )
        except NoReply as missing:
            _log.debug("%s: %s", group.names, missing)
            group.is_retried = False
            return None
        group.is_retried = True
        return reply

    def _keep(self, group: Group, result: PollResult | ProtocolError, taken: Instant) -> None:
        """Puts what a poll brought into the spool, one reading for each sensor."""
        if isinstance(result, ProtocolError):
            group.made_no_sense(result)
            return
        group.answered(result)
        for sensor, values in zip(group.sensors, result.values, strict=True):
            body, points = encode_values(values)
            if not points:
                group.brought_nothing(sensor.name)
                continue
            ts_ms = self._clock.ts_ms(taken, sensor.name)
            if group.keeps(sensor.name, values, taken):
                self._spool.put(Reading(sensor.name, taken, ts_ms, body, points))
            group.brought(sensor.name, ts_ms, values)

    # The port comes and goes.

    def _lost(self, lost: PortLost) -> None:
        """Says it once; what else is wrong until the port is back stands in the status."""
        if self._error is None:
            _log.warning("bus %s: %s", self._bus.name, lost)
        self._error = str(lost)
        self._publish_soon()

    async def _wait_for_adapter(self) -> None:
        """Waits longer each time, but only until the device file appears or changes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        before = self._identity()
        while (left := deadline - loop.time()) > 0:
            await asyncio.sleep(min(left, LOOK_EVERY_S))
            identity = self._identity()
            if identity is not None and identity != before:
                return
            before = identity

    def _identity(self) -> tuple[int, int] | None:
        """Which device is there now, if any."""
        try:
            found = Path(self._find_port()).stat()
        except (PortLost, OSError):
            return None
        return found.st_ino, found.st_rdev

    # Status.

    def _publish_soon(self) -> None:
        """Publishes what changed: now, or when a second has passed since the last time."""
        if self._publishing is not None:
            return
        loop = asyncio.get_running_loop()
        due = self._published_at + PUBLISH_EVERY_S
        if due <= loop.time():
            self._publish_now()
        else:
            self._publishing = loop.call_at(due, self._publish_now)

    def _publish_now(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
        document = self._document()
        if document != self._published:
            self._published = document
            self._published_at = asyncio.get_running_loop().time()
            self._publish(document)
            if self._published_at - self._saved_at >= SAVE_EVERY_S:
                self._saved_at = self._published_at
                self._remember(document)

    def _remember(self, document: Mapping[str, Any]) -> None:
        if self._memory is not None and document:
            self._memory.save(document)

    def _document(self) -> dict[str, Any]:
        """What status says of this bus."""
        stations = self._line.stations
        elapsed_s = max(0.0, asyncio.get_running_loop().time() - self._started_at)
        sensors: dict[str, Any] = {}
        for group in self._groups:
            sensors |= group.document(stations[group.address], self._schedule, elapsed_s)
        document: dict[str, Any] = {
            "bus": self._bus.name,
            "protocol": self._bus.protocol.name,
            "state": self._port.state.value if self._error is None else State.LOST.value,
            "port": self._port.path or self._bus.adapter,
            "error": self._error,
            "sensors": sensors,
            "line": {
                "settings": str(self._bus.line),
                "requests": sum(station.requests for station in stations.values()),
                "replies": sum(station.replies for station in stations.values()),
                "timeouts": sum(station.timeouts for station in stations.values()),
                "crc_errors": sum(station.crc_errors for station in stations.values()),
                "late_replies": sum(station.late_replies for station in stations.values()),
                "echoes": self._line.echoes,
                "foreign_frames": self._line.foreign_frames,
                "stray_octets": self._line.stray_octets,
                "has_echo": self._line.has_echo,
                "wire_share": round(sum(station.busy_s for station in stations.values()) / elapsed_s, 4)
                if elapsed_s
                else 0.0,
            },
        }
        uart = self._port.uart_errors()
        if uart is not None:
            document["line"]["uart"] = asdict(uart)
        return self._memory.total(document) if self._memory else document
