"""The last day of a line: buckets by the time since boot, bounded, each of its own five minutes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.line.recent_times import RecentTimes
from bridge.status.line_history import BUCKET_S, BUCKETS, Bucket, LineHistory, SensorTimes, parse
from bridge.status.publishing import line_observer
from bridge.status.runtime import Runtime

BOOT = "3f9c"


def parsed(history: LineHistory) -> dict[str, list[Bucket]]:
    """Return what a page reads of a history, through the file's own form."""
    return parse(json.loads(f"{{{history.text(BOOT)}}}"), BOOT)


def test_a_bucket_holds_what_happened_in_its_five_minutes() -> None:
    history, times = LineHistory(), SensorTimes(RecentTimes(), RecentTimes())
    times.turn_around.add(9.0)  # before the first bucket began
    assert not history.observe(600.0, {"soil": {"requests": 1000, "timeouts": 40}}, {"soil": times})
    for milliseconds in range(1, 101):
        times.turn_around.add(milliseconds / 1000)
    times.lateness.add(0.25)
    assert not history.observe(899.9, {"soil": {"requests": 1050, "timeouts": 41}}, {"soil": times})
    assert history.observe(
        900.0, {"soil": {"requests": 1100, "timeouts": 42, "crc_errors": 1, "exceptions": 3}}, {"soil": times}
    )
    assert parsed(history) == {"soil": [Bucket(2, 100, 6, 50.0, 99.0, 250.0)]}


def test_a_bucket_without_a_reply_has_no_turn_around() -> None:
    history, times = LineHistory(), SensorTimes(RecentTimes(), RecentTimes())
    times.turn_around.add(0.020)
    for number in range(2):
        history.observe(
            number * BUCKET_S, {"soil": {"requests": number, "timeouts": number}}, {"soil": times}
        )
    assert parsed(history)["soil"] == [Bucket(0, 1, 1)]


def test_a_sensor_that_pushes_is_counted_by_its_telegrams() -> None:
    history = LineHistory()
    for number in range(2):
        history.observe(number * BUCKET_S, {"air": {"telegrams": 7 * number}}, {})
    assert parsed(history) == {"air": [Bucket(0, 7, 0)]}


def test_time_in_which_nothing_was_published_is_no_bucket() -> None:
    history = LineHistory()
    for number, requests in ((0, 0), (1, 5), (7, 6), (8, 9)):
        history.observe(number * BUCKET_S, {"soil": {"requests": requests}}, {})
    assert [(bucket.number, bucket.requests) for bucket in parsed(history)["soil"]] == [
        (0, 5),
        (1, 1),
        (7, 3),
    ]


def test_a_day_is_kept_and_no_more() -> None:
    history = LineHistory()
    for number in range(3 * BUCKETS):
        history.observe(number * BUCKET_S, {"soil": {"requests": number}}, {})
    ring = parsed(history)["soil"]
    assert len(ring) <= BUCKETS
    assert ring[-1].number - ring[0].number < BUCKETS
    assert len(history.text(BOOT)) < 12_000  # a sensor's share of the file


def test_a_sensor_that_is_taken_off_the_bus_leaves_the_ring() -> None:
    history = LineHistory({"gone": [Bucket(0, 1, 0)]})
    history.observe(BUCKET_S, {"soil": {"requests": 1}}, {})
    assert parsed(history) == {}
    assert "gone" not in history.text(BOOT)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"boot_id": "another boot", "sensors": {"soil": [[0, 1, 0, None, None, None]]}},
        {"boot_id": BOOT, "sensors": {"soil": "text"}},
        {"boot_id": BOOT, "sensors": {"soil": [[0, 1], ["a", 1, 0, None, None, None], {}]}},
    ],
)
def test_a_file_of_another_boot_or_a_damaged_one_gives_no_bucket(document: object) -> None:
    assert parse(document, BOOT) == {}


def test_buckets_out_of_order_are_left_out() -> None:
    rows = [[number, 1, 0, None, None, None] for number in (3, 2, 4)]
    ring = parse({"boot_id": BOOT, "sensors": {"soil": rows}}, BOOT)["soil"]
    assert [bucket.number for bucket in ring] == [3, 4]


def test_a_reader_that_starts_anew_goes_on_with_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    runtime, boottimes_s = Runtime(tmp_path / "spool.db"), iter(range(0, 6 * BUCKET_S, BUCKET_S))
    for _start in range(2):
        observe = line_observer(runtime, "meters", BOOT, lambda: next(boottimes_s))
        for requests in range(3):
            observe({"soil": {"requests": requests}}, {})
    ring = parse(runtime.past("meters"), BOOT)["soil"]
    assert [bucket.number for bucket in ring] == [0, 1, 3, 4]
    assert runtime.read_all() == {}  # `status` does not read it every second
