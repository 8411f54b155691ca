"""Surveys of the path to a server, beside the requests: how long may a message be now?

When one is due, and what its questions and their answers mean, is for `path_limit` to say; here it is asked.
Its questions cost no reading its time, but their place in the pace of all messages.
"""

from __future__ import annotations

import asyncio

from bridge.coap.congestion import Pace, RoundTrip
from bridge.coap.interface import Association
from bridge.coap.path_limit import PathLimit

ROUND_S = 0.5  # on a fast link; half of it before what has not arrived is asked again


class PathSurvey:
    """Survey the path of one client, one survey at a time.

    Args:
        limit: what is known of the path.
        pace: of the client; each question takes its place there.
        round_trip: of the client; on a slow link, answers are waited for longer.
    """

    def __init__(self, limit: PathLimit, pace: Pace, round_trip: RoundTrip) -> None:
        self._limit = limit
        self._pace = pace
        self._round_trip = round_trip
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Return whether a survey began and none is under way."""
        return self._task is not None and self._task.done()

    def begin_if_due(self, association: Association) -> None:
        """Begin a survey on an association if the limit is lowered and it is time for one."""
        is_under_way = self._task is not None and not self._task.done()
        if not is_under_way and self._limit.is_survey_due(association.loop.time()):
            self._task = asyncio.create_task(self._run(association))

    async def stop(self) -> None:
        """Give up a survey that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, association: Association) -> None:
        """Find the longest message that the path carries: coarse steps first, then fine ones."""
        within_s = max(ROUND_S, 8 * (self._round_trip.smoothed_s or 0.0))
        longest_arrived: int | None = None
        arrived_lengths: list[int] = []
        for _ in range(2):
            lengths = self._limit.survey(longest_arrived)
            for _ in lengths:
                self._pace.reserve(association.loop.time())
            arrived_lengths += await association.ask(lengths, within_s)
            longest_arrived = max(arrived_lengths, default=self._limit.limit)
            if longest_arrived == self._limit.longest:
                break
            self._limit.apply_first_round(longest_arrived)
        self._limit.finish_survey(arrived_lengths, association.loop.time())
