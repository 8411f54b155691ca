"""What is turned down, and how long it takes, at the limits a ThingsBoard tenant may have."""

from __future__ import annotations

import pytest

from bridge.sandbox.device_api import RateLimit
from bridge.uplink.throttle import Throttle

READING = 10  # values
ROUND_TRIP_S = 0.05
MOST = 60  # values that a datagram holds


def drain(limit: str, readings: int) -> tuple[float, int, int]:
    """Sends so many readings as fast as the throttle lets them: seconds, accepted, turned down."""
    server, throttle = RateLimit(limit, 0.0), Throttle((1.0, 300.0))
    now, left, accepted, refused = 0.0, readings * READING, 0, 0
    while left:
        points = min(throttle.points(READING), MOST, left)
        points -= points % READING if points > READING else 0
        if server.take(points, now):
            accepted += 1
            left -= points
            now += throttle.accepted(points, cut=points < READING)
        else:
            refused += 1
            now += throttle.refused(points)
        now += ROUND_TRIP_S
    return now, accepted, refused


@pytest.mark.parametrize(
    ("limit", "per_s"), [("20:1,600:60", 10), ("10:1", 10), ("100:1,1000:60", 16), ("50:10", 5)]
)
def test_few_are_turned_down_and_most_of_the_limit_is_used(limit: str, per_s: float) -> None:
    elapsed_s, accepted, refused = drain(limit, 720)
    assert refused < 0.05 * (accepted + refused)
    assert elapsed_s < 720 * READING / per_s / 0.6


def test_a_bucket_smaller_than_a_reading_cuts_it() -> None:
    throttle = Throttle((1.0, 300.0))
    server, now = RateLimit("4:1", 0.0), 0.0
    while not server.take(points := throttle.points(READING), now):
        now += throttle.refused(points)
    assert points <= 4


def test_without_a_limit_it_takes_a_few_messages_to_fill_them() -> None:
    throttle = Throttle((1.0, 300.0))
    sizes = []
    for _ in range(5):
        sizes.append(min(throttle.points(READING), MOST))
        assert throttle.accepted(sizes[-1], cut=False) == 0
    assert sizes == [10, 20, 40, 60, 60]


def test_a_failure_of_the_server_is_soon_forgotten() -> None:
    throttle = Throttle((1.0, 300.0))
    throttle.accepted(MOST, cut=False)
    waits = [throttle.refused(MOST) for _ in range(10)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    now, left = 0.0, 3600
    while left > 0:
        points = min(throttle.points(READING), MOST)
        left -= points
        now += throttle.accepted(points, cut=points < READING) + ROUND_TRIP_S
    assert now < 120


def test_one_failure_does_not_slow_a_fast_sensor_for_long() -> None:
    throttle = Throttle((1.0, 300.0))
    throttle.accepted(3, cut=False)
    throttle.refused(3)
    now, sent = 0.0, 0
    while sent < 100 * now or now < 10:  # a hundred values a second come in
        sent += (points := min(throttle.points(3), MOST))
        now += throttle.accepted(points, cut=False)
        assert now < 120
