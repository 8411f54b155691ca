"""Stalls × queues × shapes × rhythms: a million values on a clock that jumps, each held against its source.

    python -m tests.faults.line_sweep --values 1000000

A device, or a converter before the line, falls silent for 0.2–8 s at one request in twenty, keeps one to four
requests, and answers them afterwards: late replies meet requests that look like theirs.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bridge.simulator.field.device_faults import Stall
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.faults.tagged import Findings
from tests.support.loop import on_jumping_clock

STALLS = ((0.2, 0.2), (0.5, 0.5), (1.0, 1.0), (1.7, 1.7), (2.5, 2.5), (4.0, 4.0), (8.0, 8.0), (0.2, 8.0))
DEPTHS = (1, 2, 3, 4)
STARTS = (0, 201, 402, 603, 804)  # too far apart to be read together; no two alike modulo 32
STALL_SHARE = 0.05
LONGEST_S = 4 * 3600.0  # of the virtual time of one case


class Rhythm(NamedTuple):
    """How a bus is asked: line settings, seconds from poll to poll, retries, configured time-out."""

    line: str
    every_s: float
    retries: int
    reply_timeout: str


RHYTHMS = (
    Rhythm("9600 8N1", 1.0, 1, "500ms"),
    Rhythm("115200 8N1", 0.2, 0, "100ms"),
    Rhythm("19200 8E1", 5.0, 3, "1s"),
)


def blocks(*counts: int) -> tuple[tuple[int, int], ...]:
    """Return blocks of so many registers, each a read of its own."""
    return tuple(zip(STARTS, counts, strict=False))


def shapes(every_s: float) -> dict[str, list[Sensor]]:
    """Return the sensors of each shape, by its name."""
    one, two = blocks(1, 1, 1, 1, 1), blocks(2, 2, 2)
    return {
        "five reads of one length": [Sensor(1, every_s, one)],
        "reads of two lengths": [Sensor(1, every_s, blocks(1, 2, 1, 2))],
        "reads of all lengths": [Sensor(1, every_s, blocks(1, 2, 4))],
        "two sensors, one unit, one rhythm": [Sensor(1, every_s, two[:2]), Sensor(1, every_s, two[2:])],
        "two sensors, one unit, two rhythms": [
            Sensor(1, every_s, one[:2]),
            Sensor(1, 1.7 * every_s, one[2:]),
        ],
        "three units": [Sensor(unit, every_s, one[:2]) for unit in (1, 2, 3)],
    }


@dataclass(frozen=True, slots=True)
class Case:
    """One combination.

    Attributes:
        shape: its name.
        rhythm: how the bus is asked.
        stall: of each device, or of the converter.
        has_converter: whether the converter stalls.
    """

    shape: str
    rhythm: Rhythm
    stall: Stall
    has_converter: bool

    def __str__(self) -> str:
        stall, where = self.stall, "converter" if self.has_converter else "devices"
        return (
            f"{self.shape}, {self.rhythm.line}, every {self.rhythm.every_s:g} s, "
            f"{self.rhythm.retries} retries, {where} stall "
            f"{stall.shortest_s:g}–{stall.longest_s:g} s with {stall.depth} queued"
        )


def cases() -> Iterator[Case]:
    """Yield all combinations."""
    for rhythm, has_converter, depth, (shortest_s, longest_s) in itertools.product(
        RHYTHMS, (False, True), DEPTHS, STALLS
    ):
        for shape in shapes(1.0):
            yield Case(shape, rhythm, Stall(STALL_SHARE, shortest_s, longest_s, depth), has_converter)


@on_jumping_clock
async def _read(case: Case, values: int, seed: int, folder: Path, findings: list[Findings]) -> None:
    rhythm = case.rhythm
    keys = f'retries = {rhythm.retries}\nreply_timeout = "{rhythm.reply_timeout}"'
    reader = SimulatedReader(folder, rhythm.line, shapes(rhythm.every_s)[case.shape], keys=keys, seed=seed)
    if case.has_converter:
        reader.wire.line_faults.converter = case.stall
    else:
        for unit in reader.wire.units:
            reader.wire.faults[unit].stall = case.stall
    await reader.run_until(values, LONGEST_S)
    findings.append(reader.audit.findings)


def outcome(case: Case, values: int, seed: int) -> Findings:
    """Return what was found while a case was read until so many values had arrived."""
    findings: list[Findings] = []
    with tempfile.TemporaryDirectory() as folder:
        _read(case, values, seed, Path(folder), findings)
    return findings[0]


def main(values: int, seed: int) -> bool:
    """Print each case with a wrong value, a row for each shape and stall, and the sum.

    Returns:
        Whether each value that arrived is what its source served then.
    """
    logging.disable()
    began = time.monotonic()
    grid = list(cases())
    total = Findings()
    rows: defaultdict[tuple[str, str], Findings] = defaultdict(Findings)
    for number, case in enumerate(grid):
        findings = outcome(case, max(1, -(-values // len(grid))), seed + number)
        total += findings
        rows[case.shape, f"{case.stall.shortest_s:g}–{case.stall.longest_s:g} s"] += findings
        if not findings.are_clean:
            print(f"  seed {seed + number}: {case}: {findings}", flush=True)
    print(
        f"\n  {'shape':<36} {'stall':>10} {'served':>9} {'values':>9} {'key':>6} {'sensor':>6} {'stale':>6}"
    )
    for (shape, stall), row in rows.items():
        counts = f"{row.wrong_key:>6} {row.wrong_sensor:>6} {row.stale:>6}"
        print(f"  {shape:<36} {stall:>10} {row.served:>9} {row.values:>9} {counts}")
    wrong = total.wrong_key + total.wrong_sensor
    print(
        f"\n  {len(grid)} cases, seed {seed}, {time.monotonic() - began:.0f} s: served {total.served}, "
        f"{total.values} values, {wrong} under a wrong key or sensor, {total.stale} stale"
    )
    return total.are_clean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000, help="of all cases together")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
