"""Sensors that a foreign master asks, on a line where we only listen.

    frame or noise ──▶ Overhearer.hear ──▶ Overheard(sensor, values) …

The frames of both directions are found by the protocol's own framer. Nothing is ever sent on such a line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocols.toolkit.framing import Direction, Event, Frame
from protocols.toolkit.pairing import Pairing
from protocols.toolkit.polling import Values


@dataclass(frozen=True, slots=True)
class Overheard:
    """Values that the master was given.

    Attributes:
        sensor: whose they are, by its place among the settings that the overhearer was made of, from 0.
        values: at least one value.
    """

    sensor: int
    values: Values


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose reply tells what it answers, by address and by the name of what was asked for.

    Attributes:
        unit: the device that was asked; None: all of them.
        kind: what a reply to it tells: the device, and what was asked for.
    """

    unit: Hashable | None
    kind: Hashable

    @property
    def data(self) -> bytes:
        """Return the same for all requests of a kind: their replies say the same."""
        return b""

    def is_broken_reply(self, noise: bytes) -> bool:
        """Return False: no reply is taken for another's here, whatever became of this one."""
        return False


class TellingOverhearer(ABC):
    """The overhearer of a protocol whose replies tell what they answer.

    A reply is taken if the request just before asked for what it tells. Noise and late replies are no doubt.

    Args:
        wanted: for each sensor, the values that its settings name, each with its place, for `unread`.
    """

    def __init__(self, wanted: Sequence[Mapping[str, str]]) -> None:
        self._pairing: Pairing[Asked] = Pairing()
        self._unread = [dict(names) for names in wanted]

    @property
    def pairing(self) -> Pairing[Asked]:
        """Return the requests and replies so far."""
        return self._pairing

    def hear(self, event: Event, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take the next frame or noise; return the values that it completes. As of `Overhearer`."""
        if not isinstance(event, Frame):
            self._pairing.noise(event.data)
            return ()
        if event.direction is Direction.REQUEST:
            if (asked := self._asked(event)) is not None:
                self._pairing.request(asked, end_s)
            return ()
        outstanding = self._pairing.outstanding()
        if outstanding is None or not self._answers(outstanding, event):
            self._pairing.reply(None, start_s)
            return ()
        if self._pairing.reply(outstanding.kind, start_s) is None:
            return ()
        overheard = [one for one in self._overheard(outstanding, event) if one.values]
        for one in overheard:
            for name in one.values:
                self._unread[one.sensor].pop(name, None)
        return overheard

    def unread(self) -> Sequence[Mapping[str, str]]:
        """Return for each sensor the values that the master has not asked for so far, each with its place."""
        return self._unread

    @abstractmethod
    def _asked(self, request: Frame) -> Asked | None:
        """Return what a request asks for; None if it asks for no values."""

    @abstractmethod
    def _answers(self, asked: Asked, reply: Frame) -> bool:
        """Return whether a reply is one to this request, by what it tells."""

    @abstractmethod
    def _overheard(self, asked: Asked, reply: Frame) -> Sequence[Overheard]:
        """Return the values in a reply, for each sensor that wants any; none if it refuses."""
