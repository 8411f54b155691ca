"""How long the uplink waits, and for what."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The uplink's timings in seconds, each pair a first and a longest wait, and the sizes of its windows.

    Attributes:
        look_every_s: how often the spool is asked for new readings while nothing else is to be done.
        status_every_s: how often a status that changed is published, at most.
        back_off_s: after silence; doubles.
        probe_every_s: how often the server is asked meanwhile whether it is back.
        hold_s: for a credential that the server does not accept; doubles.
        quiet_s: for a credential that is not answered while others are; doubles.
        fresh_s: how old a reading may be and still be sent without its timestamp, if the site wants that.
        jitter: the part of a back-off or hold by which it varies, so that gateways do not return together.
        live_rows: newest readings of a credential kept in memory while they cannot be sent.
        backlog_rows: older ones kept in memory.
    """

    look_every_s: float = 1.0
    status_every_s: float = 1.0
    back_off_s: tuple[float, float] = (1.0, 60.0)
    probe_every_s: float = 1.5
    hold_s: tuple[float, float] = (60.0, 900.0)
    quiet_s: tuple[float, float] = (1.0, 5.0)
    fresh_s: float = 5.0
    jitter: float = 0.25
    live_rows: int = 64
    backlog_rows: int = 256


class Wait:
    """A back-off that doubles with every failure in a row.

    Args:
        bounds: the first and the longest wait, in seconds.
        jitter: the part by which a wait varies, 0–1.
    """

    def __init__(self, bounds: tuple[float, float], jitter: float) -> None:
        self._least, self._most = bounds
        self._jitter = jitter
        self._base_s = 0.0

    @property
    def is_on(self) -> bool:
        """Return whether there was a failure since the last `end`."""
        return self._base_s > 0

    def longer(self) -> float:
        """Double the back-off and return the next wait, in seconds."""
        self._base_s = min(max(2 * self._base_s, self._least), self._most)
        return self._base_s * random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311 - no secret

    def end(self) -> None:
        """Reset the back-off after a success."""
        self._base_s = 0.0


async def news(event: asyncio.Event, within_s: float | None) -> None:
    """Wait until the event is set or `within_s` has passed (None: no limit); clear the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    event.clear()
