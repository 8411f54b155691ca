"""The last hour of what a sensor measured: a minute has a value of its own, or none."""

from __future__ import annotations

import json

import pytest

from bridge.commands.pages.charts import value_charts
from bridge.status.value_history import KEYS, MINUTES, Minute, ValueHistory, parse

BOOT = "3f9c"


def parsed(history: ValueHistory) -> dict[str, list[Minute]]:
    """Return what a page reads of it, through the file's own form."""
    return parse(json.loads(f'{{"boot_id":"{BOOT}",{history.text()}}}'), BOOT)


def test_a_minute_has_the_newest_reading_and_one_without_has_none() -> None:
    history = ValueHistory()
    for minute, ts in ((0, 1), (1, 2), (2, 2), (3, 5)):  # in the third minute nothing new was read
        history.observe(60 * minute, {"soil": {"last_ts": ts, "last_values": {"temperature": 20.0 + ts}}})
        history.observe(60 * minute + 30, {"soil": {"last_ts": ts + 1, "last_values": {"temperature": 0}}})
    numbers = [(number, values["temperature"]) for number, values in parsed(history)["soil"]]
    assert numbers == [(0, 21.0), (1, 22.0), (3, 25.0)]


def test_an_hour_of_numbers_of_a_few_keys_is_kept() -> None:
    history = ValueHistory()
    values = {
        "text": "open",
        "flag": True,
        "broken": float("nan"),
        **{f"k{place}": place for place in range(20)},
    }
    for minute in range(3 * MINUTES):
        history.observe(60 * minute, {"soil": {"last_ts": minute, "last_values": values}})
    ring = parsed(history)["soil"]
    assert len(ring) == MINUTES
    assert list(ring[-1][1]) == [f"k{place}" for place in range(KEYS)]
    history.observe(60 * 4 * MINUTES, {"soil": {"last_ts": 3 * MINUTES - 1}})
    assert parsed(history)["soil"] == []


def test_a_sensor_that_is_taken_off_the_bus_is_forgotten() -> None:
    history = ValueHistory({"gone": [(0, {"x": 1.0})]})
    history.observe(60.0, {"soil": {"last_ts": None, "last_values": None}})
    assert parsed(history) == {}


@pytest.mark.parametrize(
    "values",
    [None, [], {"soil": "text"}, {"soil": [[0], ["a", {}], [1, {"x": "1"}]]}, {"soil": [[2, {}], [1, {}]]}],
)
def test_of_a_damaged_file_what_makes_sense_is_read(values: object) -> None:
    ring = parse({"boot_id": BOOT, "values": values}, BOOT).get("soil", [])
    assert all(not numbers for _, numbers in ring)
    assert parse({"boot_id": "another", "values": {"soil": [[0, {"x": 1}]]}}, BOOT) == {}


def test_a_chart_goes_from_the_smallest_value_to_the_largest() -> None:
    (chart,) = value_charts([(10, {"t": 20.0}), (11, {"t": 22.0}), (13, {"t": 21.0})], {"t": "°C"})
    assert (chart.title, chart.bottom, chart.top, chart.hours) == ("t, °C", "20", "22", 1)
    assert chart.curves[0].path == "M56,56h1L57,0h1M59,28h1"
    (flat,) = value_charts([(0, {"t": 5.0})], {})
    assert flat.curves[0].path == "M59,28h1"
    assert value_charts([], {}) == []
