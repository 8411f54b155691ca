"""How well a scan does on random buses whose line settings nobody knows: found, right, wrong, and how long.

    python -m tests.faults.scan_sweep --buses 40 [--first 0] [--protocol modbus-rtu] [--known-line] [--faulty]

Each bus is a model of a wire, paced to real wire time on a clock that jumps, so that hours of bus time cost
minutes. A claim is wrong if a device that is there is said to be another model, or if one is claimed that is
not there. Exit status 1: less than was promised.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.protocols import spoken
from bridge.commands.scan.result import Located, ScanResult
from bridge.commands.scan.survey import Progress, Subject, Survey
from bridge.simulator.training.description import RandomBus, RandomDevice
from bridge.simulator.training.drawing import SWAPPED_PAIR, random_bus
from bridge.simulator.training.playing import wire_of
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence
from tests.support.lines import SimulatedLine
from tests.support.loop import JumpingLoop

FOUND, RIGHT = 0.98, 0.95
KNOWN_LINE_S, UNKNOWN_LINE_S = 10.0, 180.0


@dataclass(slots=True)
class Quiet:
    """Watches a scan, and keeps what is found."""

    located: list[Located] = field(default_factory=list)

    def found(self, located: Located) -> None:
        self.located.append(located)

    def progress(self, progress: Progress) -> None:
        pass

    def said(self, sentence: str) -> None:
        pass

    def finished(self, step: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One bus: what was there, and what the scan said.

    Attributes:
        bus: the bus.
        result: of the scan.
        missed: devices that were not found.
        unnamed: devices found whose protocol or model is not the right one.
        wrong: claims that are not true, a sentence each.
        last_s: when the last device was found first, in bus seconds.
    """

    bus: RandomBus
    result: ScanResult
    missed: tuple[RandomDevice, ...]
    unnamed: tuple[RandomDevice, ...]
    wrong: tuple[str, ...]
    last_s: float

    @property
    def out_of_reach(self) -> int:
        """Return how many of the missed no scan finds: swapped pairs, and those of another master."""
        return sum(device.fault == SWAPPED_PAIR or self.bus.has_foreign_master for device in self.missed)


def scan(bus: RandomBus, limits: Limits | None = None, protocols: Sequence[str] = ()) -> Outcome:
    """Scan a random bus on a clock that jumps."""

    async def run() -> tuple[ScanResult, Quiet]:
        watcher = Quiet()
        loop = asyncio.get_running_loop()
        line = SimulatedLine(wire_of(bus, loop.time), bus.line)
        await line.open("", limits.line if limits and limits.line else LineSettings(9600))
        subject = Subject("/dev/ttyTEST", spoken(protocols), limits or Limits())
        return await Survey(line, subject, watcher).run(), watcher

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        result, watcher = runner.run(run())
    return judged(bus, result, watcher.located)


def judged(bus: RandomBus, result: ScanResult, located: Sequence[Located]) -> Outcome:
    """Compare what a scan said with what is true."""
    missed, unnamed, wrong, last_s = [], [], [], 0.0
    places = {device: _finds_of(device, result.finds) for device in bus.devices}
    for device, finds in places.items():
        if not finds:
            missed.append(device)
            continue
        firsts = [one.after_s for one in located if _is_of(device, one)]
        last_s = max(last_s, min(firsts, default=0.0))
        if not any(one.find.protocol == device.protocol for one in finds):
            unnamed.append(device)
        wrong += [
            f"{device.title} is said to be {one.find.model}"
            for one in finds
            if one.find.model and device.model and one.find.model != device.model
        ]
    known = [one for finds in places.values() for one in finds]
    wrong += [
        f"{one.find.protocol} {one.find.address} at {one.line} is not there"
        for one in result.finds
        if one not in known and one.find.evidence is not Evidence.HEARD
    ]
    return Outcome(bus, result, tuple(missed), tuple(unnamed), tuple(wrong), last_s)


def _finds_of(device: RandomDevice, finds: Sequence[Located]) -> list[Located]:
    return [one for one in finds if _is_of(device, one)]


def _is_of(device: RandomDevice, located: Located) -> bool:
    address = located.find.address
    return address == device.address or (bool(device.serial) and address.startswith(device.serial[:8]))


def buses(first: int, count: int, protocol: str | None, *, faulty: bool) -> Iterator[RandomBus]:
    """Yield so many random buses of five devices, healthy ones or those with a fault."""
    seed = first
    while count:
        bus = random_bus(seed, devices=5, protocol=protocol)
        seed += 1
        is_faulty = bool(bus.fault or bus.has_foreign_master or any(device.fault for device in bus.devices))
        if is_faulty == faulty:
            count -= 1
            yield bus


def main() -> int:
    """Scan the buses, print a line for each and the figures; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--buses", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--protocol")
    parser.add_argument("--only", action="append", default=[], help="search for this protocol only")
    parser.add_argument("--known-line", action="store_true")
    parser.add_argument("--faulty", action="store_true")
    wanted = parser.parse_args()
    outcomes = []
    for bus in buses(wanted.first, wanted.buses, wanted.protocol, faulty=wanted.faulty):
        begun = time.monotonic()
        outcome = scan(bus, Limits(line=bus.line) if wanted.known_line else None, wanted.only)
        outcomes.append(outcome)
        print(
            f"{bus.seed:4} {bus.line!s:11} {bus.devices[0].protocol:14} {len(bus.devices)} devices, "
            f"last found at {outcome.last_s:6.1f} s of {outcome.result.bus_s:6.1f} s"
            f" ({time.monotonic() - begun:4.1f} s)"
            + "".join(f"; MISSED {device.title} ({device.fault})" for device in outcome.missed)
            + "".join(f"; NOT NAMED {device.title}" for device in outcome.unnamed)
            + "".join(f"; WRONG {sentence}" for sentence in outcome.wrong)
            + (f"; {outcome.result.remark}" if outcome.result.ending != "complete" else ""),
            flush=True,
        )
    return report(outcomes, known_line=wanted.known_line)


def report(outcomes: Sequence[Outcome], *, known_line: bool) -> int:
    """Print the figures; return 1 if they are less than was promised."""
    devices = sum(len(outcome.bus.devices) for outcome in outcomes)
    missed = sum(len(outcome.missed) for outcome in outcomes)
    unnamed = sum(len(outcome.unnamed) for outcome in outcomes)
    wrong = sum(len(outcome.wrong) for outcome in outcomes)
    claimed = sum(one.find.model is not None for outcome in outcomes for one in outcome.result.finds)
    last_s = statistics.median(outcome.last_s for outcome in outcomes)
    whole_s = statistics.median(outcome.result.bus_s for outcome in outcomes)
    out_of_reach = sum(outcome.out_of_reach for outcome in outcomes)
    reach_share = 1 - (missed - out_of_reach) / (devices - out_of_reach)
    found_share, right_share = 1 - missed / devices, 1 - (missed + unnamed) / devices
    print(
        f"{len(outcomes)} buses, {devices} devices: found {found_share:.1%}, right {right_share:.1%}, "
        f"found of those that can be {reach_share:.1%}, "
        f"models claimed {claimed}, wrong claims {wrong}; "
        f"median bus seconds until the last find {last_s:.1f}, of the whole scan {whole_s:.1f}"
    )
    most_s = KNOWN_LINE_S if known_line else UNKNOWN_LINE_S
    return int(found_share < FOUND or right_share < RIGHT or wrong > 0 or last_s > most_s)


if __name__ == "__main__":
    sys.exit(main())
