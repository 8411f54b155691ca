"""Report on change, on made-up values and times."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bridge.reader.on_change import OnChange


def kept(on_change: OnChange, *readings: tuple[float, object]) -> list[object]:
    """Return which of these values, each measured at its second, are kept."""
    return [value for at_s, value in readings if on_change.keeps({"x": value}, at_s)]  # type: ignore[dict-item]


def test_the_first_reading_is_kept_and_then_what_differs() -> None:
    assert kept(OnChange(), (0, 5), (1, 5), (2, 6), (3, 6), (4, 5)) == [5, 6, 5]


def test_a_number_within_the_deadband_has_not_changed() -> None:
    assert kept(OnChange(deadband=0.5), (0, 20.0), (1, 20.5), (2, 19.5), (3, 20.6)) == [20.0, 20.6]


def test_a_value_that_creeps_is_kept_each_time_it_has_crept_far_enough() -> None:
    creeping = [(n, n / 10) for n in range(31)]
    assert kept(OnChange(deadband=0.95), *creeping) == [0.0, 1.0, 2.0, 3.0]


def test_the_deadband_is_for_numbers_only() -> None:
    assert kept(OnChange(deadband=9), (0, "on"), (1, "off"), (2, "off"), (3, True), (4, False), (5, 1)) == [
        "on",
        "off",
        True,
        False,
        1,
    ]


def test_a_whole_number_and_its_float_are_the_same() -> None:
    assert kept(OnChange(), (0, 1), (1, 1.0)) == [1]


def test_a_value_that_disappears_or_comes_back_is_a_change() -> None:
    on_change = OnChange(deadband=100)
    assert on_change.keeps({"x": 1, "y": 2}, 0)
    assert on_change.keeps({"x": 1}, 1)
    assert not on_change.keeps({"x": 2}, 2)
    assert on_change.keeps({"x": 2, "y": 2}, 3)


def test_nan_is_a_value_left_out_and_no_change_each_time() -> None:
    on_change = OnChange()
    assert on_change.keeps({"x": 1, "y": math.nan}, 0)
    assert not on_change.keeps({"x": 1, "y": math.nan}, 1)
    assert not on_change.keeps({"x": 1, "y": math.inf}, 2)
    assert not on_change.keeps({"x": 1}, 3)


def test_an_unchanged_value_is_kept_at_least_so_often() -> None:
    polls = [(0.0, 7), (10.0, 7), (19.99, 7), (29.99, 7), (40.0, 7)]
    on_change = OnChange(at_least_s=20, every_s=10)
    assert [at_s for at_s, value in polls if on_change.keeps({"x": value}, at_s)] == [0.0, 19.99, 40.0]


def test_a_sensor_read_more_rarely_than_that_is_kept_every_time() -> None:
    assert kept(OnChange(at_least_s=10, every_s=60), (0, 7), (60, 7), (120, 7)) == [7, 7, 7]


@given(
    st.lists(st.floats(-100, 100), max_size=60),
    st.floats(0, 20),
    st.integers(2, 10),
)
def test_at_any_time_the_last_kept_is_within_the_deadband_and_young_enough(
    values: list[float], deadband: float, at_least: int
) -> None:
    on_change = OnChange(deadband=deadband, at_least_s=at_least, every_s=1)
    last, last_at = math.nan, -1
    for at_s, value in enumerate(values):
        if on_change.keeps({"x": value}, at_s):
            last, last_at = value, at_s
        assert abs(value - last) <= deadband
        assert at_s - last_at < at_least
