"""Wires of ours in place of a Port, driven by a script or by a model; and a pump between two ptys."""

from __future__ import annotations

import asyncio
import math
import os
import select
import threading
import tty
from collections.abc import Callable, Sequence
from typing import Self

from bridge.errors import PortLost
from bridge.port import State
from bridge.port.driver import UartErrors
from bridge.simulator.field.wire import Wire
from protocols.toolkit.polling import LineSettings

Said = tuple[float, bytes]
"""Seconds after the request is through, and what then arrives at once."""


class ScriptedLine:
    """Answers requests as `answer` says, on the clock of the running loop.

    Attributes:
        sent: every request with the time at which it began.
        settings: what the line is set to.
        heard: called whenever something arrives.
        uart: the error counters of its UART; None: it has none.
    """

    def __init__(self, settings: LineSettings, answer: Callable[[bytes], Sequence[Said]]) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.settings = settings
        self.heard_at = 0.0
        self.heard: Callable[[], None] = lambda: None
        self.uart: UartErrors | None = None
        self._answer = answer
        self._inbox = bytearray()
        self._arrived = asyncio.Event()
        self._is_lost = False

    async def write(self, data: bytes) -> None:
        self._raise_if_lost()
        now = asyncio.get_running_loop().time()
        self.sent.append((now, data))
        for delay_s, said in self._answer(data):
            self.say(said, after_s=self.settings.duration_s(len(data)) + delay_s)

    async def read(self, deadline: float | None = None) -> bytes:
        if not self._inbox:
            self._raise_if_lost()
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
        if not self._inbox:
            self._raise_if_lost()
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    async def configure(self, settings: LineSettings) -> None:
        self._raise_if_lost()
        self.settings = settings

    def say(self, data: bytes, *, after_s: float = 0.0) -> None:
        """These octets arrive, all at once."""
        asyncio.get_running_loop().call_later(after_s, self._arrive, data)

    def has_input(self) -> bool:
        """Return whether something came that was not read."""
        return bool(self._inbox)

    def uart_errors(self) -> UartErrors | None:
        """Return the counters of the UART: a script may set them."""
        return self.uart

    def lose(self) -> None:
        """The port is gone."""
        self._is_lost = True
        self._arrived.set()

    def _arrive(self, data: bytes) -> None:
        self._inbox += data
        self.heard_at = asyncio.get_running_loop().time()
        self.heard()
        self._arrived.set()

    def _raise_if_lost(self) -> None:
        if self._is_lost:
            raise PortLost("/dev/ttyTEST was unplugged")


class SimulatedLine(ScriptedLine):
    """The model of a wire with devices, played on the clock of the running loop; it may stand for a Port.

    Attributes:
        wire: the model.
        state, path: as a Port has them.
        awaits: calls of open, read, write and configure so far.
        unplug_at: the adapter is pulled out in the call with this number, for the time of that call.
    """

    def __init__(self, wire: Wire, settings: LineSettings) -> None:
        super().__init__(settings, lambda request: ())
        self.wire = wire
        self.state = State.CLOSED
        self.path = "/dev/ttyTEST"
        self.awaits = 0
        self.unplug_at = 0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, _path: str = "", settings: LineSettings | None = None, *_: object) -> None:
        """Open it, as a Port is opened."""
        self._count()
        self._is_lost = False
        self._inbox.clear()
        self.state = State.READY
        self._raise_if_lost()
        if settings is not None:
            self._set(settings)
        self._arm()

    async def close(self) -> None:
        """Close it, as a Port is closed."""
        self.state = State.CLOSED

    async def write(self, data: bytes) -> None:
        self._count()
        self._raise_if_lost()
        now = asyncio.get_running_loop().time()
        self.sent.append((now, data))
        self.wire.write(data, now)
        self._arm()

    async def read(self, deadline: float | None = None) -> bytes:
        self._count()
        return await super().read(deadline)

    async def configure(self, settings: LineSettings) -> None:
        self._count()
        await super().configure(settings)
        self._set(settings)

    def interject(self, data: bytes) -> None:
        """Put octets of a third party on the wire now."""
        self.wire.interject(data, asyncio.get_running_loop().time())
        self._arm()

    def _set(self, settings: LineSettings) -> None:
        self.settings = self.wire.host_line = settings

    def _count(self) -> None:
        self.awaits += 1
        if self.awaits == self.unplug_at:
            self.wire.clear()
            self._inbox.clear()
            self.lose()

    def _arm(self) -> None:
        """Wake up when the next thing happens on the wire."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_at = self.wire.due_at
        if not math.isinf(due_at):
            self._timer = asyncio.get_running_loop().call_at(due_at, self._advance, due_at)

    def _advance(self, due_at: float) -> None:
        heard = self.wire.advance(max(due_at, asyncio.get_running_loop().time()))
        if heard:
            self._arrive(heard)
        self._arm()


def script(*turns: Sequence[Said]) -> Callable[[bytes], Sequence[Said]]:
    """Answer the first request with the first turn, and so on; no more requests are expected."""
    remaining = list(turns)

    def answer(request: bytes) -> Sequence[Said]:
        assert remaining, f"a request too many: {request.hex(' ')}"
        return remaining.pop(0)

    return answer


class PtyPump:
    """A null-modem cable: what is written to the device at one end is read from that at the other.

    Attributes:
        near: the device at one end, for us.
        far: that at the other, for a foreign sensor.
    """

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []  # held open, or the master reports a hang-up before a client has come
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            self._slaves.append(slave)
        self.near, self.far = map(os.ttyname, self._slaves)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._pump, name="pty pump", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"!")
        self._thread.join()
        for descriptor in (*self._masters, *self._slaves, self._stop_read, self._stop_write):
            os.close(descriptor)

    def _pump(self) -> None:
        near, far = self._masters
        other = {near: far, far: near}
        while True:
            ready, _, _ = select.select([*self._masters, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for master in ready:
                os.write(other[master], os.read(master, 4096))
