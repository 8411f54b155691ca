"""Charts draw what was measured and nothing between."""

from __future__ import annotations

from bridge.commands.pages.charts import charts
from bridge.status.line_history import Bucket


def test_a_gap_in_the_history_is_a_gap_in_the_curve() -> None:
    ring = [Bucket(number, 10, 0, 20.0, 40.0) for number in (1, 2, 5, 6)]
    turn_around, _errors = charts(ring, width=6)
    assert turn_around.curves[1].path == "M0,0h1L1,0h1M4,0h1L5,0h1"
    assert turn_around.top == "40"


def test_what_no_bucket_has_is_no_chart() -> None:
    assert charts([]) == []
    assert [chart.title for chart in charts([Bucket(0, 7, 0)])] == ["Errors, % of requests"]


def test_buckets_before_the_shown_time_are_left_out() -> None:
    (errors,) = charts([Bucket(0, 10, 10), Bucket(100, 10, 1)], width=12)
    assert (errors.top, errors.hours) == ("10", 1)
