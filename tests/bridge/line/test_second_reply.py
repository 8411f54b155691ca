"""An address that answers twice is found out, and trusted again once it does not."""

from __future__ import annotations

import math
from itertools import count

import pytest

from bridge.line.second_reply import WATCH_S, SecondReplies
from protocols.toolkit.framing import Frame
from tests.bridge.line.test_line import asking, telling

REPLY = Frame(telling(1, 1, 2))


def asked(*starts: int, replies: SecondReplies, at: float) -> None:
    for start in starts:
        replies.record_request(asking(1, start), at)
        replies.record_reply(asking(1, start), at)


def test_behind_the_first_reply_of_an_address_another_request_of_its_shape_waits_once() -> None:
    replies = SecondReplies()
    assert replies.clear_at(asking(1, 0)) == -math.inf
    asked(0, replies=replies, at=10.0)
    assert replies.clear_at(asking(1, 0)) == -math.inf, "the same means the same"
    assert replies.clear_at(asking(1, 50, 3)) == -math.inf, "and this has another reply"
    assert replies.clear_at(asking(1, 50)) == replies.soon_at(asking(1, 50)) == 10.0 + WATCH_S
    asked(50, replies=replies, at=10.0 + WATCH_S)
    assert replies.clear_at(asking(1, 100)) == -math.inf


def test_a_frame_that_nothing_since_could_have_asked_for_is_a_second_reply() -> None:
    replies = SecondReplies()
    assert not replies.hears(REPLY, 10.0)
    asked(0, replies=replies, at=10.0)
    assert not replies.hears(Frame(telling(1, 1, 2, 3)), 10.2), "another length"
    assert not replies.hears(Frame(telling(2, 1, 2)), 10.2), "another address"
    assert not replies.hears(REPLY, 13.0), "far too late"
    replies.record_request(asking(1, 50, 3), 10.1)
    assert replies.hears(REPLY, 10.2)
    replies.record_request(asking(1, 50), 10.3)
    assert not replies.hears(REPLY, 10.4), "this may be its reply"
    assert replies.count == 1


@pytest.mark.parametrize(("lag_s", "is_waited_for"), [(0.02, True), (0.4, False)])
def test_behind_an_address_that_answers_twice_such_requests_wait_until_it_is_alone_again(
    lag_s: float, is_waited_for: bool
) -> None:
    replies, now = SecondReplies(), 10.0
    asked(0, replies=replies, at=now)
    assert replies.hears(REPLY, now + lag_s)
    assert replies.is_expected
    wait_s = max(1.5 * lag_s, 0.05)
    assert replies.clear_at(asking(1, 50)) == pytest.approx(now + wait_s)
    assert (replies.soon_at(asking(1, 50)) > 0) == is_waited_for, "the line is for others"
    waits = 0
    for number in count(1):
        if not replies.is_expected:
            break
        waits += 1
        now += wait_s + 0.001
        asked(50 * number, replies=replies, at=now)
    assert waits == 20
    assert replies.clear_at(asking(1, 7)) == -math.inf
