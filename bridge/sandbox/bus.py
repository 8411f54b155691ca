"""Simulated sensors on a pseudo terminal, slow and faulty as a real line.

A pseudo terminal delivers at once whatever is written to it, so the wire's time is kept here: a reply begins
when the request would have been through, plus the sensor's turn-around, and its octets trickle in as a UART
hands them over. Each unit answers for itself: one that is late talks into another's reply, as on the wire. A
thread serves the line, so that a client that blocks can be tested in the same process.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Protocol, Self

from bridge.sandbox.pty import Pty
from protocols.dialogue import LineSettings
from protocols.framing import Frame
from protocols.modbus import pdu
from protocols.modbus.simulation import MODBUS_RTU
from protocols.simulation import Address, Dialect

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
        refuse_with: the code every request is refused with, or None.
        bad_crc: fraction of replies with a wrong checksum.
        wrong_unit: fraction of replies that carry another unit's address.
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
        request: the message it answers, without what carries it (Modbus: the PDU).
        reply: its own.
    """

    unit: Address
    at: float
    request: bytes
    reply: bytes

    @property
    def registers(self) -> dict[int, int]:
        """The Modbus registers it told, by PDU address; empty if it told none."""
        if self.reply[0] not in (pdu.READ_HOLDING_REGISTERS, pdu.READ_INPUT_REGISTERS):
            return {}
        start = pdu.REQUESTS[self.request[0]].parse(self.request)["start"]
        data = pdu.REPLIES[self.reply[0]].parse(self.reply)["data"]
        return {start + at // 2: int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)}


@dataclass(slots=True)
class _Transmission:
    """One reply on its way."""

    served: Served
    whole: bool
    ends: float = 0.0
    has_begun: bool = False


class _Chunk(NamedTuple):
    """Octets of a reply that are handed over together once the last of them is off the wire."""

    due: float
    number: int  # decides where two are due at once
    data: bytes
    transmission: _Transmission
    is_last: bool


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
        units: Mapping[int, Unit] | Mapping[str, Unit],
        line: LineSettings,
        *,
        dialect: Dialect = MODBUS_RTU,
        link: Path | None = None,
        paced: bool = True,
        turn_around_s: float = 0.005,
        seed: int = 0,
    ) -> None:
        self.units: dict[Address, Unit] = dict[Address, Unit](units.items())
        self.faults: dict[Address, UnitFaults] = defaultdict(UnitFaults)
        self.echo = False
        self.paced = paced
        self.turn_around_s = turn_around_s
        self.served: list[Served] = []
        self.requests: Counter[Address] = Counter()
        self.early = 0
        self._line = line
        self._dialect = dialect
        self._gap_s = line.frame_gap_s
        self._random = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._pty = Pty(link)
        self._framer = dialect.framer()
        self._began = 0.0  # when the request at hand began
        self._busy_until = 0.0  # when the last octet there is will have been through
        self._talking_until = 0.0  # the same of the replies
        self._outgoing: list[_Chunk] = []  # a heap: what the units will have said, and when
        self._chunks = 0
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
        self._order(self._pull)

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

    def _pull(self) -> None:
        self._pty.unplug()
        self._outgoing.clear()
        self._framer = self._dialect.framer()

    def _run(self) -> None:
        while self._running:
            while self._outgoing and self._outgoing[0].due <= time.monotonic():
                self._put_out(heapq.heappop(self._outgoing))
            timeout_s = _PENDING_SILENCE_S if self._framer.pending else None
            if self._outgoing:
                timeout_s = max(0.0, self._outgoing[0].due - time.monotonic())
            self._listen(timeout_s)

    def _listen(self, timeout_s: float | None) -> None:
        """Waits for what comes: an order, octets, or neither."""
        descriptors = [self._woken.fileno()]
        if self._pty.fd is not None:
            descriptors.append(self._pty.fd)
        ready, _, _ = select.select(descriptors, [], [], timeout_s)
        if self._woken.fileno() in ready:
            self._woken.recv(1)
            action, done = self._orders.get()
            action()
            done.set_result(None)
        elif ready:
            self._hear(self._pty.read())
        elif not self._outgoing:
            self._framer.silence()

    def _hear(self, data: bytes) -> None:
        now = time.monotonic()
        if not self._framer.pending:
            self._began = now
            self.early += self.paced and now < self._busy_until + self._gap_s
        if self.paced and now < self._talking_until:
            return  # two at once: neither is understood
        for event in self._framer.feed(data):
            if isinstance(event, Frame):
                self._ask(event)

    def _ask(self, request: Frame) -> None:
        """One request is through: lets those answer that it is for."""
        self.requests[self._dialect.address(request)] += 1
        through = max(time.monotonic(), self._began + self._wire_s(len(request.data)))
        self._busy_until = max(self._busy_until, through)
        if self.echo:
            self._pty.write(request.data)
        for address, unit in self.units.items():
            if self._dialect.concerns(request, address):
                reply = unit.answer(request)
                if reply is not None:
                    self._reply(address, request, reply, through)

    def _reply(self, address: Address, request: Frame, reply: bytes, through: float) -> None:
        faults = self.faults[address]
        if self._strikes(faults.silent):
            return
        if faults.refuse_with is not None:
            reply = self._dialect.refused(request, faults.refuse_with)
        sent = self._spoiled(reply, faults)
        due = through + (self.turn_around_s if self.paced else 0.0)
        due += faults.late_s if self._strikes(faults.late) else 0.0
        pause_at = len(sent) // 2 if self._strikes(faults.split) else 0
        size = _CHUNK if self.paced else len(sent)
        cuts = sorted({*range(0, len(sent), size), pause_at, len(sent)})
        message = self._dialect.message
        transmission = _Transmission(
            Served(address, 0.0, message(request), message(Frame(reply))), whole=reply in sent
        )
        for start, end in pairwise(cuts):
            due += self._wire_s(end - start) + (faults.split_s if start == pause_at > 0 else 0.0)
            self._chunks += 1
            last = end == len(sent)
            heapq.heappush(self._outgoing, _Chunk(due, self._chunks, sent[start:end], transmission, last))
        transmission.ends = due

    def _spoiled(self, reply: bytes, faults: UnitFaults) -> bytes:
        """A reply as the faults leave it."""
        if self._strikes(faults.wrong_unit):
            reply = self._dialect.misaddressed(Frame(reply))
        if self._strikes(faults.bad_crc):
            reply = self._dialect.damaged(reply)
        if self._strikes(faults.truncate):
            reply = reply[: len(reply) // 2]
        if self._strikes(faults.noise_before):
            reply = self._random.randbytes(self._random.randint(1, 4)) + reply
        if self._strikes(faults.noise_after):
            reply += self._random.randbytes(self._random.randint(1, 4))
        return reply

    def _put_out(self, chunk: _Chunk) -> None:
        """Hands over octets that have come off the wire."""
        transmission = chunk.transmission
        if not transmission.has_begun:
            transmission.has_begun = True
            transmission.served = transmission.served._replace(at=time.monotonic())
        self._talking_until = max(self._talking_until, transmission.ends)
        self._busy_until = max(self._busy_until, transmission.ends)
        if chunk.is_last and transmission.whole:
            self.served.append(transmission.served)
        self._pty.write(chunk.data)

    def _wire_s(self, octets: int) -> float:
        return self._line.duration_s(octets) if self.paced else 0.0

    def _strikes(self, fraction: float) -> bool:
        return fraction > 0 and self._random.random() < fraction
