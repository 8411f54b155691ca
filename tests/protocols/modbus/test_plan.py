"""The plan is the best there is: compared with every other one, for small maps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.modbus.plan import Cost, Limits, Read, Span, plan
from protocols.modbus.registers import Table
from protocols.toolkit.polling import LineSettings

HOLDING = Table.HOLDING
AT_9600 = Cost.on(LineSettings.parse("9600 8N1"))
AT_115200 = Cost.on(LineSettings.parse("115200 8N1"))

spans = st.builds(
    lambda start, words: Span(start, start + words), st.integers(0, 60), st.sampled_from([1, 2, 4])
)
forbidden = st.builds(lambda start, words: Span(start, start + words), st.integers(0, 60), st.integers(1, 6))


def reads(wanted: list[Span], limits: Limits, cost: Cost = AT_9600, table: Table = HOLDING) -> list[Read]:
    return plan([(table, span) for span in wanted], limits, cost)


def shown(found: list[Read]) -> list[str]:
    return [str(read.span) for read in found]


def partitions(items: list[Span]) -> Iterator[list[list[Span]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for others in partitions(rest):
        yield [[first], *others]
        for at in range(len(others)):
            yield [*others[:at], [first, *others[at]], *others[at + 1 :]]


def total(found: list[Read], cost: Cost) -> float:
    return sum(cost(read.table, read.span.end - read.span.start) for read in found)


def stands(read: Read, limits: Limits) -> bool:
    """A read of several values keeps to the limits; one alone is not to be helped."""
    span = read.span
    return len(read.wanted) == 1 or (
        span.end - span.start <= limits.quantity(read.table)
        and not any(span.overlaps(other) for _, other in limits.forbidden)
        and not any(span.start < cut < span.end for _, cut in limits.cuts)
    )


@settings(deadline=None)
@given(
    st.sets(spans, min_size=1, max_size=6),
    st.integers(4, 40),
    st.sets(forbidden, max_size=2),
    st.sets(st.integers(0, 60), max_size=2),
    st.sampled_from([AT_9600, AT_115200, Cost(3.0)]),
)
def test_no_other_plan_takes_less_time(
    wanted: set[Span], most: int, holes: set[Span], cuts: set[int], cost: Cost
) -> None:
    limits = Limits(
        max_registers=most,
        forbidden=frozenset((HOLDING, hole) for hole in holes),
        cuts=frozenset((HOLDING, cut) for cut in cuts),
    )
    found = reads(sorted(wanted), limits, cost)
    assert all(stands(read, limits) for read in found)
    assert sorted(span for read in found for span in read.wanted) == sorted(wanted)
    others = (
        [Read(HOLDING, tuple(sorted(group))) for group in groups] for groups in partitions(sorted(wanted))
    )
    best = min(total(other, cost) for other in others if all(stands(read, limits) for read in other))
    assert total(found, cost) == pytest.approx(best)


def test_ten_adjacent_registers_are_one_request() -> None:
    assert shown(reads([Span(n, n + 1) for n in range(10)], Limits())) == ["0–9"]


def test_a_hole_is_read_while_that_is_cheaper_than_another_request() -> None:
    wanted = [Span(0, 1), Span(15, 16), Span(60, 61)]
    assert shown(reads(wanted, Limits())) == ["0–15", "60"]
    assert shown(reads(wanted, Limits(), AT_115200)) == ["0–60"]


def test_a_value_of_several_registers_is_never_split() -> None:
    wanted = [Span(2 * n, 2 * n + 2) for n in range(70)]
    found = reads(wanted, Limits())
    assert len(found) == 2
    assert all(read.span.end - read.span.start <= 125 for read in found)
    assert {span for read in found for span in read.wanted} == set(wanted)


def test_eight_coils_are_one_octet_and_2000_the_most_of_a_read() -> None:
    assert AT_9600(Table.COIL, 8) - AT_9600.of_read == 1
    assert Limits().quantity(Table.COIL) == 2000
    far = [Span(0, 1), Span(1999, 2000), Span(2000, 2001)]
    assert shown(reads(far, Limits(), AT_115200, Table.COIL)) == ["0", "1999–2000"]
    assert shown(reads(far, Limits(), Cost(1000), Table.COIL)) == ["0", "1999–2000"]
    assert shown(reads(far[:2], Limits(), Cost(1000), Table.COIL)) == ["0–1999"]


def test_tables_are_read_apart() -> None:
    found = plan([(Table.INPUT, Span(0, 1)), (HOLDING, Span(0, 1))], Limits(), AT_9600)
    assert [str(read) for read in found] == ["input registers 0", "holding registers 0"]


def test_what_lies_between_is_a_hole() -> None:
    read = Read(HOLDING, (Span(0, 2), Span(1, 2), Span(5, 6), Span(6, 7), Span(9, 10)))
    assert read.holes == (Span(2, 5), Span(7, 9))
