"""What the devices of a line take for requests, and what is sent beside the host's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bridge.simulator.field.transmission import Transmission
from bridge.simulator.field.uart import heard_by_device
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.simulation import Dialect


class Speech(NamedTuple):
    """How a device speaks: its protocol, seen from the devices' side, and its line settings."""

    dialect: Dialect
    line: LineSettings


class Reception:
    """Finds the requests in what a master sends, as devices of one speech hear it.

    Attributes:
        speech: that of the devices.
    """

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self._framer = speech.dialect.framer()
        self._parts: list[Transmission] = []  # of the request that is not yet through

    @property
    def is_pending(self) -> bool:
        """Return whether a request has begun that is not yet through."""
        return bool(self._framer.pending)

    def take(self, part: Transmission, data: bytes) -> Iterator[tuple[Frame, tuple[Transmission, ...]]]:
        """Yield the requests that end in a transmission, each with the transmissions that it came in."""
        self._parts.append(part)
        for event in self._framer.feed(heard_by_device(data, part.line, self.speech.line)):
            if isinstance(event, Frame):
                yield event, tuple(self._parts)
                self._parts = [part]
        if not self.is_pending:
            self._parts.clear()

    def drop(self) -> None:
        """Drop a request that was cut."""
        self._framer.silence()
        self._parts.clear()


@dataclass(frozen=True, slots=True)
class Script:
    """What a sender beside the host sends.

    Attributes:
        messages: for each the seconds of silence before it, and its octets.
        line: the settings of the sender.
        receptions: what the devices of each speech have heard from it; None: they do not answer it.
    """

    messages: Iterator[tuple[float, bytes]]
    line: LineSettings
    receptions: dict[Speech, Reception] | None
