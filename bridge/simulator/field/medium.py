"""What lies on a wire at the same time, and spoils each other."""

from __future__ import annotations

import random

from bridge.simulator.field.transmission import Served, Transmission
from protocols.toolkit.polling import LineSettings


class Medium:
    """The wire itself: it knows the transmissions under way, and garbles those that overlap."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._on_wire: list[Transmission] = []

    def clear(self) -> None:
        """Forget what is under way."""
        self._on_wire.clear()

    def lay(
        self,
        data: bytes,
        begins_at: float,
        line: LineSettings,
        *,
        pause_at: int | None,
        pause_s: float,
        served: Served | None,
        is_paced: bool,
        collides: bool,
        now: float,
    ) -> Transmission:
        """Return octets that are on the wire from `begins_at` on.

        Octets that overlap with another transmission are garbled, on both sides.

        Args:
            data: the octets.
            begins_at: when the first one begins, in seconds of the wire's clock.
            line: the settings that they are sent with.
            pause_at: the place of an octet with a pause before it, or None.
            pause_s: how long that pause is.
            served: the record of a whole reply, which counts if nothing garbles it.
            is_paced: keep the wire's time; otherwise octets take no time and nothing collides.
            collides: whether they can overlap with others.
            now: the time; what ended before it is forgotten.
        """
        octet_s = line.duration_s(1) if is_paced else 0.0
        ends = [begins_at + (place + 1) * octet_s for place in range(len(data))]
        if pause_at:
            ends[pause_at:] = [end + pause_s for end in ends[pause_at:]]
        transmission = Transmission(data, ends, octet_s, line, collides=collides, served=served)
        if not is_paced or not collides:
            return transmission
        self._on_wire = [earlier for earlier in self._on_wire if earlier.ends_at > now]
        for earlier in self._on_wire:
            begin = max(earlier.begins_at, transmission.begins_at)
            end = min(earlier.ends_at, transmission.ends_at)
            if begin < end:
                earlier.garble(begin, end, self._chance)
                transmission.garble(begin, end, self._chance)
        self._on_wire.append(transmission)
        return transmission
