"""Half duplex: one request outstanding, its reply or a timeout, and everything else the line says.

    quiet ─▶ request ─▶ (echo) ─▶ turn-around ─▶ reply ─▶ quiet ...

- Before a request the line has been quiet for t3.5, by the clock and not by the timer, which may be early.
- A reply is cut by the framer of its request, by length and checksum; silence, which a host behind USB cannot
  measure, only settles what was left unfinished. It is taken only if the request accepts it.
- What is not the reply is sorted: the echo of the own request is dropped (echo.py), a late reply of some
  station is counted and never believed (station.py), the rest is a foreign frame or stray octets.
- A reply's time is that of its first octet, and so is its turn-around.
- A request may go out, and be answered, with other line settings than those of the bus (a meter that is woken
  at 300 baud); the next one has those of the bus again.

While nothing is to be sent, `listen` reads on: an idle line costs no wake-up, a lost port is noticed at once.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

from bridge.clock import Clock, Instant
from bridge.errors import NoReply
from bridge.line.echo import Echo
from bridge.line.station import Station
from protocols.dialogue import LineSettings, Request
from protocols.framing import Event, Frame, Framer

SLACK_S = 0.050  # chunks of a USB adapter come up to 16 ms late, and this process may be late too
LOUD_FOR_S = 1.0  # a line that does not fall quiet for so long has another master on it, or a fault
_MOST_STRAY = 256  # octets of anything else that may come between a request and its reply
_MOST_RESTS = 20  # silences inside a reply, where its specification allows any


class Wire(Protocol):
    """What carries the bytes: a Port, or a script in the tests."""

    @property
    def settings(self) -> LineSettings: ...

    async def read(self, deadline: float | None = None) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def configure(self, settings: LineSettings) -> None: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request.

    Attributes:
        frame: as it was on the wire.
        taken: arrival of its first octet.
        turn_around_s: from the end of the request on the wire to that octet.
    """

    frame: Frame
    taken: Instant
    turn_around_s: float


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What one read brought: how many octets came before it, and when."""

    start: int
    at: float
    taken: Instant


class Line:
    """The turn-taking on one wire.

    Attributes:
        stations: what is known of each address.
        has_echo: whether the last request was heard again.
        echoes: requests that were heard again.
        foreign_frames: good frames that nobody here asked for.
        stray_octets: octets that belonged to no good frame.
    """

    def __init__(self, wire: Wire, settings: LineSettings, clock: Clock) -> None:
        self.stations: defaultdict[str, Station] = defaultdict(Station)
        self.has_echo = False
        self.echoes = 0
        self.foreign_frames = 0
        self.stray_octets = 0
        self._wire = wire
        self._settings = settings
        self._clock = clock
        self._ear: Framer | None = None  # that of the last request; it may hold an unfinished frame
        self._busy_until = 0.0  # when the last octet was heard, or will have been said

    async def exchange(
        self,
        request: Request,
        address: str,
        *,
        reply_timeout_s: float,
        gap_s: float = 0.0,
        is_retry: bool = False,
    ) -> Reply:
        """Sends a request once and waits for its reply.

        Args:
            request: what to ask.
            address: of the station that is asked.
            reply_timeout_s: the longest from the end of the request to the first octet of the reply; less is
                waited once the station's own turn-around is known. The rest must follow at the line's speed.
            gap_s: least quiet time before the request, where longer than t3.5.
            is_retry: the same request was just left unanswered.

        Raises:
            NoReply: none came, or a damaged one; the station has it counted.
            PortLost: from the wire.
        """
        station = self.stations[address]
        await self._fall_quiet(station, request, gap_s, is_retry=is_retry)
        begun = _now()
        sent = await self._say(request)
        station.sent(request, sent, is_retry=is_retry)
        timeout_s = station.turn_around.reply_timeout_s(reply_timeout_s)
        found, is_damaged = await self._hear(request, sent + timeout_s)
        station.busy_s += _now() - begun
        if found is None:
            station.unanswered(reply_timeout_s, is_damaged=is_damaged)
            what = "a damaged reply" if is_damaged else f"no reply within {timeout_s * 1000:.0f} ms"
            raise NoReply(f"{request.summary}: {what}")
        frame, chunk = found
        return Reply(frame, chunk.taken, station.answered(frame, chunk.at))

    async def send(self, request: Request, address: str, *, gap_s: float = 0.0) -> None:
        """Sends a request that is not answered; returns when it is on the wire. Errors as for `exchange`."""
        station = self.stations[address]
        await self._fall_quiet(station, request, gap_s, is_retry=False)
        begun = _now()
        await asyncio.sleep(await self._say(request) - _now())
        station.requests += 1
        station.busy_s += _now() - begun

    def patience_s(self, request: Request, reply_timeout_s: float, gap_s: float) -> float:
        """The longest that one try of a request can take, whatever the line does."""
        quiet_s = max(gap_s, request.pause_s) + 2 * max(2 * reply_timeout_s, LOUD_FOR_S)
        octets = len(request.data) + max(request.reply_length, request.longest_reply) + _MOST_STRAY
        slowest = min(each.baudrate for each in (self._settings, request.line, request.reply_line) if each)
        said_s = LineSettings(slowest, 8, "E", 2).duration_s(octets)
        return quiet_s + said_s + reply_timeout_s + _MOST_RESTS * request.rest_s

    async def listen(self, until: float) -> None:
        """Sorts what the line says of itself until then (loop time).

        Raises:
            PortLost: from the wire.
        """
        while _now() < until:
            is_unfinished = self._ear is not None and self._ear.pending
            await self._overhear(min(until, self._busy_until + SLACK_S) if is_unfinished else until)

    async def _fall_quiet(self, station: Station, request: Request, gap_s: float, *, is_retry: bool) -> None:
        """Waits until the line was quiet long enough, and this station owes no reply to be mistaken."""
        gap_s = max(gap_s, request.pause_s, self._settings.frame_gap_s)
        loud_at: float | None = None
        while True:
            unfinished = self._ear is not None and self._ear.pending
            quiet_at = self._busy_until + (max(gap_s, SLACK_S) if unfinished else gap_s)
            clear_at = -math.inf if is_retry else station.clear_at(request)
            if not await self._overhear(max(quiet_at, clear_at)):
                if not unfinished:
                    return
            elif self._busy_until > clear_at:
                loud_at = loud_at or self._busy_until + gap_s + LOUD_FOR_S
                if self._busy_until > loud_at:
                    raise NoReply(
                        "the line does not fall quiet: another master, or a device that does not stop"
                    )

    async def _say(self, request: Request) -> float:
        """Writes a request; returns when it is out on the wire, which then is set for the reply."""
        settings = request.line or self._settings
        await self._configure(settings)
        await self._wire.write(request.data)
        sent = self._busy_until = _now() + settings.duration_s(len(request.data))
        if request.reply_line is not None:
            await asyncio.sleep(sent - _now())
            await self._configure(request.reply_line)
        return sent

    async def _configure(self, settings: LineSettings) -> None:
        if settings != self._wire.settings:
            await self._wire.configure(settings)

    async def _overhear(self, deadline: float) -> bool:
        """Sorts what comes first until then, which no request waits for; False if nothing came."""
        data = await self._read(deadline)
        if self._ear is None:
            self.stray_octets += len(data)
        else:
            for event in self._ear.feed(data) if data else self._ear.silence():
                self._sort(event)
        return bool(data)

    async def _hear(self, request: Request, due: float) -> tuple[tuple[Frame, _Chunk] | None, bool]:
        """The reply with the chunk it began in, or None; and whether a damaged one came.

        A reply that began until `due` is heard to its end.
        """
        echo = Echo(request, is_usual=self.has_echo)
        ear = self._ear = request.framer()
        chunks: list[_Chunk] = []
        octets = settled = damaged = 0
        longest = max(request.reply_length, request.longest_reply) + _MOST_STRAY
        limit = due + self._wire.settings.duration_s(longest) + _MOST_RESTS * request.rest_s + SLACK_S
        while True:
            deadline = due
            if ear.pending or echo.is_waiting:
                missing = max(0, request.reply_length - octets)
                rest_s = max(request.rest_s, self._wire.settings.duration_s(missing) + SLACK_S)
                deadline = min(limit, self._busy_until + rest_s)
            data = await self._read(deadline)
            heard = echo.strip(data) if data else echo.release()
            if heard:
                chunks.append(_Chunk(octets, self._busy_until, self._clock.now()))
                octets += len(heard)
            events = ear.feed(heard)
            if not data:
                events += ear.silence()
            for index, event in enumerate(events):
                if isinstance(event, Frame) and request.accepts(event):
                    self.has_echo = echo.is_found
                    self.echoes += echo.is_found
                    for other in events[index + 1 :]:
                        self._sort(other)
                    return (event, next(chunk for chunk in reversed(chunks) if chunk.start <= settled)), False
                if not isinstance(event, Frame) and event.reason == "checksum":
                    damaged += len(event.data)
                settled += len(event.data)
                self._sort(event)
            is_damaged = damaged >= request.reply_length
            if is_damaged or (not data and _now() >= due) or self._busy_until > limit:
                return None, damaged > 0

    async def _read(self, deadline: float) -> bytes:
        """What comes first until then; b"" if nothing does."""
        while True:
            data = await self._wire.read(deadline)
            if data:
                self._busy_until = _now()
            if data or _now() >= deadline:
                return data

    def _sort(self, event: Event) -> None:
        """Counts what is not the reply that is waited for."""
        if not isinstance(event, Frame):
            self.stray_octets += len(event.data)
        elif not any(station.takes(event, self._busy_until) for station in self.stations.values()):
            self.foreign_frames += 1


def _now() -> float:
    return asyncio.get_running_loop().time()
