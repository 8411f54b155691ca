"""Values that a foreign master reads in parts, made into one reading for each `every` of their sensor.

    part ──▶ is its slot due? ──▶ gathered with the parts that follow ──▶ a reading, stamped by the first part

Each value has a grid of its own, because a master may ask for one thing every second and for another once a
minute. Parts are gathered until every value that was ever read is there, one of them comes again, or
`WITHIN_S` is over; a part of a later round begins the next reading. With `every = "0s"` each is a reading.
"""

from __future__ import annotations

from typing import Final

from bridge.clock import Instant
from bridge.reader.slots import Slots
from protocols.toolkit.polling import Values

WITHIN_S: Final = 2.0
"""The parts of one reading lie no further apart than this, as they share its time."""

Gathered = tuple[Values, Instant]
"""A reading: its values, and when the first of them was on the wire."""


class Gathering:
    """The readings of one sensor.

    Attributes:
        thinned: how many parts brought nothing, because all of their values were there in their slot already.
    """

    def __init__(self, every_s: float) -> None:
        self.thinned = 0
        self._every_s = every_s
        self._within_s = min(WITHIN_S, every_s / 2)
        self._slots = Slots(every_s)  # of each value, by its name
        self._values: Values = {}
        self._taken: Instant | None = None
        self._began_s = 0.0

    def take(self, part: Values, taken: Instant, now: float) -> list[Gathered]:
        """Take values that were read together; return the readings that are whole now.

        Args:
            part: the values; at least one.
            taken: when they were on the wire.
            now: the same, in seconds of the loop's clock.
        """
        if not self._every_s:
            return [(part, taken)]
        readings = self.look(now)
        if self._values.keys() & part.keys():
            readings += self._end()
        due_values = {name: value for name, value in part.items() if self._slots.take(name, now)}
        if not due_values:
            self.thinned += 1
            return readings
        if self._taken is None:
            self._taken, self._began_s = taken, now
        self._values |= due_values
        if self._values.keys() >= self._slots.kinds:
            readings += self._end()
        return readings

    def look(self, now: float) -> list[Gathered]:
        """Return the reading whose other parts did not come in time, if there is one."""
        return self._end() if self._taken is not None and now - self._began_s >= self._within_s else []

    def _end(self) -> list[Gathered]:
        values, taken = self._values, self._taken
        self._values, self._taken = {}, None
        return [(values, taken)] if taken is not None else []
