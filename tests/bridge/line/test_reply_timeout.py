"""The reply time-out of one device, learned downwards and upwards, with a way back from each."""

from __future__ import annotations

import random

import pytest

from bridge.line.patience import Patience
from bridge.line.recent_times import RecentTimes
from bridge.line.reply_timeout import GUESSED_AFTER, KNOWN_AFTER, LONGEST_S, ReplyTimeout

LIMIT_S = 0.5


def seen(*seconds: float) -> ReplyTimeout:
    """Of a device that answered in these times."""
    timeout = ReplyTimeout()
    for one in seconds:
        timeout.answered_at_once()
        timeout.learn(one)
    return timeout


def test_the_limit_applies_until_some_replies_are_known_and_a_wide_margin_until_enough() -> None:
    assert seen(*[0.01] * (GUESSED_AFTER - 1)).wait_s(LIMIT_S) == LIMIT_S
    assert seen(*[0.01] * GUESSED_AFTER).wait_s(LIMIT_S) == pytest.approx(0.055)
    assert seen(*[0.1] * (KNOWN_AFTER - 1)).wait_s(LIMIT_S) == pytest.approx(0.2)
    assert seen(*[0.1] * KNOWN_AFTER).wait_s(LIMIT_S) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("seconds", "timeout_s"),
    [
        ([0.005] * 20, 0.050),  # the least
        ([0.040] * 20, 0.070),  # p99 + 30 ms
        ([0.010] * 19 + [0.100], 0.150),  # 1.5 × the slowest
        ([0.400] * 20, LIMIT_S),  # not above what the site says, as long as that is enough
    ],
)
def test_the_timeout_is_what_the_device_needs(seconds: list[float], timeout_s: float) -> None:
    assert seen(*seconds).wait_s(LIMIT_S) == pytest.approx(timeout_s)


def test_after_two_misses_what_was_learned_is_doubted_until_a_reply_comes() -> None:
    timeout = seen(*[0.005] * 30)
    timeout.missed()
    assert timeout.wait_s(LIMIT_S) == pytest.approx(0.050)
    timeout.missed()
    assert timeout.wait_s(LIMIT_S) == LIMIT_S
    timeout.answered_at_once()
    assert timeout.wait_s(LIMIT_S) == pytest.approx(0.050)


@pytest.mark.parametrize(("late_s", "wait_s"), [(0.7, 1.05), (2.0, 3.0), (4.5, LONGEST_S)])
def test_one_late_reply_shows_a_slow_device(late_s: float, wait_s: float) -> None:
    timeout = seen(*[0.005] * 30)
    timeout.missed()
    timeout.came_late(late_s)
    assert timeout.wait_s(LIMIT_S) == pytest.approx(wait_s)


def test_a_single_stall_is_forgotten_with_the_next_reply_in_time() -> None:
    timeout = seen(*[0.005] * 30)
    timeout.missed()
    timeout.came_late(3.0)
    timeout.learn(3.0)
    timeout.answered_at_once()
    timeout.learn(0.005)
    assert timeout.slow_s(LIMIT_S) == 0


def test_a_slow_device_stays_known_and_one_that_is_quick_again_too() -> None:
    timeout = seen(*[0.005] * 30, 2.0, 2.0)
    assert timeout.wait_s(LIMIT_S) == pytest.approx(3.0)
    for _ in range(20):
        timeout.answered_at_once()
        timeout.learn(0.005)
    assert timeout.slow_s(LIMIT_S) == 0


def test_what_came_far_too_late_teaches_nothing() -> None:
    timeout = seen(*[0.005] * 30)
    timeout.missed()
    for late_s in (LONGEST_S + 0.1, 1200.0):
        timeout.came_late(late_s)
        timeout.learn(late_s)
    assert timeout.slow_s(LIMIT_S) == 0
    assert timeout.times.slowest_s == 0.005


def test_a_silent_device_is_probed_cheaply_and_with_growing_patience_now_and_then() -> None:
    timeout = seen(*[0.005] * 30)
    waits = []
    for _ in range(6):
        assert timeout.wait_s(LIMIT_S, Patience.PROBE) == pytest.approx(0.021)
        assert timeout.wait_s(LIMIT_S, Patience.WAKE) == pytest.approx(0.021)
        waits.append(timeout.wait_s(LIMIT_S, Patience.WIDE))
        timeout.missed(Patience.PROBE)
        timeout.missed(Patience.WIDE)
    assert waits == [0.5, 1.0, 2.0, 4.0, LONGEST_S, LONGEST_S]


def test_a_longer_configured_limit_is_kept() -> None:
    timeout = ReplyTimeout()
    timeout.missed()
    timeout.missed()
    assert timeout.wait_s(12.0) == 12.0
    assert timeout.wait_s(12.0, Patience.WIDE) == 12.0


def test_what_was_slow_a_thousand_replies_ago_is_forgotten() -> None:
    times = seen(0.3, *[0.005] * 999).times
    assert times.slowest_s == 0.3
    times.add(0.005)
    assert times.slowest_s == 0.005


def test_the_window_is_that_of_the_last_thousand() -> None:
    chance = random.Random(1)
    seconds = [chance.choice([0.01, 0.02, chance.random()]) for _ in range(3500)]
    times = RecentTimes()
    for one in seconds:
        times.add(one)
    last = sorted(seconds[-1000:])
    assert times.slowest_s == last[-1]
    assert times.percentile_s(99) == last[989]
    assert times.percentile_s(50) == last[499]


def test_a_device_that_is_always_answered_for_by_the_second_try_is_slow() -> None:
    timeout = ReplyTimeout()
    timeout.answered_again(0.7)
    assert timeout.wait_s(LIMIT_S) == LIMIT_S, "once, a request was lost"
    timeout.answered_again(0.7)
    assert timeout.wait_s(LIMIT_S) == pytest.approx(1.05)


def test_a_slow_device_is_still_waited_for_after_its_first_reply_in_time() -> None:
    timeout = ReplyTimeout()
    timeout.came_late(2.0)
    assert timeout.wait_s(LIMIT_S) == pytest.approx(3.0)
    timeout.answered_at_once()
    timeout.learn(2.0)
    assert timeout.wait_s(LIMIT_S) == pytest.approx(3.0), "one of few is no stall"
    for _ in range(GUESSED_AFTER):
        timeout.answered_at_once()
        timeout.learn(0.02)
    assert timeout.slow_s(LIMIT_S) == 0.0, "one among several is"
