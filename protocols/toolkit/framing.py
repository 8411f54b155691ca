"""Finding frames in a stream of bytes.

A framer is fed whatever the line delivers and answers with events. It never raises on what it hears:
noise is ordinary on RS-485. After a bad frame it resumes one byte further, never a frame length further,
because the next good frame may begin inside the bad one.

Four things hold for every framer, whatever its protocol; `tests/protocols/test_invariants.py` asks them:

1. How the bytes are cut up does not change the events (adjacent noise merged).
2. Frames + noise + pending = what came in, byte for byte and in order.
3. A good frame is found after noise.
4. A cut frame costs only itself.

The buffer is bounded by the longest frame of the protocol and the work is linear in the input.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple, Protocol


class Direction(Enum):
    """The sender of a frame, where its layout tells."""

    REQUEST = "request"
    REPLY = "reply"


class Frame(NamedTuple):
    """One well-formed frame: length and checksum are right. `data` is all of it, as it was on the wire."""

    data: bytes
    direction: Direction | None = None


class NoiseReason(StrEnum):
    """What keeps octets from being a good frame; the text stands in the output of `decode`."""

    NOISE = "noise"  # no frame begins here
    CUT = "cut"  # the beginning of a frame, and then the line fell silent

    # The octets have the extent of a frame, but:
    CHECKSUM = "checksum"
    LENGTH = "length"  # not the one that the frame says, or that its kind has
    END = "end"  # the terminator is missing
    STOP = "stop"  # the stop octet is missing
    CHARACTER = "character"  # one that the format does not allow
    DIGIT = "digit"  # the same, where a digit has to stand
    ESCAPE = "escape"  # an escape octet is followed by one that is never escaped
    STUFFING = "stuffing"  # the same
    ORDER = "order"  # the frames of one answer are not in sequence


class Noise(NamedTuple):
    """Octets outside any good frame."""

    data: bytes
    reason: NoiseReason


Event = Frame | Noise


class Framer(Protocol):
    """The interface of every framer."""

    @property
    def pending(self) -> bytes:
        """Return the octets fed that are not yet part of an event."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle, in the order of the stream."""
        ...

    def silence(self) -> list[Event]:
        """Settle all pending octets: the line, which measures it and not the framer, fell silent."""
        ...
