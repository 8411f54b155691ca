"""Charts draw what was measured and nothing between; sentences of the classifier are said in German."""

from __future__ import annotations

import pytest

from bridge.causes import Cause, diagnosis
from bridge.commands.pages.charts import charts
from bridge.commands.pages.german import translated
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


@pytest.mark.parametrize("cause", list(Cause))
def test_each_sentence_of_the_classifier_is_said_in_german(cause: Cause) -> None:
    for detail in ("", "0x10 at 40001"):
        english = str(diagnosis(cause, detail))
        german = translated(f"soil {english}")
        assert german.startswith("soil ")
        assert german != f"soil {english}"
        assert detail in german or detail not in english


def test_a_sentence_that_nobody_knows_stays_as_it_is() -> None:
    assert translated("the cat sleeps") == "the cat sleeps"
