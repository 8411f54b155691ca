"""Simulated sensors on a pseudo terminal, slow and faulty as a real line.

A pseudo terminal delivers at once whatever is written to it, so the time of the wire is kept by its model
(wire.py), which a thread plays here in real time: it takes the octets that the client sends, and hands over
those that have come off the wire. A thread, so that a client that blocks can be tested in the same process.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from bridge.simulator.field.device_faults import LineFaults, Part, Stall, UnitFaults
from bridge.simulator.field.pty import Pty
from bridge.simulator.field.transmission import Served
from bridge.simulator.field.wire import Unit, Wire
from protocols.modbus.simulation import MODBUS_RTU
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.simulation import Address, Dialect

__all__ = ["LineFaults", "Part", "Served", "SimulatedBus", "Stall", "Unit", "UnitFaults"]

_ORDER_WITHIN_S = 10.0  # the thread is never busy for longer than it takes to notice


class SimulatedBus(Wire):
    """A line with sensors on it, from `with` to its end, played in real time.

    Attributes:
        path: the device to open; gone while the adapter is unplugged.
    """

    def __init__(
        self,
        units: Mapping[int, Unit] | Mapping[str, Unit],
        line: LineSettings,
        *,
        dialect: Dialect = MODBUS_RTU,
        link: Path | None = None,
        paced: bool = True,
        turn_around_s: float = 0.005,
        seed: int = 0,
        heeds_speed: bool = False,
    ) -> None:
        """Make a bus that is not yet played.

        Args:
            units: its devices, by address.
            line: its line settings.
            dialect: its protocol, from the devices' side.
            link: where the link to its device shall stand; without it, in a directory of its own.
            paced: keep the wire's time.
            turn_around_s: from the end of a request to the first octet of its reply.
            seed: what chance on the wire follows from.
            heeds_speed: a client of another speed hears and is heard as such. Its parity does not show here.
        """
        super().__init__(units, line, dialect=dialect, paced=paced, turn_around_s=turn_around_s, seed=seed)
        self._pty = Pty(link)
        self._orders: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._heeds_speed = heeds_speed
        self._running = False
        self._thread = threading.Thread(target=self._run, name="simulated bus", daemon=True)

    @property
    def path(self) -> Path:
        """Return the path of the device to open."""
        return self._pty.path

    def __enter__(self) -> Self:
        self._pty.plug()
        self._running = True
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._order(self._stop)
        self._thread.join()
        self._pty.close()
        self._wake.close()
        self._woken.close()

    def unplug(self) -> None:
        """Pull the adapter out and return when that is done; a reply under way is cut."""
        self._order(self._pull)

    def replug(self) -> None:
        """Plug the adapter in again, under the same path, and return when that is done."""
        self._order(self._pty.plug)

    def cut_power(self, address: Address, *, off_s: float, deaf_s: float, refusing_s: float = 0.0) -> None:
        """Take a device's power away for `off_s`; then it boots deaf, then refuses as busy, then serves.

        Args:
            off_s, deaf_s, refusing_s: the seconds that each phase lasts.
        """
        back_at = time.monotonic() + off_s
        self._order(lambda: self.power_cut(address, back_at, deaf_s=deaf_s, refusing_s=refusing_s))

    # The thread.

    def _order(self, action: Callable[[], None]) -> None:
        """Call `action` in the thread, which owns the descriptor, and return when that is done."""
        outcome: Future[None] = Future()
        self._orders.put((action, outcome))
        self._wake.send(b"!")
        outcome.result(_ORDER_WITHIN_S)

    def _stop(self) -> None:
        self._running = False

    def _pull(self) -> None:
        self._pty.unplug()
        self.clear()

    def _run(self) -> None:
        while self._running:
            self._heed_speed()
            octets = self.advance(time.monotonic())
            if octets:
                self._pty.write(octets)
            self._listen(None if math.isinf(self.due_at) else max(0.0, self.due_at - time.monotonic()))

    def _heed_speed(self) -> None:
        """Note the speed of the client."""
        if self._heeds_speed and self._pty.baudrate:
            self.host_line = replace(self._line, baudrate=self._pty.baudrate)

    def _listen(self, timeout_s: float | None) -> None:
        """Wait for an order or for octets, at most `timeout_s` seconds (None: for ever), and act on it."""
        descriptors = [self._woken.fileno()]
        if self._pty.fd is not None:
            descriptors.append(self._pty.fd)
        ready, _, _ = select.select(descriptors, [], [], timeout_s)
        if self._woken.fileno() in ready:
            self._woken.recv(1)
            action, outcome = self._orders.get()
            action()
            outcome.set_result(None)
        elif ready:
            data = self._pty.read()
            self._heed_speed()
            if data:
                self.write(data, time.monotonic())
