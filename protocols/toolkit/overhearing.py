"""Sensors that a foreign master asks, on a line where we only listen.

    frame or noise ──▶ Overhearer.hear ──▶ Overheard(sensor, values) …

The frames of both directions are found by the protocol's own framer. Nothing is ever sent on such a line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from protocols.toolkit.framing import Event
from protocols.toolkit.pairing import Question, UnitTally
from protocols.toolkit.polling import Value, Values


@dataclass(frozen=True, slots=True)
class Overheard:
    """Values that the master was given.

    Attributes:
        sensor: whose they are, by its place among the settings that the overhearer was made of, from 0.
        values: at least one value.
        reread: yields, for a key, each change in site.toml with the value that the key would have then; for a
            value that cannot be right.
    """

    sensor: int
    values: Values
    reread: Callable[[str], Iterable[tuple[str, Value]]] = field(default=lambda key: (), compare=False)


class Counts(Protocol):
    """What was paired so far."""

    @property
    def requests(self) -> int:
        """Return how many requests were heard."""
        ...

    @property
    def pairs(self) -> int:
        """Return how many of them had a reply that can be nothing else."""
        ...

    @property
    def unpaired(self) -> Mapping[str, int]:
        """Return the number of replies that were nobody's, by the reason."""
        ...

    @property
    def of_unit(self) -> Mapping[Hashable | None, UnitTally]:
        """Return what became of the requests to each unit; None are all of them."""
        ...

    def outstanding(self) -> Question | None:
        """Return the request that was heard last, if nothing has answered it."""
        ...


class Overhearer(Protocol):
    """Pairs the requests and replies of one line."""

    @property
    def pairing(self) -> Counts:
        """Return how many requests were heard, how many had their reply, and why others had none."""
        ...

    def hear(self, event: Event, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take the next frame or noise; return the values that it completes.

        Args:
            event: what the framer found.
            start_s: when its first octet came, in seconds of a clock that never goes back.
            end_s: when its last octet came.
        """
        ...

    def unread(self) -> Sequence[Mapping[str, str]]:
        """Return for each sensor the values that the master has not asked for so far, each with its place."""
        ...
