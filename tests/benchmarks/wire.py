"""A paced bus with simulated sensors in a process of its own, so that it and who asks do not share a core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings

TURN_AROUND_S = 0.005
REQUEST_OCTETS = 8


class Heard(NamedTuple):
    """What the sensors saw of one run.

    Attributes:
        polls_per_s: between the first and the last reply.
        polls: replies given.
        early: requests that began before the line had been quiet for t3.5.
    """

    polls_per_s: float
    polls: int
    early: int


@dataclass(frozen=True)
class Wire:
    """The bus as its user sees it.

    Attributes:
        path: the device to open.
        line: 11 bits a character, as the specification wants it.
    """

    path: str
    line: LineSettings
    pipe: Connection

    def start(self) -> None:
        """Forget what was heard so far."""
        self.pipe.send("start")
        self.pipe.recv()

    def stop(self) -> Heard:
        """Return what was heard since `start`."""
        self.pipe.send("stop")
        times, early = self.pipe.recv()
        elapsed_s = times[-1] - times[0] if len(times) > 1 else 0.0
        return Heard((len(times) - 1) / elapsed_s if elapsed_s else 0.0, len(times), early)

    def fault(self, unit: int, **faults: float) -> None:
        """Set what goes wrong at a unit: `silent=1.0`, `late=0.02, late_s=0.3`, `bad_crc=0.05` …"""
        self.pipe.send((unit, faults))
        self.pipe.recv()

    def replies(self, unit: int) -> list[float]:
        """When a unit replied since `start`, in seconds of the monotonic clock."""
        self.pipe.send(unit)
        times: list[float] = self.pipe.recv()
        return times

    def limit(self, registers: int) -> float:
        """Poll a second that the wire carries at best: request, turn-around, reply, t3.5."""
        octets = REQUEST_OCTETS + reply_octets(registers)
        return 1 / (self.line.duration_s(octets) + TURN_AROUND_S + self.line.frame_gap_s)


def reply_octets(registers: int) -> int:
    """Of the reply to a read of so many registers."""
    return 5 + 2 * registers


@contextmanager
def wire(baudrate: int, units: int = 4, registers: int = 125) -> Iterator[Wire]:
    """A bus at that speed, while the block runs."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, baudrate, units, registers))
    process.start()
    try:
        yield Wire(ours.recv(), LineSettings(baudrate, 8, "E", 1), ours)
    finally:
        ours.send("end")
        process.join(10)


def _serve(pipe: Connection, baudrate: int, count: int, registers: int) -> None:
    units = {
        address: SimulatedUnit(address, holding={at: 100 * address + at for at in range(registers)})
        for address in range(1, count + 1)
    }
    with SimulatedBus(units, LineSettings(baudrate, 8, "E", 1), turn_around_s=TURN_AROUND_S) as bus:
        pipe.send(str(bus.path))
        early = 0
        while (order := pipe.recv()) != "end":
            if order == "start":
                bus.served.clear()
                early = bus.early
                pipe.send(None)
            elif isinstance(order, int):
                pipe.send([served.at for served in bus.served if served.unit == order])
            elif isinstance(order, tuple):
                unit, faults = order
                for name, value in faults.items():
                    setattr(bus.faults[unit], name, value)
                pipe.send(None)
            else:
                pipe.send(([served.at for served in bus.served], bus.early - early))
