"""A bus whose sensors are asked: line + schedule + groups. Whoever is due is polled, until the port is lost.

What a poll brings is split to its sensors and stamped with the arrival of its first reply. A poll that is
interrupted, or answered only in part, keeps what it brought.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.clock import Clock, Instant
from bridge.errors import NoReply
from bridge.line import Line, Reply
from bridge.port import Port
from bridge.pulse import Pulse
from bridge.reader.group import Group, groups
from bridge.reader.intake import Intake
from bridge.reader.poll import ask_again, poll
from bridge.reader.schedule import Schedule
from protocols.dialogue import PollResult, Request
from protocols.errors import ProtocolError

if TYPE_CHECKING:
    from bridge.config import Bus

_log = logging.getLogger(__name__)


class Polling:
    """Asks the sensors of a bus.

    Args:
        bus: from site.toml.
        port: what carries the bytes; open whenever `run` is called.
        intakes: of each sensor, by name.
        clock: when it is.
        pulse: told how long the next step may take.
        news: called when something changed that status tells.

    Attributes:
        heard: how many polls were answered.
    """

    def __init__(
        self,
        bus: Bus,
        port: Port,
        intakes: dict[str, Intake],
        clock: Clock,
        pulse: Pulse,
        news: Callable[[], None],
    ) -> None:
        self.heard = 0
        self._bus = bus
        self._intakes = intakes
        self._pulse = pulse
        self._news = news
        self._line = Line(port, bus.line, clock)
        self._groups = groups(bus)
        self._schedule = Schedule({group: group.every_s for group in self._groups})

    async def run(self) -> None:
        """Polls whoever is due.

        Raises:
            PortLost: always, in the end.
        """
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            group = self._schedule.take(started)
            if group is None:
                wake_at = self._schedule.wake_at(started)
                self._pulse.expect(wake_at - started)
                await self._line.listen(wake_at)
                continue
            answered = await self._poll(group)
            not_before = self._clear_at(group)
            self._schedule.done(group, started, now(), answered=answered, not_before=not_before)
            self._news()

    async def _poll(self, group: Group) -> bool:
        """Polls a device once and keeps what it brings; returns whether it answered.

        Interrupted, it keeps what was brought until then.
        """
        outcome = await poll(group.device, partial(self._ask, group))
        if outcome.first is not None and not outcome.is_missed:
            self.heard += 1
            self._keep(group, outcome.result, outcome.first.taken)
        elif outcome.interruption is None:
            group.missed()
        if outcome.interruption is not None:
            raise outcome.interruption
        return not outcome.is_missed

    def _clear_at(self, group: Group) -> float:
        """From when on its next poll need not wait for a reply it owes; until then the line is for others."""
        station = self._line.stations[group.address]
        if not station.is_owing:
            return -math.inf
        requests = group.device.planned()
        return station.clear_at(requests[0] if requests else None)

    async def _ask(self, group: Group, request: Request) -> Reply | None:
        """The reply to one request, tried again as the site allows; None if there is none."""
        retries = group.retries if group.is_retried else 0
        self._pulse.expect((1 + retries) * self._line.patience_s(request, group.reply_timeout_s, group.gap_s))
        try:
            reply = await ask_again(
                self._line,
                request,
                group.address,
                reply_timeout_s=group.reply_timeout_s,
                gap_s=group.gap_s,
                retries=retries,
            )
        except NoReply as missing:
            _log.debug("%s: %s", group.names, missing)
            group.is_retried = False
            return None
        group.is_retried = True
        return reply

    def _keep(self, group: Group, result: PollResult | ProtocolError, taken: Instant) -> None:
        """Hands what a poll brought to its sensors."""
        if isinstance(result, ProtocolError):
            group.made_no_sense(result)
            return
        group.answered(result)
        for sensor, values in zip(group.sensors, result.values, strict=True):
            self._intakes[sensor.name].take(values, taken)

    def sensors(self, elapsed_s: float) -> dict[str, dict[str, Any]]:
        """What status says of each sensor, so many seconds after the start."""
        return {
            sensor.name: self._intakes[sensor.name].document()
            | told
            | {"left_out": dict(group.left_out(sensor))}
            for group in self._groups
            for told in [group.document(self._line.stations[group.address], self._schedule, elapsed_s)]
            for sensor in group.sensors
        }

    def line(self, elapsed_s: float) -> dict[str, Any]:
        """What status says of the line, so many seconds after the start."""
        stations = self._line.stations.values()
        busy_s = sum(station.busy_s for station in stations)
        return {
            "requests": sum(station.requests for station in stations),
            "replies": sum(station.replies for station in stations),
            "timeouts": sum(station.timeouts for station in stations),
            "crc_errors": sum(station.crc_errors for station in stations),
            "late_replies": sum(station.late_replies for station in stations),
            "echoes": self._line.echoes,
            "foreign_frames": self._line.foreign_frames,
            "stray_octets": self._line.stray_octets,
            "has_echo": self._line.has_echo,
            "wire_share": round(busy_s / elapsed_s, 4) if elapsed_s else 0.0,
        }
