"""Reads of one unit whose replies can be told apart, where the unit's limits allow. Pure.

Only function and length tell the reply to one read from that to another. When a reply is lost, it may still
come, so no other read of that length is asked for until it cannot come any more: on a line that loses one
reply in a hundred, a unit of five reads of one register would be without values half of the time. So of reads
of one length, some ask for a few registers more, which nobody wants: behind what is wanted, or before it.

    wanted   40 | 60 | 80        one register each
    asked    40 | 60–61 | 80–82

That costs two octets for a register and no request. A unit may not stand the registers added, as it may not
stand a hole: see `knowledge` for what is learned then. Bits are left as they are: an octet holds eight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from protocols.modbus.plan import Limits, Read
from protocols.modbus.registers import Table

MOST_ADDED: Final = 4  # registers of one read, so that its reply takes eight octets more at the most

Length = tuple[Table, int]  # how much a read asks for from which table


def length_of(read: Read) -> Length:
    """Return what tells the reply to a read from others of its unit."""
    return read.table, read.span.end - read.span.start


def told_apart(reads: Sequence[Read], limits: Limits, taken: Mapping[Length, int]) -> list[Read]:
    """Return the same reads in the same order, some of them longer, so that few have one length.

    Args:
        reads: of one unit.
        limits: what it does not stand.
        taken: how many reads of other sensors of this unit have which length.
    """
    uses = Counter(taken)
    alike: list[int] = []
    asked = list(reads)
    rigid_first = sorted(range(len(asked)), key=lambda place: len(_longer(asked[place], limits)))
    for place in rigid_first:
        if uses[length_of(asked[place])]:
            alike.append(place)
        else:
            uses[length_of(asked[place])] += 1
    for place in alike:
        choices = [asked[place], *_longer(asked[place], limits)]
        asked[place] = min(choices, key=lambda read: uses[length_of(read)])
        uses[length_of(asked[place])] += 1
    return asked


def counted(reads: Iterable[Read]) -> Counter[Length]:
    """Return how many reads have which length."""
    return Counter(map(length_of, reads))


def _longer(read: Read, limits: Limits) -> list[Read]:
    """Return the reads that bring the same with 1, 2 … registers more, as far as the unit stands that."""
    if read.table.of_bits:
        return []
    table, length = length_of(read)
    longer = []
    for more in range(1, MOST_ADDED + 1):
        padded = replace(limits, min_registers=length + more).padded(table, read.span)
        if padded is not None:
            longer.append(replace(read, padded=padded))
    return longer
