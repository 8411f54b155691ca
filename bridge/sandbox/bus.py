"""Simulated Modbus RTU sensors on a pseudo terminal, slow and faulty as a real line.

A pseudo terminal delivers at once whatever is written to it, so the wire's time is kept here: a reply begins
when the request would have been through, plus the sensor's turn-around, and its octets trickle in as a UART
hands them over. A thread serves the line, so that a client that blocks can be tested in the same process.
"""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Protocol, Self

from bridge.sandbox.pty import Pty
from protocols.dialogue import LineSettings
from protocols.framing import Frame
from protocols.modbus import pdu
from protocols.modbus.serial_line import BROADCAST, RequestFramer, adu, frame_gap_s

_CHUNK = 8  # octets that a UART collects before it hands them over
_ORDER_WITHIN_S = 10.0  # the thread is never busy for longer than it takes to notice
_PENDING_SILENCE_S = 0.05  # a request that does not go on for so long was cut


class Unit(Protocol):
    """What answers at one address."""

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply to a request, or None where a device keeps silent."""
        ...


@dataclass(slots=True)
class UnitFaults:
    """What goes wrong at one unit; nothing by default. Each may be set at any time.

    Attributes:
        silent: fraction of requests that are not answered.
        refuse_with: the exception code every request is refused with, or None.
        bad_crc: fraction of replies with a wrong CRC.
        wrong_unit: fraction of replies that carry the next unit's address.
        truncate: fraction of replies cut in the middle.
        noise_before: fraction of replies with stray octets before them.
        noise_after: fraction of replies with stray octets behind them.
        split: fraction of replies with a pause of `split_s` in the middle.
        late: fraction of replies that come `late_s` late.
    """

    silent: float = 0.0
    refuse_with: int | None = None
    bad_crc: float = 0.0
    wrong_unit: float = 0.0
    truncate: float = 0.0
    noise_before: float = 0.0
    noise_after: float = 0.0
    split: float = 0.0
    split_s: float = 0.02
    late: float = 0.0
    late_s: float = 0.5


class Served(NamedTuple):
    """One undamaged reply.

    Attributes:
        unit: the address it came from.
        at: when its first octets were handed over (monotonic seconds).
        request: the PDU it answers.
        reply: its PDU.
    """

    unit: int
    at: float
    request: bytes
    reply: bytes

    @property
    def registers(self) -> dict[int, int]:
        """The registers it told, by PDU address; empty if it told none."""
        if self.reply[0] not in (pdu.READ_HOLDING_REGISTERS, pdu.READ_INPUT_REGISTERS):
            return {}
        start = pdu.REQUESTS[self.request[0]].parse(self.request)["start"]
        data = pdu.REPLIES[self.reply[0]].parse(self.reply)["data"]
        return {start + at // 2: int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)}


class SimulatedBus:
    """A line with sensors on it, from `with` to its end.

    Attributes:
        path: the device to open; gone while the adapter is unplugged.
        units: what answers, by address; may be changed at any time.
        faults: what goes wrong, by address.
        echo: the adapter hears itself: every request comes back before the reply.
        paced: keep the wire's time; otherwise answer at once.
        turn_around_s: from the end of a request to the first octet of its reply.
        served: the undamaged replies given, in order.
        requests: requests heard, by address.
        early: requests that began before the line had been quiet for t3.5, counted while `paced`.
    """

    def __init__(
        self,
        units: Mapping[int, Unit],
        line: LineSettings,
        *,
        link: Path | None = None,
        paced: bool = True,
        turn_around_s: float = 0.005,
        seed: int = 0,
    ) -> None:
        self.units = dict(units)
        self.faults: dict[int, UnitFaults] = defaultdict(UnitFaults)
        self.echo = False
        self.paced = paced
        self.turn_around_s = turn_around_s
        self.served: list[Served] = []
        self.requests: Counter[int] = Counter()
        self.early = 0
        self._line = line
        self._gap_s = frame_gap_s(line.baudrate)
        self._random = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._pty = Pty(link)
        self._framer = RequestFramer()
        self._free_at = 0.0  # when the line will have been quiet for t3.5
        self._began = 0.0  # when the request at hand began
        self._orders: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._running = False
        self._thread = threading.Thread(target=self._run, name="simulated bus", daemon=True)

    @property
    def path(self) -> Path:
        """The device to open."""
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
        """Pulls the adapter out; a reply under way is cut. Returns when it is done."""
        self._order(self._pty.unplug)

    def replug(self) -> None:
        """Plugs the adapter in again, under the same path; returns when it is done."""
        self._order(self._pty.plug)

    # The thread.

    def _order(self, action: Callable[[], None]) -> None:
        """Has the thread do something, because the descriptor is its own."""
        done: Future[None] = Future()
        self._orders.put((action, done))
        self._wake.send(b"!")
        done.result(_ORDER_WITHIN_S)

    def _stop(self) -> None:
        self._running = False

    def _run(self) -> None:
        while self._running:
            self._listen(_PENDING_SILENCE_S if self._framer.pending else None)

    def _listen(self, timeout_s: float | None) -> None:
        """Waits for what comes: an order, octets, or neither."""
        ready = self._ready(timeout_s)
        if self._woken.fileno() in ready:
            self._woken.recv(1)
            action, done = self._orders.get()
            action()
            done.set_result(None)
        elif ready:
            self._hear(self._pty.read())
        elif timeout_s is not None:
            self._framer.silence()

    def _ready(self, timeout_s: float | None) -> list[int]:
        """The descriptors that have something, as soon as one has or the time is over."""
        descriptors = [self._woken.fileno()]
        if self._pty.fd is not None:
            descriptors.append(self._pty.fd)
        return select.select(descriptors, [], [], timeout_s)[0]

    def _hear(self, data: bytes) -> None:
        now = time.monotonic()
        if not self._framer.pending:
            self._began = now
            self.early += self.paced and now < self._free_at
        for event in self._framer.feed(data):
            if isinstance(event, Frame):
                self._ask(event)

    def _ask(self, request: Frame) -> None:
        """One request is through: lets the unit it is for answer."""
        address = request.data[0]
        self.requests[address] += 1
        through = max(time.monotonic(), self._began + self._wire_s(len(request.data)))
        self._free_at = through + self._gap_s
        if self.echo:
            self._pty.write(request.data)
        if address == BROADCAST:
            for unit in self.units.values():
                unit.answer(request)
        elif address in self.units:
            reply = self.units[address].answer(request)
            if reply is not None:
                self._reply(request, reply, through)

    def _reply(self, request: Frame, reply: bytes, through: float) -> None:
        faults = self.faults[request.data[0]]
        if self._strikes(faults.silent):
            return
        if faults.refuse_with is not None:
            reply = adu(reply[0], bytes((request.data[1] | pdu.REFUSED, faults.refuse_with)))
        sent = self._spoiled(reply, faults)
        starts = through + (self.turn_around_s if self.paced else 0.0)
        starts += faults.late_s if self._strikes(faults.late) else 0.0
        pause_at = len(sent) // 2 if self._strikes(faults.split) else len(sent)
        first = self._trickle(sent[:pause_at], starts)
        if pause_at < len(sent):
            self._trickle(sent[pause_at:], time.monotonic() + faults.split_s)
        if first is not None and reply in sent:
            self.served.append(Served(reply[0], first, request.data[1:-2], reply[1:-2]))

    def _spoiled(self, reply: bytes, faults: UnitFaults) -> bytes:
        """A reply as the faults leave it."""
        if self._strikes(faults.wrong_unit):
            reply = adu(reply[0] % 247 + 1, reply[1:-2])
        if self._strikes(faults.bad_crc):
            reply = reply[:-1] + bytes((reply[-1] ^ 0xFF,))
        if self._strikes(faults.truncate):
            reply = reply[: len(reply) // 2]
        if self._strikes(faults.noise_before):
            reply = self._random.randbytes(self._random.randint(1, 4)) + reply
        if self._strikes(faults.noise_after):
            reply += self._random.randbytes(self._random.randint(1, 4))
        return reply

    def _trickle(self, data: bytes, starts: float) -> float | None:
        """Sends octets as they come off the wire; returns when the first came, None if the adapter went."""
        first: float | None = None
        size = _CHUNK if self.paced else len(data)
        through = starts
        for at in range(0, len(data), size):
            chunk = data[at : at + size]
            through += self._wire_s(len(chunk))
            if not self._wait_until(through):
                return None
            self._pty.write(chunk)
            first = first or time.monotonic()
        self._free_at = time.monotonic() + self._gap_s
        return first

    def _wait_until(self, moment: float) -> bool:
        """Waits, serving orders; what is heard meanwhile collides and is lost. False: the line is gone."""
        while self._running and self._pty.fd is not None:
            left = moment - time.monotonic()
            if left <= 0:
                return True
            ready = self._ready(left)
            if self._woken.fileno() in ready:
                self._listen(0)
            elif ready and self._pty.read():
                self.early += 1
        return False

    def _wire_s(self, octets: int) -> float:
        return self._line.duration_s(octets) if self.paced else 0.0

    def _strikes(self, fraction: float) -> bool:
        return fraction > 0 and self._random.random() < fraction
