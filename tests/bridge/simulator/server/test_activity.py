"""The stand-in's rule of activity, and the alarms on top of it."""

from __future__ import annotations

import pytest

from bridge.simulator.server import message as coap
from bridge.simulator.server.activity import Activity, WatchedDevice
from bridge.simulator.server.device_api import DeviceApi


def played(activity: Activity, posts: dict[str, list[tuple[int, int]]], until: int) -> None:
    """Post each minute within these spans of minutes."""
    for minute in range(until):
        for token, spans in posts.items():
            if any(begin <= minute < end for begin, end in spans):
                activity.record(token, 60.0 * minute)
        activity.advance(60.0 * minute)


def alarms(activity: Activity, token: str) -> list[tuple[float, float | None]]:
    return [
        (alarm.raised_at / 60, None if alarm.cleared_at is None else alarm.cleared_at / 60)
        for alarm in activity.alarms_of(token)
    ]


def test_a_device_is_an_alarm_after_its_inactivity_time_until_its_next_post() -> None:
    activity = Activity([WatchedDevice("a", 600)])
    played(activity, {"a": [(0, 10), (40, 60)]}, 60)
    assert alarms(activity, "a") == [(19, 40)]


def test_a_device_that_never_posted_is_no_alarm() -> None:
    activity = Activity([WatchedDevice("a", 600)])
    played(activity, {}, 60)
    assert activity.alarms == []


def test_a_silent_gateway_suppresses_its_sensors_and_its_return_makes_none() -> None:
    activity = Activity(
        [WatchedDevice("g", 300), WatchedDevice("a", 300, 180, "g"), WatchedDevice("b", 300, 180, "g")]
    )
    played(activity, {"g": [(0, 10), (40, 90)], "a": [(0, 10), (42, 90)], "b": [(0, 9)]}, 90)
    assert alarms(activity, "g") == [(14, 40)]
    assert alarms(activity, "a") == []
    assert alarms(activity, "b") == [(43, None)]


@pytest.mark.parametrize("resource", ["telemetry", "attributes"])
def test_any_accepted_post_marks_a_device_active(resource: str) -> None:
    api = DeviceApi(["A"], monotonic=lambda: 7.0)
    watched = WatchedDevice("A")
    api.activity = Activity([watched])
    api.answer(coap.POST, ("api", "v1", "A", resource), (), b"not json")
    assert watched.last_post_at is None
    api.answer(coap.POST, ("api", "v1", "A", resource), (), b'{"x":1}')
    assert watched.last_post_at == 7.0
