"""Traffic of a line, taken apart as it comes: live, or from a capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bridge.captures import Record
from bridge.line.timed_framer import TimedFramer
from protocols.toolkit.framing import Event, Frame
from protocols.toolkit.protocol import Fields, Protocol

PAUSE_US: Final = 100_000  # a frame that does not go on for so long was cut


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame or noise.

    Attributes:
        start_us: when its first octet came, in microseconds since 1970.
        event: what the framer found.
        fields: of a frame, its structure and values.
    """

    start_us: int
    event: Event
    fields: Fields | None


class Traffic:
    """Find the frames in records, in their order.

    Args:
        protocol: what the line speaks.
        model: the device model after which registers are named; None: none.
    """

    def __init__(self, protocol: Protocol, model: str | None = None) -> None:
        self._framer: TimedFramer[int] = TimedFramer(protocol.framer())
        self._describe = protocol.describer_for(model)
        self._last_us = 0

    def hear(self, record: Record) -> Iterator[Heard]:
        """Yield what the octets of a record complete, and first what the silence before it ended."""
        if record.at_us - self._last_us > PAUSE_US:
            yield from self.silence()
        self._last_us = record.at_us
        yield from self._described(self._framer.feed(record.data, record.at_us))

    def all(self, records: Iterable[Record]) -> Iterator[Heard]:
        """Yield what is in these records and nothing after them."""
        for record in records:
            yield from self.hear(record)
        yield from self.silence()

    def silence(self) -> Iterator[Heard]:
        """Yield what the end of the traffic, or a pause in it, completes."""
        yield from self._described(self._framer.silence())

    def _described(self, timed_events: list[tuple[Event, int]]) -> Iterator[Heard]:
        for event, start_us in timed_events:
            yield Heard(start_us, event, self._describe(event) if isinstance(event, Frame) else None)
