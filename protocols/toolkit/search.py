"""Finding frames that begin with a head: the one framer of all protocols whose frames tell where they begin.

A `Shape` says how a frame is recognised, a `SearchFramer` finds such frames in a stream:

    head ──▶ extent ──▶ flaw? ──▶ Frame, go on behind it
               │          └─────▶ no frame begins here: the next octet is looked at
               └ too early to tell: wait for more; what was read so far is pending

This serves sync + length + check (Plantower, M-Bus, DL/T 645), start and terminator (NMEA 0183, DSMR) and
start and end by escape (SHDLC, SML). Modbus RTU has no head and has framers of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from protocols.toolkit.framing import Direction, Event, Frame, Noise, NoiseReason


def _unknown(data: bytes) -> Direction | None:
    return None


def _faultless(data: bytes) -> NoiseReason | None:
    return None


@dataclass(frozen=True, slots=True)
class Shape:
    """The rules by which the frames of a protocol are recognised.

    Attributes:
        head: matches where a frame may begin, as soon as `extent` can be called. Octets that may stand before
            a frame as part of it (a preamble) belong to the match; group 1 is then the head without them.
        head_length: the length of the longest match of `head`, in octets.
        starts: the octets that a match may begin with.
        longest: the length of the longest frame, in octets; bounds the memory of the framer.
        extent: returns the length, in octets, of the frame whose head begins at this place of the buffer;
            None if more octets are needed to tell; 0 if there is no frame. Never more than `longest`, and
            never None once `longest` octets are there.
        flaw: returns the mistake in such a frame (`NoiseReason.CHECKSUM`), or None if the frame is good. Like
            `extent`, it sees no preamble.
        direction: returns the sender of a good frame, where the frame tells.
        lookbehind: how many octets before a frame `head` looks at, if they decide whether a frame may begin.
        resumed: called instead of `extent` for a frame whose length `extent` could not tell before; the third
            argument is the length of the buffer at that time, where the search for the end goes on. Without
            it, each new octet starts the search for the end of a long frame again.
    """

    head: re.Pattern[bytes]
    head_length: int
    starts: bytes
    longest: int
    extent: Callable[[bytes, int], int | None]
    flaw: Callable[[bytes], NoiseReason | None] = _faultless
    direction: Callable[[bytes], Direction | None] = _unknown
    resumed: Callable[[bytes, int, int], int | None] | None = None
    lookbehind: int = 0


class SearchFramer:
    """Framer that finds the frames of one shape in a stream."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._begun = re.compile(b"[%b]" % re.escape(shape.starts))
        self._settled = b""  # the last octets before those pending, as many as the head looks back
        self._pending = b""
        # so many octets were pending when it was too early to tell how long the frame is
        self._searched_length = 0
        self._due = 0  # so many must be pending before there is anything to settle
        self._broken = 0  # so many pending octets belonged to a frame that had a flaw
        self._flaw = NoiseReason.NOISE  # that flaw

    @property
    def pending(self) -> bytes:
        """Return the unfinished frame, or octets that may become the head of one."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        buffer = self._pending + data
        if len(buffer) < self._due:
            self._pending = buffer
            return []
        return self._settle(buffer, final=False)

    def silence(self) -> list[Event]:
        """Settle the pending octets: unfinished starts are noise, finished frames behind them are not."""
        return self._settle(self._pending, final=True)

    def _settle(self, unsettled: bytes, *, final: bool) -> list[Event]:
        shape = self._shape
        buffer, base = self._settled + unsettled, len(self._settled)
        search, preamble, extent_of, flaw_of = shape.head.search, shape.head.groups, shape.extent, shape.flaw
        events: list[Event] = []
        end, searched_length = len(buffer), base + self._searched_length
        resumed = shape.resumed if self._searched_length else None
        self._searched_length = self._due = 0
        self._broken += base
        at = settled = base  # where to look next; what lies before is settled
        while head := search(buffer, at):
            at, start = head.start(), head.start(preamble)
            extent = resumed(buffer, start, searched_length) if resumed else extent_of(buffer, start)
            resumed = None
            behind = end + 1 if extent is None else start + extent
            if behind > end and not final:
                self._searched_length, self._due = (end - at, 0) if extent is None else (0, behind - at)
                break
            data = buffer[start:behind] if behind <= end else b""
            flaw = flaw_of(data) if data else None
            if data and flaw is None:
                if settled < at:
                    events += self._noise(buffer, settled, at, final)
                events.append(Frame(buffer[at:behind], shape.direction(data)))
                at = settled = self._broken = behind
                continue
            if flaw is not None and at >= self._broken:
                if at > self._broken or flaw != self._flaw:
                    events += self._noise(buffer, settled, at, final)
                    settled = at
                self._broken, self._flaw = behind, flaw
            at = start + 1
        else:
            begun = None if final else self._begun.search(buffer, max(at, end - shape.head_length + 1))
            at = begun.start() if begun else end
        events += self._noise(buffer, settled, at, final)
        self._settled = buffer[max(0, at - shape.lookbehind) : at]
        self._pending = buffer[at:]
        self._broken = max(0, self._broken - at)
        return events

    def _noise(self, buffer: bytes, settled: int, at: int, final: bool) -> list[Event]:
        """Return the noise before `at`; up to `_broken` it belonged to a frame with a flaw."""
        broken = min(max(settled, self._broken), at)
        noise: list[Event] = [Noise(buffer[settled:broken], self._flaw)] if settled < broken else []
        if broken < at:
            noise.append(Noise(buffer[broken:at], NoiseReason.CUT if final else NoiseReason.NOISE))
        return noise
