"""What late and lost replies cost: an hour of each case on a clock that jumps, in slots and values not read.

    python -m tests.faults.slots_lost

Four units on a line that has time to spare, polled every second unless the case says otherwise. A few of their
replies come late, whatever else is asked meanwhile, or do not come at all. Such a reply costs its own slot; what
a bus loses beyond that, it loses by waiting, or by what it asks while another reply is on its way.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.line_sweep import blocks
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.faults.tagged import Findings
from tests.support.loop import on_jumping_clock

UNITS = 4
HOUR_S = 3600.0
MANY_STARTS = tuple(201 * number for number in range(8))


def reads(count: int, registers: int = 2) -> tuple[tuple[int, int], ...]:
    """Return the blocks of so many reads of one length, too far apart to be joined."""
    return tuple((start, registers) for start in MANY_STARTS[:count])


@dataclass(frozen=True, slots=True)
class Case:
    """A bus and what becomes of its replies.

    Attributes:
        name: in words.
        blocks: of each sensor.
        late: fraction of replies that come between the two times of `late_s` late.
        late_s: the shortest and the longest.
        lost: fraction of requests that are not answered.
        retries: as in site.toml.
        every_s: from poll to poll.
        units: how many sensors, each of a unit.
        late_units: how many of them have late replies.
        keys: further lines of each sensor in site.toml.
    """

    name: str
    blocks: tuple[tuple[int, int], ...] = ((0, 2),)
    late: float = 0.0
    late_s: tuple[float, float] = (0.1, 4.0)
    lost: float = 0.0
    retries: int = 0
    every_s: float = 1.0
    units: int = UNITS
    late_units: int = 99
    keys: str = ""


@dataclass(slots=True)
class Outcome:
    """What an hour brought.

    Attributes:
        slots: of all sensors.
        unread: slots without a reading.
        values: share of the values that were had.
        skipped: slots in which a sensor was not asked.
        held: requests that were not sent.
        late_replies: replies that came after their time-out.
        late_readings: of these, such as were readings.
        timeouts: requests without a reply in time.
        collisions: transmissions that others spoilt.
        findings: of the audit.
    """

    slots: int
    unread: int
    values: float
    skipped: int
    held: int
    late_replies: int
    late_readings: int
    timeouts: int
    collisions: int
    findings: Findings


def cases() -> Sequence[Case]:
    """Return all cases."""
    found = []
    for retries in (0, 1):
        for late_s in ((0.1, 4.0), (0.5, 1.5)):
            for every_s in (1.0, 2.0, 10.0):
                if every_s > 1 and retries:
                    continue
                found.append(
                    Case(
                        f"2 % late by {late_s[0]:g}–{late_s[1]:g} s, {retries} retries, every {every_s:g} s",
                        late=0.02,
                        late_s=late_s,
                        retries=retries,
                        every_s=every_s,
                    )
                )
    for late_units in (9, 1):
        for late_s in ((0.1, 4.0), (0.5, 1.5)):
            found.append(
                Case(
                    f"full line, 2 % late by {late_s[0]:g}–{late_s[1]:g} s of {late_units} of 9",
                    late=0.02,
                    late_s=late_s,
                    every_s=0.47,
                    units=9,
                    late_units=late_units,
                )
            )
    shapes = {
        "two reads of one length": reads(2),
        "two rigid": reads(2),
        "six reads of one length": reads(6),
        "six rigid": reads(6),
        "eight reads of one length": reads(8),
        "three reads of three lengths": blocks(1, 2, 4),
    }
    for name, parts in shapes.items():
        every_s = 2.0 if len(parts) > 3 else 1.0
        keys = "limits = { max_registers = 2 }" if "rigid" in name else ""
        for retries in (0, 1):
            found.append(
                Case(
                    f"{name}, 5 % lost, {retries} retries",
                    parts,
                    lost=0.05,
                    retries=retries,
                    keys=keys,
                    every_s=every_s,
                )
            )
            found.append(
                Case(
                    f"{name}, 2 % late by 0.1–4 s, {retries} retries",
                    parts,
                    late=0.02,
                    retries=retries,
                    keys=keys,
                    every_s=every_s,
                )
            )
    found.append(Case("one read, 5 % lost, 0 retries", lost=0.05))
    found.append(Case("one read, 5 % lost, 1 retries", lost=0.05, retries=1))
    return found


@on_jumping_clock
async def _read(case: Case, seconds: float, seed: int, folder: Path, outcomes: list[Outcome]) -> None:
    sensors = [Sensor(unit, case.every_s, case.blocks, case.keys) for unit in range(1, case.units + 1)]
    reader = SimulatedReader(folder, "9600 8N1", sensors, keys=f"retries = {case.retries}", seed=seed)
    for unit in range(1, case.units + 1):
        faults = reader.wire.faults[unit]
        if unit <= case.late_units:
            faults.late, (faults.late_s, faults.latest_s) = case.late, case.late_s
        faults.silent = case.lost
    began = asyncio.get_running_loop().time()
    await reader.run(seconds)
    slots = int(case.units * seconds / case.every_s)
    rows = reader.status["sensors"].values()
    outcomes.append(
        Outcome(
            slots,
            slots - sum(reader.readings(number, began) for number in range(case.units)),
            reader.audit.findings.values / (slots * len(case.blocks)),
            sum(row["missed_slots"] for row in rows),
            sum(row["held"] for row in rows),
            sum(row["late_replies"] for row in rows),
            sum(row["late_readings"] for row in rows),
            sum(row["timeouts"] for row in rows),
            reader.wire.collisions,
            reader.audit.findings,
        )
    )


def outcome(case: Case, seconds: float = HOUR_S, seed: int = 1) -> Outcome:
    """Return what so many seconds of a case brought."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        _read(case, seconds, seed, Path(folder), outcomes)
    return outcomes[0]


def main(seconds: float, seed: int, only: str) -> bool:
    """Print a row for each case; return whether each value that arrived is what its source served then."""
    logging.disable()
    are_clean = True
    print(
        f"  {'case':<55} {'slots':>6} {'unread':>6} {'values':>7} {'skip':>5} {'held':>5} {'late':>5} {'read':>5} {'miss':>5} {'coll':>5}"
    )
    for case in cases():
        if only not in case.name:
            continue
        row = outcome(case, seconds, seed)
        are_clean &= row.findings.are_clean
        print(
            f"  {case.name:<55} {row.slots:>6} {row.unread:>6} {row.values:>7.3f} {row.skipped:>5} {row.held:>5} {row.late_replies:>5} {row.late_readings:>5} {row.timeouts:>5} {row.collisions:>5}"
            + ("" if row.findings.are_clean else f"  {row.findings}"),
            flush=True,
        )
    return are_clean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=HOUR_S, help="of virtual time, for each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases with this in their name")
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
