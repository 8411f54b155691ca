"""One bus, read into the spool: its port comes and goes.

Polled sensors are read by polling.py, pushing ones by push_reader.py. A lost port is logged once, watched
for, and opened again. Nothing outside this task notices.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

from bridge.clock import Clock
from bridge.errors import PortLost
from bridge.event_loop import call_in_thread, until_multiple_s
from bridge.port import OPEN_TIMEOUT_S, Port, State
from bridge.port.adapter import find_adapter
from bridge.reader.answer import Answer
from bridge.reader.attempt import OtherSettings, Query
from bridge.reader.intake import Intake
from bridge.reader.invocation_counters import InvocationCounters
from bridge.reader.overhearing import Overhearing
from bridge.reader.polling import Polling
from bridge.reader.push_reader import PushReader
from bridge.reader.saved_counters import SavedCounters
from bridge.reader.tap import Tap
from bridge.spool import SpoolWriter
from bridge.systemd import Heartbeat
from protocols.toolkit.protocol import PolledProtocol, PushingProtocol

if TYPE_CHECKING:
    from bridge.config import Bus
    from bridge.reader.searching import FindDocument, SearchQuery
    from bridge.status.documents import BusDocument, SensorDocument
    from bridge.status.line_history import SensorTimes
    from bridge.status.line_statistics import Memory

_log = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0
FORGET_WITHIN_S = 1.0  # a person waits for it; on an idle bus the next poll may be an hour away
LOOK_TIMEOUT_S = 5.0  # for the system to find the device file of an adapter
LOOK_EVERY_S = 0.5  # for a lost adapter: plugged in again, it is opened at once
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0  # for a port that is there but does not open


class Reader:
    """Read one bus into the spool.

    Args:
        bus: from site.toml.
        spool: where readings go.
        clock: the process's clock.
        publish: called with the status document, at most once a second and only if it changed.
        find_port: returns the device file; raises PortLost if the adapter is not plugged in.
        port: what carries the bytes; not yet open.
        memory: the bus's counters from before, kept up to date.
        forgotten: returns a sensor whose learned values are to be forgotten, once; called every second,
            whatever the bus does. None: not offered.
        observe: called with each status document that is published, and the times of the polled sensors.
        invocation_counters: the last ones of meters that encrypt, from earlier processes.

    Attributes:
        tap: what passes on the port, for who listens in.
    """

    def __init__(
        self,
        bus: Bus,
        spool: SpoolWriter,
        clock: Clock,
        publish: Callable[[BusDocument], None],
        find_port: Callable[[], str] | None = None,
        port: Port | None = None,
        memory: Memory | None = None,
        forgotten: Callable[[], str | None] | None = None,
        invocation_counters: Mapping[str, int] | None = None,
        observe: Callable[[Mapping[str, SensorDocument], Mapping[str, SensorTimes]], None] | None = None,
    ) -> None:
        self._bus = bus
        self._publish = publish
        self._find_port = find_port or partial(find_adapter, bus.adapter)
        self._port = port or Port()
        self.tap = Tap(self._port)
        self._heartbeat = Heartbeat()
        intakes = {sensor.name: Intake(sensor, spool, clock) for sensor in bus.sensors}
        parts = bus, self._port, intakes, clock, self._heartbeat, self._publish_soon
        self._talk: Polling | PushReader | Overhearing = (
            PushReader(*parts, InvocationCounters(invocation_counters or {}, spool.note_counters))
            if isinstance(bus.protocol, PushingProtocol)
            else Overhearing(*parts)
            if bus.listen
            else Polling(*parts)
        )
        self._memory = memory
        self._saved_counters = SavedCounters(bus.name, memory) if memory is not None else None
        self._observe = observe
        self._next_forgotten = forgotten
        self._lookup: asyncio.Future[str] | None = None
        self._started_at = math.inf
        self._retry_s = FIRST_RETRY_S
        self._error: str | None = None
        self._last_document: BusDocument | None = None
        self._published_at = -PUBLISH_EVERY_S
        self._publish_timer: asyncio.TimerHandle | None = None
        self._forget_timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Read the bus until cancelled; then the port is closed and every reading taken is in the spool."""
        if math.isinf(self._started_at):
            self._started_at = asyncio.get_running_loop().time()
        self._forget_as_asked()
        try:
            while True:
                heard_before = self._talk.heard
                try:
                    await self._open()
                    await self._talk.run()
                except PortLost as error:
                    await self._port.close()
                    self._report_loss(error)
                    if self._talk.heard > heard_before:
                        self._retry_s = FIRST_RETRY_S
                    await self._wait_for_adapter()
        finally:
            if self._forget_timer is not None:
                self._forget_timer.cancel()
            await self._port.close()
            self._publish_now()
            if self._saved_counters is not None and self._last_document is not None:
                await self._saved_counters.save_last(self._last_document)

    async def answer_text(self, text: bytes) -> Answer | list[FindDocument]:
        """Answer the text of a `Query` or a `SearchQuery`. Raises as `answer`, and ValueError: it is none."""
        from bridge.reader.searching import SearchQuery  # here, because few buses are ever searched

        return await self.answer(SearchQuery.parse(text) or Query.parse(text))

    @overload
    async def answer(self, query: Query) -> Answer: ...

    @overload
    async def answer(self, query: Query | SearchQuery) -> Answer | list[FindDocument]: ...

    async def answer(self, query: Query | SearchQuery) -> Answer | list[FindDocument]:
        """Ask a sensor for a person, configured or not, on the line of this bus; or who else is on it.

        Raises:
            PortLost: the line is lost.
            OtherSettings: the bus cannot read such a sensor.
        """
        if self._port.state is not State.READY:
            raise PortLost(self._error or f"{self._port.path or self._bus.adapter} is being opened")
        if isinstance(self._talk, Overhearing):
            raise OtherSettings(
                f"bus {self._bus.name} only listens (listen = true), so nothing is asked on it: "
                f"`serial-bridge status` shows what its master reads"
            )
        if isinstance(query, Query):
            return await self._talk.answer(query)
        if not isinstance(self._talk, Polling) or not isinstance(self._bus.protocol, PolledProtocol):
            raise OtherSettings(f"the sensors of bus {self._bus.name} send by themselves: nobody is asked")
        from bridge.reader.searching import search

        return await search(query, self._bus.protocol, self._bus, self._talk.loans)

    def is_advancing(self) -> bool:
        """Return whether the bus makes progress: a poll has ended, or the next step is scheduled."""
        return self._heartbeat.is_alive

    async def _open(self) -> None:
        self._heartbeat.extend(LOOK_TIMEOUT_S + OPEN_TIMEOUT_S)
        await self._port.open(await self._device_file(), self._bus.line, self._bus.rs485, self._bus.listen)
        _log.info(
            "bus %s: reads %d sensors on %s, %s",
            self._bus.name,
            len(self._bus.sensors),
            self._port.path,
            self._bus.line,
        )
        self._error = None
        self._publish_soon()

    # The port comes and goes.

    async def _device_file(self) -> str:
        """Return the device file of the bus, looked up in a thread so that a slow sysfs delays no other bus.

        Raises:
            PortLost: the adapter is not plugged in, several fit, or the system does not answer.
        """
        if self._lookup is None or self._lookup.done():
            self._lookup = call_in_thread(self._find_port, f"find {self._bus.name}")
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                return await asyncio.shield(self._lookup)
        except TimeoutError as error:
            raise PortLost(
                f"the system did not say within {LOOK_TIMEOUT_S:.0f} s where adapter "
                f'"{self._bus.adapter}" is: see its log: journalctl -k'
            ) from error

    def _report_loss(self, error: PortLost) -> None:
        """Log the loss of the port once; later errors, until the port is back, are only in the status."""
        if self._error is None:
            _log.warning("bus %s: %s", self._bus.name, error)
        self._error = str(error)
        self._publish_soon()

    async def _wait_for_adapter(self) -> None:
        """Wait longer each time, but only until the device file appears or changes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        self._heartbeat.extend(LOOK_TIMEOUT_S)
        before = await self._identity()
        while (remaining_s := deadline - loop.time()) > 0:
            self._heartbeat.extend(LOOK_EVERY_S + LOOK_TIMEOUT_S)
            await asyncio.sleep(min(remaining_s, LOOK_EVERY_S))
            identity = await self._identity()
            if identity is not None and identity != before:
                return
            before = identity

    async def _identity(self) -> tuple[int, int] | None:
        """Return inode and device number of the device file; None if there is none."""
        try:
            return _identity_of(await self._device_file())
        except (PortLost, OSError):
            return None

    def _forget_as_asked(self) -> None:
        """Forget what was learned of the sensor that a person named; repeats itself every second."""
        if self._next_forgotten is None:
            return
        self._forget_timer = asyncio.get_running_loop().call_later(
            until_multiple_s(FORGET_WITHIN_S), self._forget_as_asked
        )
        sensor = self._next_forgotten()
        if sensor is not None and isinstance(self._talk, Polling):
            self._talk.forget(sensor)
            self._publish_soon()

    # Status.

    def _publish_soon(self) -> None:
        """Publish the status document now, or one second after the last time."""
        if self._publish_timer is not None:
            return
        loop = asyncio.get_running_loop()
        due_at = self._published_at + PUBLISH_EVERY_S
        if due_at <= loop.time():
            self._publish_now()
        else:
            self._publish_timer = loop.call_at(due_at, self._publish_now)

    def _publish_now(self) -> None:
        if self._publish_timer is not None:
            self._publish_timer.cancel()
            self._publish_timer = None
        document = self._document()
        if document != self._last_document:
            self._last_document = document
            self._published_at = asyncio.get_running_loop().time()
            self._publish(document)
            if self._observe is not None:
                times = self._talk.times() if isinstance(self._talk, Polling) else {}
                self._observe(document["sensors"], times)
            if self._saved_counters is not None:
                self._saved_counters.note(document, self._published_at)

    def _document(self) -> BusDocument:
        """Return the status document of this bus."""
        elapsed_s = max(0.0, asyncio.get_running_loop().time() - self._started_at)
        document: BusDocument = {
            "bus": self._bus.name,
            "protocol": self._bus.protocol.name,
            "state": self._port.state.value if self._error is None else State.LOST.value,
            "port": self._port.path or self._bus.adapter,
            "error": self._error,
            "sensors": self._talk.sensors(elapsed_s),
            "line": {"settings": str(self._bus.line), **self._talk.line(elapsed_s)},
        }
        uart = self._port.uart_errors()
        if uart is not None:
            document["line"]["uart"] = {
                "framing": uart.framing,
                "overrun": uart.overrun,
                "parity": uart.parity,
                "breaks": uart.breaks,
                "buffer_overrun": uart.buffer_overrun,
            }
        return self._memory.total(document) if self._memory else document


def _identity_of(path: str) -> tuple[int, int]:
    device = Path(path).stat()
    return device.st_ino, device.st_rdev
