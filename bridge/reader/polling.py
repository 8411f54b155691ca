"""A bus of polled sensors: line + schedule + groups. Each device is polled when due, until the port is lost.

What a device does in its turn is in `turn`. Between turns the line is lent to who asks for a person. A reply
that comes when its poll is over, and can be the answer to nothing else, is a reading of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.errors import NoReply, PortLost
from bridge.line import LateReply, Line, Patience
from bridge.port import Port
from bridge.reader.answer import Answer
from bridge.reader.attempt import Query, attempt
from bridge.reader.belated import LateReading
from bridge.reader.group import Group
from bridge.reader.grouping import groups, schedule_of, times_of
from bridge.reader.intake import Intake
from bridge.reader.lending import Borrower, Loans
from bridge.reader.poll import ask_again
from bridge.reader.turn import Turns
from bridge.systemd import Heartbeat
from protocols.toolkit.protocol import PolledProtocol

if TYPE_CHECKING:
    from bridge.config import Bus
    from bridge.status.documents import LineDocument, SensorDocument
    from bridge.status.line_history import SensorTimes

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1  # for room on the line, while a person waits for it
_LEAST_LOAN_S = 0.05  # so long a reply that a person waits for is waited for on a full line


class Polling:
    """Poll the sensors of a bus.

    Args:
        bus: from site.toml.
        port: what carries the bytes; open whenever `run` is called.
        intakes: of each sensor, by name.
        clock: the process's clock.
        heartbeat: extended by how long the next step may take.
        news: called when something in the status document changed.

    Attributes:
        loans: the requests of others that wait for the line.
    """

    def __init__(
        self,
        bus: Bus,
        port: Port,
        intakes: dict[str, Intake],
        clock: Clock,
        heartbeat: Heartbeat,
        news: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._intakes = intakes
        self._heartbeat = heartbeat
        self._news = news
        self._line = Line(port, bus.line, clock)
        self._groups = groups(bus)
        self._schedule = schedule_of(self._groups, clock)
        self._turns = Turns(self._line, self._schedule, intakes, heartbeat)
        self._line.stations.on_late = self._hear_late
        self._line.stations.on_second = self._hear_second
        self.loans = Loans(self._wake)
        self._line.stations.on_frame = self.loans.hear
        self._idle: asyncio.Task[None] | None = None
        self._polled: Group | None = None
        self._late_readings: list[tuple[Group, LateReading]] = []  # of the one that is polled
        self._has_other_master = False
        self._is_forgotten = False  # what was learned of the one that is polled

    @property
    def heard(self) -> int:
        """Return the number of polls that were answered."""
        return self._turns.heard

    async def run(self) -> None:
        """Poll each device when it is due.

        Raises:
            PortLost: always, in the end.
        """
        now = asyncio.get_running_loop().time
        self._heartbeat.extend(self._bus.settle_s)
        await self._line.listen(now() + self._bus.settle_s)
        try:
            while True:
                started = now()
                if self._may_lend(started):
                    await self._lend(started)
                    continue
                group = self._schedule.take(started)
                if group is None:
                    await self._listen(started)
                    continue
                if self._is_held(group, started):
                    continue
                await self._take_turn(group, started)
                self._look_for_other_master()
                self._news()
        except PortLost as lost:
            self.loans.fail(lost)
            raise

    async def answer(self, query: Query) -> Answer:
        """Ask a sensor for a person, between the polls of the bus. Errors as for `attempt`."""
        protocol = self._bus.protocol
        assert isinstance(protocol, PolledProtocol), "its sensors push"
        return await attempt(query, protocol, self._bus.line, Borrower(self.loans, query).ask)

    def _may_lend(self, now: float) -> bool:
        """Return whether the line is free for a request that a person waits for."""
        loan = self.loans.next
        if loan is None:
            return False
        has_room = not self._schedule.is_due(now) and self._schedule.room_s(now) >= loan.longest_s
        return has_room or loan.is_forced(now)

    async def _lend(self, now: float) -> None:
        """Send the request that a person waits for; its reply is waited for only while there is room."""
        loan = self.loans.take()
        reply_timeout_s, tries = loan.query.reply_timeout_s, 1 + loan.query.retries
        if (room_s := self._schedule.room_s(now)) < loan.longest_s:
            reply_timeout_s, tries = min(reply_timeout_s, max(_LEAST_LOAN_S, room_s)), 1
        gap_s = loan.query.gap_s
        self._heartbeat.extend(tries * self._line.patience_s(loan.request, reply_timeout_s, gap_s))
        try:
            reply = await ask_again(
                self._line,
                loan.request,
                loan.address,
                reply_timeout_s=reply_timeout_s,
                gap_s=gap_s,
                tries=[Patience.USUAL] * tries,
            )
        except (NoReply, PortLost) as error:
            loan.settle(error=error)
            if isinstance(error, PortLost):
                raise
        else:
            loan.settle(reply)

    async def _listen(self, now: float) -> None:
        """Sort what the line says of itself until a sensor is due or a person asks."""
        wake_at = self._schedule.wake_at(now)
        if self.loans.next is not None:
            wake_at = min(wake_at, now + _LOOK_EVERY_S)
        self._heartbeat.extend(wake_at - now)
        self._idle = asyncio.ensure_future(self._line.listen(wake_at))
        try:
            await asyncio.wait((self._idle,))
            if not self._idle.cancelled():
                self._idle.result()
        finally:
            self._idle.cancel()

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()

    async def _take_turn(self, group: Group, started: float) -> None:
        """Poll a device, and tell the schedule how that went."""
        now = asyncio.get_running_loop().time
        self._polled, self._is_forgotten = group, False
        try:
            answered = await self._turns.poll(group, started)
            self._schedule.done(
                group,
                started,
                now(),
                answered=answered,
                not_before=max(self._turns.clear_at(group), group.retry_at(now())),
                wait_s=self._turns.slow_s(group),
            )
        finally:
            self._polled = None
            self._keep_late()
            if self._is_forgotten:
                self._forget(group)

    def _is_held(self, group: Group, now: float) -> bool:
        """Return whether a device has to wait because it may owe a reply to an earlier poll of its address.

        Then the groups that share its address wait as well, or they would owe one again before its turn.
        """
        station = self._line.stations[group.address]
        request = self._turns.first_request(group) if station.is_owing else None
        if request is None or (clear_at := station.clear_at(request)) <= now:
            return False
        station.record_held(request)
        for neighbour in self._groups:
            if neighbour.address == group.address:
                self._schedule.hold(neighbour, clear_at, is_taken=neighbour is group)
        return True

    def forget(self, sensor: str) -> None:
        """Forget what was learned of a sensor, and so of the device that serves it.

        A poll in progress ends with what was known when it began: that is forgotten again then.
        """
        for group in self._groups:
            if any(member.name == sensor for member in group.sensors):
                self._forget(group)
                self._is_forgotten |= group is self._polled
                _log.info("%s: forgot what was learned of it, as ordered", group.names)

    def _forget(self, group: Group) -> None:
        group.forget()
        self._line.stations[group.address].forget()
        self._schedule.forget(group)

    def _hear_late(self, address: str, late: LateReply | None) -> None:
        """Record a device that was heard after its poll; a reply that is certainly that poll's is kept."""
        for group in self._groups:
            if group.address != address:
                continue
            group.heard_late()
            not_before, wait_s = self._turns.clear_at(group), self._turns.slow_s(group)
            self._schedule.lives(group, not_before=not_before, wait_s=wait_s)
            if late is not None:
                self._take_late(group, late)

    def _hear_second(self, address: str) -> None:
        """Take note that an address answered one request twice."""
        for group in self._groups:
            if group.address == address:
                group.answers_twice(self._line.stations[address].second_replies.count)

    def _take_late(self, group: Group, late: LateReply) -> None:
        """Keep the values that a late reply adds to its poll; behind those of a poll under way."""
        try:
            reading = group.unanswered_polls.complete(late, asyncio.get_running_loop().time())
        except Exception as error:  # a protocol of anybody's; the group logs the traceback
            group.failed(error)
            return
        if reading is not None:
            self._late_readings.append((group, reading))
            if group is not self._polled:
                self._keep_late()

    def _keep_late(self) -> None:
        """Keep the late readings that are due."""
        for group, reading in self._late_readings:
            group.late_readings += 1
            self._turns.keep(group, reading.result, reading.late.reply)
            self._news()
        self._late_readings.clear()

    def sensors(self, elapsed_s: float) -> dict[str, SensorDocument]:
        """Return the part of the status document about each sensor, `elapsed_s` seconds after the start."""
        documents: dict[str, SensorDocument] = {}
        for group in self._groups:
            station = self._line.stations[group.address]
            shared = group.document(station, self._schedule, elapsed_s)
            for sensor in group.sensors:
                documents[sensor.name] = {
                    **self._intakes[sensor.name].document(),
                    **shared,
                    "state": group.state(sensor).value,
                    "lessons": group.lessons(sensor, station),
                    "trouble": group.trouble(sensor, station),
                    "left_out": dict(group.left_out(sensor)),
                    "doubts": dict(group.doubts(sensor)),
                }
        return documents

    def times(self) -> dict[str, SensorTimes]:
        """Return the last turn-arounds and latenesses of each sensor."""
        return times_of(self._groups, self._line.stations, self._schedule)

    def _look_for_other_master(self) -> None:
        """Log that another master asks on this line, once until it has been quiet for a minute."""
        is_there = self._line.stations.other_master.is_likely(asyncio.get_running_loop().time())
        if is_there and not self._has_other_master:
            _log.warning("bus %s %s", self._bus.name, diagnosis(Cause.OTHER_MASTER))
        self._has_other_master = is_there

    def line(self, elapsed_s: float) -> LineDocument:
        """Return the part of the status document about the line, `elapsed_s` seconds after the start."""
        busy_s = sum(station.busy_s for station in self._line.stations.values())
        return {
            **self._line.stations.totals(),
            "echoes": self._line.echoes,
            "has_echo": self._line.has_echo,
            "wire_share": round(busy_s / elapsed_s, 4) if elapsed_s else 0.0,
            "trouble": str(diagnosis(Cause.OTHER_MASTER)) if self._has_other_master else None,
        }
