"""A late or lost reply costs its own values and few others; none arrives under another key."""

from __future__ import annotations

import pytest

from tests.faults.slots_lost import LATE_S, NO_LONGER_READS, Case, alike, cases, outcome
from tests.faults.slots_lost import blocks as reads_of

SECONDS = 900.0


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("late_s", LATE_S)
def test_of_the_values_that_come_late_half_are_had_and_no_others_lost(
    late_s: tuple[float, float], retries: int
) -> None:
    case = Case(late=0.02, late_s=late_s, retries=retries)
    result = outcome(case, SECONDS)
    assert result.lost <= 0.5 * case.late * result.expected
    assert result.findings.are_clean


@pytest.mark.parametrize(
    ("case", "least_share"),
    [
        (Case(alike(2), late=0.02), 0.88),
        (Case(alike(6), late=0.02, every_s=2.0), 0.91),
        (Case(alike(2), lost=0.05, retries=1), 0.965),
        (Case(alike(6), lost=0.05, every_s=2.0, retries=1), 0.965),
        (Case(reads_of(1, 2, 4), late=0.02), 0.95),
        (Case(late=0.02, every_s=0.47, units=9, troubled=9), 0.92),
    ],
    ids=str,
)
def test_several_reads_and_a_full_line_go_on_though_replies_are_late(case: Case, least_share: float) -> None:
    result = outcome(case, 600.0)
    assert result.share >= least_share
    assert result.findings.are_clean


@pytest.mark.parametrize("late_s", [(1.0, 1.0), (1.005, 1.005)])
def test_a_device_that_is_one_poll_late_is_believed_under_no_other_key(late_s: tuple[float, float]) -> None:
    """Each reply comes when the one after it is awaited."""
    case = Case(alike(2), late=1.0, late_s=late_s, units=2, troubled=1, keys=NO_LONGER_READS)
    assert outcome(case, 400.0).findings.are_clean


def test_every_case_is_measured_once() -> None:
    names = [str(case) for case in cases()]
    assert len(set(names)) == len(names) == 38
