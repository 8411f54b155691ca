"""Replies told apart by what they hold, and the times of a unit."""

from __future__ import annotations

import random

import pytest

from protocols.toolkit.likeness import Likeness
from protocols.toolkit.unit_times import UnitTimes

FIRST, SECOND = bytes(range(8)), bytes(range(16, 24))


def taught(**contents: bytes) -> Likeness:
    likeness = Likeness()
    for request, content in contents.items():
        likeness.learn(request.encode(), content)
    return likeness


def test_replies_that_are_those_of_their_requests_are_in_step() -> None:
    likeness = taught(a=FIRST, b=SECOND)
    judged = [
        likeness.is_in_step(b"b" if number % 2 else b"a", SECOND if number % 2 else FIRST)
        for number in range(8)
    ]
    assert judged == [False] * 7 + [True]


def test_one_reply_that_is_more_like_another_begins_anew() -> None:
    likeness = taught(a=FIRST, b=SECOND)
    in_step, behind = [(b"a", FIRST), (b"b", SECOND)], [(b"a", SECOND)]
    for request, content in [*in_step * 3, *behind, *in_step * 3, (b"a", FIRST)]:
        assert not likeness.is_in_step(request, content)
    assert likeness.is_in_step(b"b", SECOND)


def test_a_doubt_that_lasts_is_judged_no_more() -> None:
    likeness = taught(a=FIRST, b=SECOND)
    for _ in range(300):
        assert not likeness.is_in_step(b"a", SECOND)
    assert not any(likeness.is_in_step(*each) for each in [(b"a", FIRST), (b"b", SECOND)] * 20)
    likeness.doubt()
    assert any(likeness.is_in_step(*each) for each in [(b"a", FIRST), (b"b", SECOND)] * 20)


def test_contents_that_are_alike_say_nothing() -> None:
    likeness = taught(a=FIRST, b=FIRST[:7] + b"\x09", c=FIRST)
    assert not any(likeness.is_in_step(request, FIRST) for request in (b"a", b"b", b"c") * 20)


def test_one_request_alone_says_nothing() -> None:
    likeness = taught(a=FIRST, b=SECOND)
    assert not any(likeness.is_in_step(b"a", FIRST) for _ in range(20))


@pytest.mark.parametrize("seed", range(60))
def test_replies_that_are_one_behind_are_never_in_step(seed: int) -> None:
    draw = random.Random(seed)
    size, count = draw.choice((2, 4, 20)), draw.randrange(2, 8)
    contents = [bytearray(draw.choices((0, 0, 1, 7, 200), k=size)) for _ in range(count)]
    likeness = taught(**{str(number): bytes(content) for number, content in enumerate(contents)})
    for number in range(400):
        for content in contents:  # registers change
            if draw.random() < 0.02:
                content[draw.randrange(size)] = draw.choice((0, 0, 1, 7, 200))
        request = str(number % count).encode()
        assert not likeness.is_in_step(request, bytes(contents[(number - 1) % count]))


def test_the_usual_time_is_that_of_most_replies() -> None:
    times = UnitTimes()
    assert times.usual_s == 1.0
    for turn_around_s in (0.05, 0.06, 3.0, 0.05, 0.07, 2.0, 0.05):
        times.replied(turn_around_s, 10.0)
    assert times.usual_s == pytest.approx(0.18)


def test_a_unit_is_left_alone_only_if_it_had_the_time_and_nothing_was_heard() -> None:
    times = UnitTimes()
    assert not times.is_left_alone(100.0, 0.0)
    for _ in range(5):
        times.replied(0.02, 10.0)
    assert not times.is_left_alone(10.09, 0.0)
    assert times.is_left_alone(10.11, 0.0)
    assert not times.is_left_alone(12.0, 10.05)


def test_two_pumps_that_change_places_are_not_taken_for_a_unit_in_step() -> None:
    likeness = taught(a=b"\x00\x01", b=b"\x00\x00")
    behind = [(b"a", b"\x00\x01"), (b"b", b"\x00\x00")]  # B runs now, and each reply is one behind
    assert not any(likeness.is_in_step(*each) for each in behind * 50)
