"""Random buses whose replies are lost, late, refused and stalled by turns, in search of one wrong value.

    python -m tests.faults.line_adversary --buses 400

The sweeps of `line_sweep` and `slots_lost` have one fault at a time, from beginning to end. Here each unit
gets other faults every few minutes, several at once: replies that are late whatever is asked meanwhile, by
any time or by whole polls, so that they come when the next one is awaited; refusals, which do not say what
they refuse; stalls; losses. Reads of one length are the rule, and many units allow no others.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.simulator.field.device_faults import Stall, UnitFaults
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.faults.tagged import Findings
from tests.support.loop import on_jumping_clock

HOUR_S = 3600.0
_STARTS = (0, 201, 402, 603, 804, 1005)  # too far apart to be read together; no two alike modulo 32
_LINES = ("9600 8N1", "19200 8E1", "115200 8N1")
_EVERY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_LATEST_S = 4.0
_MOST_UNITS = 4


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus drawn from a seed.

    Attributes:
        line: its settings.
        keys: further lines of its table in site.toml.
        every_s: from poll to poll.
        sensors: on it; two may share a unit.
        seed: of its faults.
    """

    line: str
    keys: str
    every_s: float
    sensors: Sequence[Sensor]
    seed: int

    def __str__(self) -> str:
        units = "; ".join(
            f"unit {sensor.unit} every {sensor.every_s:g} s {sensor.blocks} {sensor.keys}".rstrip()
            for sensor in self.sensors
        )
        return f"seed {self.seed}: {self.line}, {self.keys.replace(chr(10), ', ')}: {units}"


def bus(seed: int) -> Bus:
    """Return the bus of a seed."""
    chance = random.Random(seed)
    every_s = chance.choice(_EVERY_S)
    sensors = [
        sensor
        for unit in range(1, chance.randint(1, _MOST_UNITS) + 1)
        for sensor in _unit(chance, unit, every_s)
    ]
    reply_timeout = chance.choice(("100ms", "300ms", "1s"))
    keys = f'retries = {chance.choice((0, 0, 1, 1, 2))}\nreply_timeout = "{reply_timeout}"'
    return Bus(chance.choice(_LINES), keys, every_s, sensors, seed)


def _unit(chance: random.Random, unit: int, every_s: float) -> list[Sensor]:
    reads = chance.randint(2, len(_STARTS))
    lengths = chance.choice(((1,), (2,), (2,), (1, 2), (1, 2, 4)))
    blocks = tuple((start, chance.choice(lengths)) for start in _STARTS[:reads])
    keys = f"limits = {{ max_registers = {max(lengths)} }}" if chance.random() < 0.6 else ""
    if reads < 4 or chance.random() < 0.7:
        return [Sensor(unit, every_s, blocks, keys)]
    rhythms = every_s, every_s * chance.choice((1.0, 1.7, 2.0))
    return [Sensor(unit, rhythms[0], blocks[:2], keys), Sensor(unit, rhythms[1], blocks[2:], keys)]


def _draw(chance: random.Random, every_s: float, faults: UnitFaults) -> None:
    """Give a unit other faults: each kind in a part of the draws, so that some units have none."""
    faults.silent = chance.choice((0, 0, 0.02, 0.05, 0.2))
    faults.refuse = chance.choice((0, 0, 0, 0.02, 0.2))
    faults.bad_crc = chance.choice((0, 0, 0, 0.05))
    faults.late = chance.choice((0, 0.02, 0.05, 0.3, 1.0))
    if every_s > _LATEST_S or chance.random() < 0.5:
        faults.late_s, faults.latest_s = 0.1, _LATEST_S
    else:  # by whole polls, or by just so much less or more that it comes behind the next request
        polls = chance.randint(1, max(1, int(_LATEST_S / every_s)))
        faults.late_s = max(0.01, polls * every_s + chance.choice((-0.04, -0.01, 0.0, 0.005, 0.02, 0.05)))
        faults.latest_s = faults.late_s + chance.choice((0.0, 0.0, 0.02))
    faults.stall = Stall(
        chance.choice((0, 0, 0, 0.02)), 0.2, chance.choice((1.0, 4.0, 8.0)), chance.randint(1, 4)
    )


@on_jumping_clock
async def _read(bus: Bus, seconds: float, folder: Path, results: list[tuple[Findings, list[str]]]) -> None:
    chance = random.Random(bus.seed)
    reader = SimulatedReader(folder, bus.line, bus.sensors, keys=bus.keys, seed=bus.seed)
    if chance.random() < 0.2:
        reader.wire.line_faults.converter = Stall(
            0.02, 0.2, chance.choice((1.0, 4.0, 8.0)), chance.randint(1, 4)
        )

    async def change() -> None:
        while True:
            for unit in reader.wire.units:
                if chance.random() < 0.5:
                    _draw(chance, bus.every_s, reader.wire.faults[unit])
                else:
                    reader.wire.faults[unit] = UnitFaults()
            await asyncio.sleep(chance.uniform(5.0, 120.0))

    changing = asyncio.create_task(change())
    await reader.run(seconds)
    changing.cancel()
    results.append((reader.audit.findings, reader.audit.examples))


def outcome(bus: Bus, seconds: float = HOUR_S) -> tuple[Findings, list[str]]:
    """Return what was found on a bus in so many seconds, with examples of what is wrong."""
    results: list[tuple[Findings, list[str]]] = []
    with tempfile.TemporaryDirectory() as folder:
        _read(bus, seconds, Path(folder), results)
    return results[0]


def main(buses: int, seed: int, seconds: float) -> bool:
    """Print each bus with a wrong value, and the sum; return whether there is none."""
    logging.disable()
    total = Findings()
    for number in range(seed, seed + buses):
        one_bus = bus(number)
        findings, examples = outcome(one_bus, seconds)
        total += findings
        if not findings.are_clean:
            print(f"  {one_bus}: {findings}", *examples[:3], sep="\n      ", flush=True)
    print(f"  {buses} buses from seed {seed}: {total}")
    return total.are_clean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buses", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=HOUR_S, help="of virtual time, for each bus")
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
