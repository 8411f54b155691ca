"""A record of a capture, and what writes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bridge.errors import BridgeError


class Direction(Enum):
    """Whether octets were received or sent by us; on a line that we only listen to, all are received."""

    RECEIVED = "rx"
    SENT = "tx"


@dataclass(frozen=True, slots=True)
class Record:
    """Octets that came in one piece.

    Attributes:
        at_us: when the first of them came, in microseconds since 1970.
        data: the octets; at least one.
        direction: who sent them.
    """

    at_us: int
    data: bytes
    direction: Direction = Direction.RECEIVED


class NotACapture(BridgeError):
    """A file that is no capture, or breaks off in the middle of one; the message says where."""


class Capture(Protocol):
    """A capture that is being written."""

    def write(self, record: Record) -> None:
        """Append a record; it is in the file when this returns."""
        ...

    def close(self) -> None:
        """End the file."""
        ...
