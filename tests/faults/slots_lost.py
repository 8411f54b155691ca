"""What late and lost replies cost: an hour of each case on a clock that jumps, in values that were not had.

    python -m tests.faults.slots_lost

A few of the replies come late, whatever else is asked meanwhile, or do not come at all. Such a reply costs
its own values at most; what a bus loses beyond that, it loses by waiting, or by what it asks while another
reply is on its way: replies that meet on the wire are damaged.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.line_sweep import blocks
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.faults.tagged import Findings
from tests.support.loop import on_jumping_clock

HOUR_S = 3600.0
LATE_S = ((0.1, 4.0), (0.5, 1.5))
NO_LONGER_READS = "limits = { max_registers = 2 }"  # so reads of two registers cannot be told apart


def alike(count: int) -> tuple[tuple[int, int], ...]:
    """Return the blocks of so many reads of one length, too far apart to be joined."""
    return tuple((201 * number, 2) for number in range(count))


@dataclass(frozen=True, slots=True)
class Case:
    """A bus, and what becomes of its replies.

    Attributes:
        blocks: of each sensor.
        late: fraction of replies that come between the two times of `late_s` late.
        late_s: the shortest and the longest.
        lost: fraction of requests that are not answered.
        retries: as in site.toml.
        every_s: from poll to poll.
        units: how many sensors there are, each of a unit,
        troubled: and of how many of them replies are late or lost.
        keys: further lines of each sensor in site.toml.
    """

    blocks: tuple[tuple[int, int], ...] = alike(1)
    late: float = 0.0
    late_s: tuple[float, float] = LATE_S[0]
    lost: float = 0.0
    retries: int = 0
    every_s: float = 1.0
    units: int = 4
    troubled: int = 4
    keys: str = ""

    def __str__(self) -> str:
        is_alike = len({count for _, count in self.blocks}) == 1
        reads = f"{len(self.blocks)} reads" + ("" if is_alike else " of all lengths")
        late = f", {self.late:.0%} {self.late_s[0]:g}–{self.late_s[1]:g} s late" if self.late else ""
        lost = f", {self.lost:.0%} lost" if self.lost else ""
        return (
            f"{self.troubled} of {self.units} units, every {self.every_s:g} s, {reads}"
            f"{', no longer' if self.keys else ''}{late}{lost}, {self.retries} retries"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case brought.

    Attributes:
        expected: values, if each slot of each sensor brings all of its values.
        skipped: slots in which a sensor was not asked.
        held: requests that were not sent.
        collisions: transmissions that others spoilt.
        findings: of the audit.
    """

    expected: int
    skipped: int
    held: int
    collisions: int
    findings: Findings

    @property
    def lost(self) -> int:
        """Return how many values were not had."""
        return self.expected - self.findings.values

    @property
    def share(self) -> float:
        """Return the share of the values that were had."""
        return self.findings.values / self.expected


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for retries, late_s in itertools.product((0, 1), LATE_S):
        yield Case(late=0.02, late_s=late_s, retries=retries)
    for every_s, late_s in itertools.product((2.0, 10.0), LATE_S):
        yield Case(late=0.02, late_s=late_s, every_s=every_s)
    for troubled, late_s in itertools.product((9, 1), LATE_S):  # a full line
        yield Case(late=0.02, late_s=late_s, every_s=0.47, units=9, troubled=troubled)
    shapes = (
        Case(),
        Case(alike(2)),
        Case(alike(6), every_s=2.0),
        Case(alike(8), every_s=2.0),
        Case(blocks(1, 2, 4)),
        Case(alike(2), keys=NO_LONGER_READS),
        Case(alike(6), every_s=2.0, keys=NO_LONGER_READS),
    )
    for shape, retries in itertools.product(shapes, (0, 1)):
        yield replace(shape, lost=0.05, retries=retries)
        if len(shape.blocks) > 1:
            yield replace(shape, late=0.02, retries=retries)


@on_jumping_clock
async def _read(case: Case, seconds: float, seed: int, folder: Path, outcomes: list[Outcome]) -> None:
    units = range(1, case.units + 1)
    sensors = [Sensor(unit, case.every_s, case.blocks, case.keys) for unit in units]
    reader = SimulatedReader(folder, "9600 8N1", sensors, keys=f"retries = {case.retries}", seed=seed)
    for unit in units[: case.troubled]:
        faults = reader.wire.faults[unit]
        faults.late, (faults.late_s, faults.latest_s), faults.silent = case.late, case.late_s, case.lost
    await reader.run(seconds)
    rows = reader.status["sensors"].values()
    outcomes.append(
        Outcome(
            int(case.units * seconds / case.every_s) * len(case.blocks),
            sum(row["missed_slots"] for row in rows),
            sum(row["held"] for row in rows),
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
    print(f"  {'expected':>8} {'lost':>6} {'share':>6} {'skipped':>7} {'held':>6} {'collisions':>10}  case")
    for case in cases():
        if only not in str(case):
            continue
        row = outcome(case, seconds, seed)
        are_clean &= row.findings.are_clean
        wrong = "" if row.findings.are_clean else f": {row.findings}"
        counts = f"{row.expected:>8} {row.lost:>6} {row.share:>6.3f} {row.skipped:>7} {row.held:>6}"
        print(f"  {counts} {row.collisions:>10}  {case}{wrong}", flush=True)
    return are_clean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=HOUR_S, help="of virtual time, for each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases with this in their row")
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
