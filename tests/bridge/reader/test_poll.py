"""How a poll went, told by what came back."""

from __future__ import annotations

import pytest

from bridge.clock import Instant
from bridge.line import Reply
from bridge.reader.poll import Outcome
from protocols.toolkit.errors import DeviceRefusal, ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import PollResult, Request, Values
from tests.bridge.line.test_line import asking

REPLY = Reply(Frame(b"\xe5"), Instant("boot", 0), 0.01)
REFUSAL = DeviceRefusal("no such data", code=2, request="x")
VALUES: Values = {"x": 1}


def outcome(result: PollResult | ProtocolError, *replies: Reply | None) -> Outcome:
    exchanges: tuple[tuple[Request, Reply | None], ...] = tuple((asking(1, 0), reply) for reply in replies)
    return Outcome(result, exchanges)


@pytest.mark.parametrize(
    ("found", "is_missed"),
    [
        (outcome(PollResult(({},), complete=False), None), True),
        (outcome(PollResult(({},), complete=False), REPLY, None), True),  # woken, then silent
        (outcome(PollResult((VALUES,), complete=False), REPLY, None), False),
        (outcome(PollResult(({},), complete=False, refusals=(REFUSAL,)), REPLY), False),
        (outcome(PollResult(({},)), REPLY), False),  # it has none now
        (outcome(ProtocolError("nonsense"), REPLY), False),
    ],
)
def test_a_device_that_wakes_and_then_tells_nothing_was_missed(found: Outcome, is_missed: bool) -> None:
    assert found.is_missed == is_missed
