"""Random sets of secondary addresses: whether the search finds all of them, and with how many requests.

    python -m tests.faults.mbus_search --sets 10000

Beside ours stands the search that libmbus publishes (`mbus_scan_2nd_address_range`), re-implemented from its
description to count: every digit from the first to the last, each from 0 to 9, one place further after a
collision. Both meet the same meters: where several answer at once, their acknowledgements are garbled, or
fall on each other so exactly that they look like one.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from protocols.mbus.secondary import Secondary, build
from protocols.mbus.secondary_search import MAKERS, Answer, Nobody, One, Selection, Several, walk

EXACT_SHARE = 0.5  # of the collisions, whose acknowledgements look like one
MEDIA = (2, 3, 4, 4, 4, 6, 7, 7, 0x37)


@dataclass
class Line:
    """Meters on a line, and what was asked of them.

    Attributes:
        meters: the addresses of the meters.
        chance: decides how acknowledgements fall on each other.
        requests: how many requests there were.
    """

    meters: Sequence[Secondary]
    chance: random.Random
    requests: int = 0
    answered: list[Secondary] = field(default_factory=list)

    def select(self, selection: Selection) -> Answer:
        """Select by a pattern, and request the data of whoever acknowledged, but for a census."""
        selected = [meter for meter in self.meters if selection.pattern.covers(meter)]
        if selection.is_census:
            self.requests += 1
            return Several() if selected else Nobody()
        return self._answer(selected)

    def select_masked(self, mask: str) -> Answer:
        """The same by the sixteen digits of a mask: those of the address as they are written, F for any."""
        pattern = re.compile(mask.replace("f", "."))
        return self._answer([meter for meter in self.meters if pattern.fullmatch(masked(meter))])

    def _answer(self, selected: Sequence[Secondary]) -> Answer:
        self.requests += 1
        if not selected:
            return Nobody()
        if len(selected) > 1 and self.chance.random() >= EXACT_SHARE:
            return Several()
        self.requests += 1  # the data
        if len(selected) > 1:
            return Several()
        self.answered.append(selected[0])
        return One(selected[0])


@cache
def masked(meter: Secondary) -> str:
    """Return the sixteen digits of an address: id, manufacturer, version, medium."""
    octets = build(meter)
    return octets[3::-1].hex() + octets[4:].hex()


def ours(line: Line) -> Sequence[Secondary]:
    """Search; return the patterns that nothing divides."""
    search = walk()
    try:
        selection = next(search)
        while True:
            selection = search.send(line.select(selection))
    except StopIteration as over:
        return over.value or ()


def libmbus(line: Line, mask: str = "f" * 16, place: int = 0) -> None:
    """Search as libmbus does."""
    if place > 15:
        return
    for digit in "0123456789":
        tried = mask[:place] + digit + mask[place + 1 :]
        if isinstance(line.select_masked(tried), Several):
            libmbus(line, tried, place + 1)


def random_set(chance: random.Random) -> tuple[str, list[Secondary]]:
    """A set of 1–30 meters, no two alike, and how its numbers were drawn."""
    count = chance.randint(1, 30)
    kind = chance.choice(("any numbers", "one box", "two boxes", "numbers twice"))
    first = chance.randrange(10**8 - 200)
    if kind == "any numbers":
        numbers = chance.sample(range(10**8), count)
    elif kind == "one box":
        numbers = list(range(first, first + count))
    elif kind == "two boxes":
        other = chance.randrange(10**8 - 200)
        numbers = [*range(first, first + count // 2), *range(other, other + count - count // 2)]
    else:
        numbers = [chance.randrange(first, first + max(1, count * 2 // 3)) for _ in range(count)]
    maker = chance.choice(MAKERS)
    meters: dict[Secondary, None] = {}
    for number in numbers:
        while True:
            meter = Secondary(f"{number:08}", maker, chance.randrange(1, 90), chance.choice(MEDIA))
            if meter not in meters:
                break
        meters[meter] = None
    return kind, list(meters)


@dataclass
class Row:
    """What one kind of sets brought."""

    sets: int = 0
    meters: int = 0
    missed: int = 0
    requests: int = 0
    libmbus_missed: int = 0
    libmbus_requests: int = 0


def outcomes(sets: int, seed: int) -> Iterator[tuple[str, list[Secondary], Line, Line]]:
    """Yield for each set its kind, its meters, and the line after each of the two searches."""
    for number in range(sets):
        chance = random.Random(f"{seed}/{number}")
        kind, meters = random_set(chance)
        ours_line, libmbus_line = (Line(meters, random.Random(number)) for _ in range(2))
        ours(ours_line)
        libmbus(libmbus_line)
        yield kind, meters, ours_line, libmbus_line


def main(sets: int, seed: int) -> bool:
    """Print a row for each kind of sets; return whether every meter was found."""
    began = time.monotonic()
    rows: defaultdict[str, Row] = defaultdict(Row)
    for kind, meters, ours_line, libmbus_line in outcomes(sets, seed):
        for row in (rows[kind], rows["all"]):
            row.sets += 1
            row.meters += len(meters)
            row.missed += len(set(meters) - set(ours_line.answered))
            row.requests += ours_line.requests
            row.libmbus_missed += len(set(meters) - set(libmbus_line.answered))
            row.libmbus_requests += libmbus_line.requests
    titles = ("sets", "number", "meters", "missed", "requests", "of libmbus: missed", "requests")
    widths = (14, 7, 8, 7, 10, 20, 9)
    print("  " + " ".join(map(str.rjust, titles, widths)))
    for kind in (*sorted(rows.keys() - {"all"}), "all"):
        row = rows[kind]
        print(
            f"  {kind:>14} {row.sets:>7} {row.meters:>8} {row.missed:>7} {row.requests:>10} "
            f"{row.libmbus_missed:>20} {row.libmbus_requests:>9}"
        )
    print(f"  seed {seed}, {time.monotonic() - began:.0f} s")
    return rows["all"].missed == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.sets, arguments.seed) else 1)
