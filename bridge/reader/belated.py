"""What a late reply adds to the poll that did without it. Pure: time is passed in.

    poll 1: A ─▶ silence      poll 2: A ─▶ reply      the reply to A of poll 1

A request that was left unanswered is remembered with its poll. When its reply comes, that poll is played
again with it, and what is new are the values of a reading of its own. The request may have been asked again
meanwhile: both replies tell the same registers, each at its own time, so it is no matter which of them is
which. A poll that got its answer by trying again needs no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.line import HOLD_S, LateReply
from bridge.reader.poll import Outcome, replay
from protocols.toolkit.polling import PollResult


@dataclass(frozen=True, slots=True)
class LateReading:
    """The values that a late reply adds to its poll, and the reply, which gives them their time."""

    result: PollResult
    late: LateReply


class UnansweredPolls:
    """The polls of one device in which requests were left unanswered. Times are of the loop's clock."""

    def __init__(self) -> None:
        self._polls: dict[bytes, tuple[Outcome, float]] = {}  # the latest, by the request left unanswered

    def record(self, outcome: Outcome, now: float) -> None:
        """Record a poll that is over."""
        self._polls |= {request.data: (outcome, now) for request, reply in outcome.exchanges if reply is None}

    def clear(self) -> None:
        """Forget all of them: their device is another one now, or what it says is in doubt."""
        self._polls.clear()

    def complete(self, late: LateReply, now: float) -> LateReading | None:
        """Return the values that a late reply brings; None if no poll lacks them, or it makes no sense."""
        outcome, over_at = self._polls.pop(late.request.data, (None, 0.0))
        if outcome is None or now - over_at > HOLD_S:
            return None
        result = replay(outcome, late.request, late.reply.frame)
        if result is None:
            return None
        had = outcome.result.values if isinstance(outcome.result, PollResult) else ()
        added = tuple(
            {key: value for key, value in values.items() if not had or key not in had[place]}
            for place, values in enumerate(result.values)
        )
        return LateReading(replace(result, values=added, complete=False), late) if any(added) else None
