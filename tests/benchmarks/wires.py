"""Many paced wires in one process, at the least cost a poll, so that they are never slower than who asks.

A wire is a pseudo terminal. Its sensors answer the one request that they are ever asked with a reply made
beforehand, handed over whole when its last octet is off the wire: request, turn-around, reply, as the line
settings have it. Turn-arounds vary as those of devices do: wires that are alike to the microsecond fall into
step, and then all of them want the bridge at the same moment. The time of a request is when this process
reads it, so a simulator that is late makes its wires slower; how much of a core it takes is told with what
was heard.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bridge.simulator.field.pty import Pty
from protocols.modbus.rtu import adu
from protocols.toolkit.polling import LineSettings
from tests.benchmarks.wire import REQUEST_OCTETS, TURN_AROUND_S, reply_octets

LINE = LineSettings(9600, 8, "E", 1)
REGISTERS = 1
EXCHANGE_S = LINE.duration_s(REQUEST_OCTETS + reply_octets(REGISTERS)) + TURN_AROUND_S
VARIES_S = 0.002  # a turn-around, by up to so much in either direction
LIMIT = 1 / (EXCHANGE_S + LINE.frame_gap_s)  # polls a second that a wire carries at best


class Heard(NamedTuple):
    """What the sensors of all wires saw of one run.

    Attributes:
        polls_per_s: of each wire, by its name.
        early: requests that began before their line had been quiet for t3.5.
        asked: of each sensor, by wire and unit, when its requests came, in seconds of the monotonic clock.
        first: of each sensor, when it was asked for the very first time.
        cpu: of the simulator, as a share of a core.
    """

    polls_per_s: dict[str, float]
    early: int
    asked: dict[tuple[str, int], list[float]]
    first: dict[tuple[str, int], float]
    cpu: float

    @property
    def polls(self) -> int:
        """Return the number of requests."""
        return sum(map(len, self.asked.values()))


@dataclass(frozen=True)
class Wires:
    """The wires as their user sees them.

    Attributes:
        paths: the device to open for each wire, by its name.
    """

    paths: dict[str, str]
    _pipe: Connection

    def start(self, *, is_anew: bool = False) -> None:
        """Forget what was heard so far; with `is_anew` also when each sensor was asked first."""
        self._pipe.send("start anew" if is_anew else "start")
        self._pipe.recv()

    def heard(self) -> Heard:
        """Return what was heard since `start`."""
        self._pipe.send("heard")
        heard: Heard = self._pipe.recv()
        return heard


@contextmanager
def wires(units: Mapping[str, int]) -> Iterator[Wires]:
    """Play a wire for each name, with so many units from address 1 on, while the block runs."""
    near, far = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(far, dict(units)))
    process.start()
    try:
        yield Wires(near.recv(), near)
    finally:
        near.send("end")
        process.join(10)


@dataclass
class _Wire:
    name: str
    fd: int
    quiet_at: float = 0.0  # t3.5 after its last octet
    replies: list[float] = field(default_factory=list)  # when each was handed over


def _serve(pipe: Connection, units: dict[str, int]) -> None:
    Path("/proc/self/timerslack_ns").write_text("1")
    with ExitStack() as stack, select.epoll() as epoll:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ptys = {name: Pty(folder / name) for name in units}
        for pty in ptys.values():
            pty.plug()
            stack.callback(pty.close)
        wires = {pty.fd: _Wire(name, pty.fd) for name, pty in ptys.items() if pty.fd is not None}
        for fd in (pipe.fileno(), *wires):
            epoll.register(fd, select.EPOLLIN)
        pipe.send({name: str(pty.path) for name, pty in ptys.items()})
        _play(pipe, epoll, wires, max(units.values()))


def _play(pipe: Connection, epoll: select.epoll, wires: Mapping[int, _Wire], units: int) -> None:
    answers = {_request(unit): (unit, _reply(unit)) for unit in range(1, units + 1)}
    due: list[tuple[float, int, bytes]] = []
    asked: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    first: dict[tuple[str, int], float] = {}
    early, began_at, began_cpu_s = 0, time.monotonic(), time.process_time()
    chance = random.Random(0)  # the same in each run
    while True:
        wait_s = max(0.0, due[0][0] - time.monotonic()) if due else None
        if wait_s != 0.0:
            select.select([epoll.fileno()], [], [], wait_s)  # epoll alone rounds up to milliseconds
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, fd, reply = heapq.heappop(due)
            os.write(fd, reply)
            wires[fd].replies.append(now)
            wires[fd].quiet_at = now + LINE.frame_gap_s
        for fd, _ in epoll.poll(0):
            if fd != pipe.fileno():
                request, now, wire = os.read(fd, 256), time.monotonic(), wires[fd]
                unit, reply = answers.get(request, (0, b""))
                if reply:
                    heapq.heappush(due, (now + EXCHANGE_S + chance.uniform(-VARIES_S, VARIES_S), fd, reply))
                    asked[wire.name, unit].append(now)
                    first.setdefault((wire.name, unit), now)
                    early += now < wire.quiet_at
                continue
            match pipe.recv():
                case "end":
                    return
                case "heard":
                    rates = {wire.name: _rate(wire.replies) for wire in wires.values()}
                    cpu = (time.process_time() - began_cpu_s) / (time.monotonic() - began_at)
                    pipe.send(Heard(rates, early, dict(asked), first, cpu))
                case order:
                    if order == "start anew":
                        first.clear()
                    asked.clear()
                    for wire in wires.values():
                        wire.replies.clear()
                    early, began_at, began_cpu_s = 0, time.monotonic(), time.process_time()
                    pipe.send(None)


def _rate(times: list[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0


def _request(unit: int) -> bytes:
    return adu(unit, struct.pack(">BHH", 3, 0, REGISTERS))


def _reply(unit: int) -> bytes:
    return adu(unit, struct.pack(">BBH", 3, 2 * REGISTERS, 2300 + unit))
