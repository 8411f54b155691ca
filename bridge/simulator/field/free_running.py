"""A simulated line whose sensors push: the test decides what they send, and how fast it trickles in."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from bridge.simulator.field.pty import Pty
from protocols.toolkit.polling import LineSettings

_CHUNK = 8  # octets that a UART collects before it hands them over


class Said(NamedTuple):
    """One transmission: the time its first octets were handed over (monotonic seconds), and its octets."""

    at: float
    data: bytes


class FreeRunningLine:
    """A pseudo terminal that sends by itself.

    Args:
        line: how fast octets come off the wire.
        link: a name for the device that stays when it is pulled out and plugged in again.
        paced: whether the wire's time is kept; False hands over everything at once.

    Attributes:
        said: the transmissions so far.
    """

    def __init__(self, line: LineSettings, *, link: Path | None = None, paced: bool = True) -> None:
        self.said: list[Said] = []
        self._line = line
        self._paced = paced
        self._pty = Pty(link)

    @property
    def path(self) -> Path:
        """Return the path of the device to open."""
        return self._pty.path

    def __enter__(self) -> Self:
        self._pty.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self._pty.close()

    def unplug(self) -> None:
        """Pull the adapter out."""
        self._pty.unplug()

    def replug(self) -> None:
        """Plug the adapter in again, under the same path."""
        self._pty.plug()

    def say(self, data: bytes) -> None:
        """Send octets as a sensor does; block until the last of them is through."""
        began = time.monotonic()
        size = _CHUNK if self._paced else len(data)
        for start, end in pairwise([*range(0, len(data), size), len(data)]):
            if self._paced:
                time.sleep(max(0.0, began + self._line.duration_s(end) - time.monotonic()))
            if start == 0:
                self.said.append(Said(time.monotonic(), data))
            self._pty.write(data[start:end])
