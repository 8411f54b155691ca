from __future__ import annotations

import random

import pytest

from bridge.line.turn_around import GUESSED_AFTER, KNOWN_AFTER, TurnAround

LIMIT_S = 0.5


def seen(*seconds: float) -> TurnAround:
    turn_around = TurnAround()
    for one in seconds:
        turn_around.add(one)
    return turn_around


def test_the_limit_applies_until_some_replies_are_known_and_a_wide_margin_until_enough() -> None:
    assert seen(*[0.01] * (GUESSED_AFTER - 1)).reply_timeout_s(LIMIT_S) == LIMIT_S
    assert seen(*[0.01] * GUESSED_AFTER).reply_timeout_s(LIMIT_S) == pytest.approx(0.055)
    assert seen(*[0.1] * (KNOWN_AFTER - 1)).reply_timeout_s(LIMIT_S) == pytest.approx(0.2)
    assert seen(*[0.1] * KNOWN_AFTER).reply_timeout_s(LIMIT_S) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("seconds", "timeout_s"),
    [
        ([0.005] * 20, 0.050),  # the least
        ([0.040] * 20, 0.070),  # p99 + 30 ms
        ([0.010] * 19 + [0.100], 0.150),  # 1.5 × the slowest
        ([0.400] * 20, LIMIT_S),  # never above what the site says
    ],
)
def test_the_timeout_is_what_the_device_needs(seconds: list[float], timeout_s: float) -> None:
    assert seen(*seconds).reply_timeout_s(LIMIT_S) == pytest.approx(timeout_s)


def test_what_was_slow_a_thousand_replies_ago_is_forgotten() -> None:
    turn_around = seen(0.3, *[0.005] * 999)
    assert turn_around.slowest_s == 0.3
    turn_around.add(0.005)
    assert turn_around.slowest_s == 0.005


def test_the_window_is_that_of_the_last_thousand() -> None:
    chance = random.Random(1)
    seconds = [chance.choice([0.01, 0.02, chance.random()]) for _ in range(3500)]
    turn_around = seen(*seconds)
    last = sorted(seconds[-1000:])
    assert turn_around.slowest_s == last[-1]
    assert turn_around.percentile_s(99) == last[989]
    assert turn_around.percentile_s(50) == last[499]
