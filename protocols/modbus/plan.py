"""Plans the reads that fetch a set of registers in the least time on the wire.

A read costs its request, its reply, two gaps and the device's turn-around, whatever it brings; two octets
more for each register, a bit for each coil. So a hole between two registers is worth reading as long as it
is cheaper than another read: at 9600 baud about twenty registers, at 115200 more than a hundred.

A register that exceeds the limits by itself is a read by itself. The others are sorted by address. Some best
plan cuts that order into runs: of two reads that interleave, the one that reaches further can take over what
the other shares with it, at no cost. So the best plan of the first n registers is the best plan of the first
m < n and one read of the rest, over all m that leave a read within the limits: dynamic programming, in n ×
the registers of one read steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Table
from protocols.modbus.serial_line import RTU
from protocols.toolkit.polling import LineSettings

TURN_AROUND_S: Final = 0.020  # what a device takes to answer, where nothing better is known
_REQUEST_OCTETS: Final = 5  # of the PDU: function, start, quantity
_REPLY_OCTETS: Final = 2  # of the PDU without data: function, byte count
_ADDRESSES: Final = 0x10000


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Addresses that are read together: from `start` up to, not including, `end`."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        """Return whether the two spans have an address in common."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"{self.start}" if self.end == self.start + 1 else f"{self.start}–{self.end - 1}"


@dataclass(frozen=True, slots=True)
class Read:
    """One read request.

    Attributes:
        table: the table that is read.
        wanted: the spans that sensors need, sorted; never empty.
        padded: all addresses of the request, if it begins before the first of these spans or ends after the
            last.
    """

    table: Table
    wanted: tuple[Span, ...]
    padded: Span | None = None

    @property
    def span(self) -> Span:
        """Return the addresses of the request, holes included."""
        return self.padded or _around(self.wanted)

    @property
    def holes(self) -> tuple[Span, ...]:
        """Return the addresses between the spans that no sensor needs."""
        holes = []
        end = self.wanted[0].end
        for span in self.wanted[1:]:
            if span.start > end:
                holes.append(Span(end, span.start))
            end = max(end, span.end)
        return tuple(holes)

    def __str__(self) -> str:
        return f"{self.table.plural} {self.span}"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a device.

    Attributes:
        max_registers, max_bits: in one read.
        min_registers: in one read; a shorter one is filled up with addresses beside it.
        forbidden: addresses that no read may touch, even as a hole.
        cuts: addresses before which a read must end: (table, address).
    """

    max_registers: int = pdu.MAX_REGISTERS
    max_bits: int = pdu.MAX_BITS
    min_registers: int = 1
    forbidden: frozenset[tuple[Table, Span]] = frozenset()
    cuts: frozenset[tuple[Table, int]] = field(default=frozenset())

    def read(self, table: Table, spans: Sequence[Span]) -> Read:
        """Return the one read that brings these spans, within the limits of the device or not."""
        span = _around(spans)
        padded_span = self.padded(table, span)
        return Read(table, tuple(spans), None if padded_span == span else padded_span)

    def padded(self, table: Table, span: Span) -> Span | None:
        """Return the addresses of a request that brings a span; None if the device does not support it."""
        min_quantity = self._min_quantity(table)
        shortage = max(0, min_quantity - (span.end - span.start))
        for before in range(shortage + 1):
            start, end = span.start - before, span.end + shortage - before
            if start >= 0 and end <= _ADDRESSES and self._supports(table, start, end):
                return Span(start, end)
        return None

    def _min_quantity(self, table: Table) -> int:
        return 1 if table.of_bits else self.min_registers

    def _supports(self, table: Table, start: int, end: int) -> bool:
        return (
            end - start <= self.quantity(table)
            and not any(
                where is table and hole.start < end and start < hole.end for where, hole in self.forbidden
            )
            and not any(where is table and start < cut < end for where, cut in self.cuts)
        )

    def of(self, table: Table) -> Limits:
        """Return the limits that concern a table."""
        return replace(
            self,
            forbidden=frozenset(place for place in self.forbidden if place[0] is table),
            cuts=frozenset(place for place in self.cuts if place[0] is table),
        )

    def quantity(self, table: Table) -> int:
        """Return the largest quantity of one read of this table."""
        return self.max_bits if table.of_bits else self.max_registers


@dataclass(frozen=True, slots=True)
class Cost:
    """The time that a read takes on a line, in character times.

    Attributes:
        of_read: the time of a read without its data.
        per_octet: the time for each octet of data.
    """

    of_read: float
    per_octet: int = 1

    @classmethod
    def on(cls, line: LineSettings, carrier: Carrier = RTU, turn_around_s: float = TURN_AROUND_S) -> Cost:
        """Return the cost on a line.

        Args:
            line: the line settings.
            carrier: the transmission mode.
            turn_around_s: the time that the device takes to answer, in seconds.
        """
        silence_s = 2 * line.frame_gap_s + turn_around_s
        octets = carrier.octets(_REQUEST_OCTETS) + carrier.octets(_REPLY_OCTETS)
        return cls(octets + silence_s / line.duration_s(1), carrier.per_octet)

    def __call__(self, table: Table, quantity: int) -> float:
        """Return the time of a read of `quantity` registers or bits, in character times."""
        octets = pdu.octets_of_bits(quantity) if table.of_bits else pdu.octets_of_registers(quantity)
        return self.of_read + self.per_octet * octets


def plan(places: Iterable[tuple[Table, Span]], limits: Limits, cost: Cost) -> list[Read]:
    """Return the reads of least cost that bring these places, table by table, by address.

    A span is never split: its words are read in one request. One that exceeds a limit by itself is a read by
    itself.
    """
    spans: dict[Table, set[Span]] = {}
    for table, span in places:
        spans.setdefault(table, set()).add(span)
    return [
        read for table in Table if table in spans for read in _plan(table, sorted(spans[table]), limits, cost)
    ]


def _plan(table: Table, spans: Sequence[Span], limits: Limits, cost: Cost) -> list[Read]:
    limits = limits.of(table)
    beyond_limits = [span for span in spans if limits.padded(table, span) is None]
    joinable = [span for span in spans if span not in beyond_limits] if beyond_limits else spans
    reads = [limits.read(table, (span,)) for span in beyond_limits]
    return sorted([*reads, *_join(table, joinable, limits, cost)], key=lambda read: read.span)


def _join(table: Table, spans: Sequence[Span], limits: Limits, cost: Cost) -> list[Read]:
    """Return the reads of least cost for spans that the device supports at least one by one."""
    best: list[tuple[float, int]] = [(0.0, 0)]  # of the first n spans: cost, and where its last read begins
    for n in range(1, len(spans) + 1):
        end = spans[n - 1].end
        least_cost = math.inf, n - 1
        for m in range(n - 1, -1, -1):
            end = max(end, spans[m].end)
            request_span = limits.padded(table, Span(spans[m].start, end))
            if request_span is None:
                break
            least_cost = min(least_cost, (best[m][0] + cost(table, request_span.end - request_span.start), m))
        best.append(least_cost)
    reads: list[Read] = []
    n = len(spans)
    while n:
        m = best[n][1]
        reads.append(limits.read(table, spans[m:n]))
        n = m
    return reads


def _around(spans: Sequence[Span]) -> Span:
    return Span(spans[0].start, max(span.end for span in spans))
