"""Reads of one unit whose replies can be told apart, where the unit's limits allow. Pure.

Only function and length tell the reply to one read from that to another. When a reply is lost, it may still
come, so no other read of that length is asked for until it cannot come any more: on a line that loses one
reply in a hundred, a unit of five reads of one register would be without values half of the time. So of reads
of one length, some ask for a few registers more, which no sensor needs: behind those needed, or before them.

    needed    40 | 60 | 80        one register each
    planned   40 | 60–61 | 80–82

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

MOST_ADDED: Final = 9  # registers of one read, so that ten of one length are told apart

Length = tuple[Table, int]  # how much a read asks for from which table


def length_of(read: Read) -> Length:
    """Return the table and the quantity of a read: what tells its reply from others of the same unit."""
    return read.table, read.span.end - read.span.start


def vary_lengths(reads: Sequence[Read], limits: Limits, lengths_in_use: Mapping[Length, int]) -> list[Read]:
    """Return the same reads in the same order, some of them longer, so that few have one length.

    Args:
        reads: the planned reads of one unit.
        limits: the limits of that unit; no read is made longer than they allow.
        lengths_in_use: the number of reads of each length that other sensors of this unit need.
    """
    uses = Counter(lengths_in_use)
    alike: list[int] = []
    varied_reads = list(reads)
    rigid_first = sorted(
        range(len(varied_reads)), key=lambda place: len(_longer(varied_reads[place], limits))
    )
    for place in rigid_first:
        if uses[length_of(varied_reads[place])]:
            alike.append(place)
        else:
            uses[length_of(varied_reads[place])] += 1
    for place in alike:
        choices = [varied_reads[place], *_longer(varied_reads[place], limits)]
        varied_reads[place] = min(choices, key=lambda read: uses[length_of(read)])
        uses[length_of(varied_reads[place])] += 1
    return varied_reads


def count_lengths(reads: Iterable[Read]) -> Counter[Length]:
    """Return the number of reads of each length."""
    return Counter(map(length_of, reads))


def _longer(read: Read, limits: Limits) -> list[Read]:
    """Return the same read with 1, 2 … registers added, as far as the limits of the unit allow."""
    if read.table.of_bits:
        return []
    table, length = length_of(read)
    longer_reads = []
    for added in range(1, MOST_ADDED + 1):
        padded_span = replace(limits, min_registers=length + added).padded(table, read.span)
        if padded_span is not None:
            longer_reads.append(replace(read, padded=padded_span))
    return longer_reads
