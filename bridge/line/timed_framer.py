"""A framer that gives each event the arrival of its first octet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.clock import Instant
from protocols.toolkit.framing import Event, Framer


@dataclass(frozen=True, slots=True)
class Arrival:
    """The time at which octets came.

    Attributes:
        at: in seconds of the loop's clock.
        taken: the same moment, for a stamp.
        gap_s: how long the process was not awake before, in seconds; they may have come so much earlier.
    """

    at: float
    taken: Instant
    gap_s: float = 0.0


A = TypeVar("A")


class TimedFramer(Generic[A]):
    """Cut the octets of a line into frames, each with the arrival of its first octet, as `feed` takes it."""

    def __init__(self, framer: Framer) -> None:
        self._framer = framer
        self._arrivals: deque[tuple[int, A]] = deque()  # how many octets came before, and when
        self._octets = self._settled_octets = 0

    @property
    def pending(self) -> bytes:
        """Return the octets that belong to no event yet."""
        return self._framer.pending

    def feed(self, data: bytes, arrival: A) -> list[tuple[Event, A]]:
        """Add octets that arrived together; return the events that they complete."""
        if data:
            self._arrivals.append((self._octets, arrival))
            self._octets += len(data)
        return self._timed(self._framer.feed(data))

    def silence(self) -> list[tuple[Event, A]]:
        """Return the events that silence completes."""
        return self._timed(self._framer.silence())

    def _timed(self, events: list[Event]) -> list[tuple[Event, A]]:
        timed_events = []
        for event in events:
            while len(self._arrivals) > 1 and self._arrivals[1][0] <= self._settled_octets:
                self._arrivals.popleft()
            self._settled_octets += len(event.data)
            timed_events.append((event, self._arrivals[0][1]))
        return timed_events
