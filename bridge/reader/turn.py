"""The turn of one device on a line: its poll, how long its replies are waited for, and what it brings.

The values of a poll are split to its sensors and stamped with the arrival of its first reply. A poll that is
interrupted, or answered only in part, keeps the values it has.

A protocol may come from anybody: if it fails at what its device says, in a way that nobody foresaw, that is
logged once, and its sensor alone is tried again at growing distances.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from functools import partial

from bridge.causes import Cause
from bridge.errors import BridgeError, NoReply
from bridge.line import Line, Patience, Reply
from bridge.line.reply_timeout import LONGEST_S
from bridge.reader.group import Group
from bridge.reader.intake import Intake
from bridge.reader.poll import ask_again, poll
from bridge.reader.schedule import Schedule
from bridge.systemd import Heartbeat
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.polling import NotAsked, PollResult, Request

_log = logging.getLogger(__name__)


class Turns:
    """Give the devices of a line their turns, one at a time.

    Args:
        line: the line.
        schedule: of its groups.
        intakes: of each sensor, by name.
        heartbeat: extended by how long each request may take.

    Attributes:
        heard: number of polls that were answered.
    """

    def __init__(
        self, line: Line, schedule: Schedule[Group], intakes: Mapping[str, Intake], heartbeat: Heartbeat
    ) -> None:
        self.heard = 0
        self._line = line
        self._schedule = schedule
        self._intakes = intakes
        self._heartbeat = heartbeat

    async def poll(self, group: Group, started: float) -> bool:
        """Poll a device once, keep the values and return whether it answered.

        An interrupted poll keeps the values that it had until then. A poll in which an address is found to
        answer twice keeps none: nobody knows which reply was to which request.
        """
        patience = self._patience(group, started)
        second_replies = self._line.stations[group.address].second_replies
        was_alone = not second_replies.is_expected
        try:
            outcome = await poll(group.device, partial(self._ask, group, patience))
            group.unanswered_polls.record(outcome, asyncio.get_running_loop().time())
            if was_alone and second_replies.is_expected:
                group.doubted()
            elif outcome.first is not None and not outcome.is_missed:
                is_interrupted = outcome.interruption is not None
                self.keep(group, outcome.result, outcome.first, is_interrupted=is_interrupted)
            elif outcome.interruption is None:
                group.missed()
        except BridgeError:
            raise
        except Exception as error:  # a protocol of anybody's; the group logs the traceback
            group.failed(error)
            return False
        if outcome.interruption is not None:
            raise outcome.interruption
        return not outcome.is_missed

    def keep(
        self, group: Group, result: PollResult | ProtocolError, reply: Reply, *, is_interrupted: bool = False
    ) -> None:
        """Hand the values of a poll that was answered to their sensors."""
        self.heard += 1
        if isinstance(result, ProtocolError):
            group.made_no_sense(result)
            return
        group.answered(result, is_interrupted=is_interrupted)
        for sensor, values in zip(group.sensors, result.values, strict=True):
            self._intakes[sensor.name].take(values, reply.taken, stamp_error_s=reply.stamp_error_s)

    def clear_at(self, group: Group) -> float:
        """Return when the device's next poll can begin without a reply being owed; -inf if none is."""
        station = self._line.stations[group.address]
        request = self.first_request(group) if station.is_owing else None
        return -math.inf if request is None else station.clear_at(request)

    @staticmethod
    def first_request(group: Group) -> Request | None:
        """Return the request that the device's next poll begins with; None if there is none."""
        try:
            requests = group.device.planned()
        except Exception as error:  # a protocol of anybody's; the group logs the traceback
            group.failed(error)
            return None
        return requests[0] if requests else None

    def slow_s(self, group: Group) -> float:
        """Return how long to wait for the device's next reply if that is longer than configured; else 0."""
        slow_s = self._line.stations[group.address].reply_timeout.slow_s(group.reply_timeout_s)
        group.waits(slow_s)
        return slow_s

    def _patience(self, group: Group, started: float) -> Patience:
        """Return how long this poll waits for replies: longer for a device that seems slow, not dead."""
        patience = self._schedule.patience(group)
        suspect = self._line.stations[group.address].reply_timeout.is_suspect
        if suspect and patience is Patience.USUAL and self._schedule.may_wait(group, LONGEST_S, started):
            return Patience.WIDE
        return patience

    async def _ask(self, group: Group, patience: Patience, request: Request) -> Reply | None:
        """Return the reply to one request, retried as the site allows; None if there is none.

        Raises:
            NotAsked: its reply could be mistaken for one that is owed.
        """
        request = request.with_rests(group.pause_within_reply_s)
        tries = group.tries(patience)
        self._heartbeat.extend(
            len(tries) * self._line.patience_s(request, group.reply_timeout_s, group.gap_s)
        )
        try:
            reply = await ask_again(
                self._line,
                request,
                group.address,
                reply_timeout_s=group.reply_timeout_s,
                gap_s=group.gap_s,
                tries=tries,
            )
        except NoReply as missing:
            _log.debug("%s: %s", group.names, missing)
            if missing.cause is Cause.HELD:
                raise NotAsked from missing
            group.unanswered(missing)
            return None
        group.is_retried = True
        return reply
