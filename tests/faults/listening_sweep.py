"""Shares of faults × shapes × speeds of a foreign master's line, listened to: each value against its source.

    python -m tests.faults.listening_sweep --frames 5000 --seeds 3

Every register holds a number that no other holds (`tests.protocols.modbus.foreign_master`): a value under a
wrong key shows, whichever fault made it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from protocols.toolkit.polling import LineSettings
from tests.protocols.modbus.foreign_master import Line, Shares, content
from tests.protocols.modbus.test_overhearing import events, overhearer

BAUDRATES = (9600, 19200, 115200)
UNITS = (1, 12)
SHAPES = {
    "one block": ((0, 10),),
    "blocks of one length": ((0, 10), (20, 10)),
    "blocks of all lengths": ((0, 10), (20, 9), (40, 4), (60, 7)),
    "usual": Line(LineSettings(9600), 0).blocks,
    "next to each other": ((0, 5), (5, 5), (20, 5), (25, 5)),
}
FAULTS = {
    "usual": Shares(),
    "noise": replace(Shares(), noise=0.2),
    "cut": replace(Shares(), cut=0.1),
    "collisions": replace(Shares(), collision=0.1),
    "late": replace(Shares(), late=0.15),
    "lost": replace(Shares(), lost=0.15),
    "writes": replace(Shares(), write=0.2, mask=0.1, read_write=0.2),
    "all": Shares(0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.1, 0.05, 0.1),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One combination; `shape` and `faults` by their names."""

    shape: str
    faults: str
    units: int
    baudrate: int


@dataclass(slots=True)
class Findings:
    """What was overheard.

    Attributes:
        replies: how many were whole on the wire while their master waited.
        pairs: how many requests were paired with a reply.
        values: how many were heard.
        wrong: how many of them were not those of their register.
    """

    replies: int = 0
    pairs: int = 0
    values: int = 0
    wrong: int = 0

    def add(self, other: Findings) -> None:
        """Add those of another case."""
        self.replies += other.replies
        self.pairs += other.pairs
        self.values += other.values
        self.wrong += other.wrong


def cases() -> Iterator[Case]:
    """Yield every combination."""
    for combination in itertools.product(SHAPES, FAULTS, UNITS, BAUDRATES):
        yield Case(*combination)


def outcome(case: Case, frames: int, seed: int) -> Findings:
    """Return what is overheard of so many frames."""
    line = Line(LineSettings(case.baudrate), seed, FAULTS[case.faults], case.units, SHAPES[case.shape])
    own, findings = overhearer(line.units), Findings()
    for event, start_s, end_s in events(line, frames, seed):
        for one in own.hear(event, start_s, end_s):
            findings.values += len(one.values)
            findings.wrong += sum(
                value != content(one.sensor + 1, int(name.removeprefix("r")))
                for name, value in one.values.items()
            )
    findings.replies, findings.pairs = line.replies, own.pairing.pairs
    return findings


def main() -> int:
    """Sweep; print a line for each kind of fault; return 1 if a value was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000, help="of each case")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    totals = {name: Findings() for name in FAULTS}
    for case, seed in itertools.product(cases(), range(arguments.seeds)):
        findings = outcome(case, arguments.frames, seed)
        totals[case.faults].add(findings)
        if findings.wrong:
            print(f"{case}, seed {seed}: {findings.wrong} wrong of {findings.values}", flush=True)
    for name, total in totals.items():
        share = 100 * total.pairs / total.replies
        print(f"{name:<12} {total.values:>10} values, {total.wrong} wrong, {share:.1f} % of replies paired")
    return int(any(total.wrong for total in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
