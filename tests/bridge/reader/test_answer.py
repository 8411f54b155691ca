"""What an attempt at a sensor says, whichever process asks it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bridge.line import Reply
from bridge.reader.answer import pushed_answer
from bridge.reader.attempt import poll_awake
from protocols.toolkit.polling import Dialogue, NotAsked, PollResult, Request
from protocols.toolkit.pushing import PushingSettings
from tests.bridge.line.test_line import asking


def test_a_pushed_value_that_cannot_be_is_in_doubt() -> None:
    settings = PushingSettings("", (), {"indoor": "°C", "outdoor": "°C"})
    answer = pushed_answer("yard", "air", settings, {"indoor": 21.5, "outdoor": -400.0})
    assert answer["units"] == {"indoor": "°C", "outdoor": "°C"}
    assert list(answer["doubts"]) == ["outdoor"]


class PutOff:
    """A device all of whose requests wait until the replies to earlier ones cannot come any more."""

    address = "1"

    def planned(self) -> Sequence[Request]:
        return [asking(1, 0)]

    def poll(self, _now: float, /) -> Dialogue:
        with suppress(NotAsked):
            yield asking(1, 0)
        return PollResult(({},), complete=False)


async def test_a_device_of_which_nothing_could_be_asked_is_not_polled_again() -> None:
    polls = 0

    async def put_off(_request: Request) -> Reply | None:
        nonlocal polls
        polls += 1
        raise NotAsked

    outcome = await poll_awake(PutOff(), put_off)
    assert outcome.exchanges == ()
    assert polls == 1
