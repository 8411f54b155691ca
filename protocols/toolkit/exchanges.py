"""What the overhearers of a foreign master have in common, where a frame tells its direction.

    noise ──▶ it may have been a request ─┐
    request ──▶ `asked` ──▶ a question ───┼──▶ `Pairing` ──▶ the question that a reply answers ──▶ values
    reply ──▶ `answered` ─────────────────┘

The kind of a question is what its replies tell of themselves. Where they tell all of it (address and
identifier), each kind has one question, and neither noise nor lateness can put a value under a wrong key.
Where several replies make one value, a late part of an earlier reading must not be taken for one of this
reading: then each reading's question has a serial number behind its octets (`serial_of`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from protocols.toolkit.framing import Direction, Event, Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.pairing import Pairing
from protocols.toolkit.polling import Values

_SERIAL_LENGTH = 8  # octets


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the master sent. Attributes as of `Question`."""

    unit: Hashable | None
    kind: Hashable
    data: bytes
    is_write: bool = False

    def is_broken_reply(self, noise: bytes) -> bool:
        """Return False: a broken request may look like a broken reply."""
        return False


class ExchangeOverhearer(ABC):
    """Pairs requests and replies; a protocol says what a request asks and what a reply brings.

    Attributes:
        pairing: the requests and replies so far.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        """Listen for these sensors.

        Args:
            places: for each sensor the values that it wants, each with the place where the master finds it.
        """
        self.pairing: Pairing[Asked] = Pairing()
        self._unread = [dict(of_sensor) for of_sensor in places]
        self._serial = 0

    def hear(self, event: Event, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take what was heard next; return the values that it brings. Arguments as of `Overhearer`."""
        self.pairing.at(start_s, end_s)
        if not isinstance(event, Frame):
            self.pairing.noise(event.data)
            self.disturbed()
            return ()
        if event.direction is Direction.REQUEST:
            self.asked(event, end_s)
            return ()
        return self.answered(event, start_s, end_s)

    def unread(self) -> Sequence[Mapping[str, str]]:
        """Return for each sensor the values that the master has not read so far, each with its place."""
        return self._unread

    @abstractmethod
    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""

    @abstractmethod
    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the values that it completes."""

    def disturbed(self) -> None:  # noqa: B027  most have nothing to forget
        """Forget what noise makes doubtful."""

    def serial_of(self, request: bytes, *, is_repeated: bool) -> bytes:
        """Return the octets that tell a request from the same one of another reading.

        Args:
            request: the request.
            is_repeated: it is a retry of the last one.
        """
        self._serial += not is_repeated
        return request + self._serial.to_bytes(_SERIAL_LENGTH, "big")

    def bring(self, sensor: int, values: Values, place: str | None = None) -> list[Overheard]:
        """Return the values as heard of a sensor; note that the master reads them, and all of `place`."""
        unread = self._unread[sensor]
        for name in [name for name, wanted in unread.items() if name in values or wanted == place]:
            del unread[name]
        return [Overheard(sensor, values)] if values else []
