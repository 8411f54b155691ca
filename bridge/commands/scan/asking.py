"""One request of a search on the wire, and everything that is heard after it.

The turn-taking is that of `bridge.line`, but the questions are others: nobody is known yet, most requests go
to addresses that do not exist, and what is no reply matters as much as what is one.

    quiet ─▶ request ─▶ (echo) ─▶ wait for a first octet ─▶ hear the line out ─▶ frames, octets

- A silent address costs its short time-out and no more. A slow device answers while others are asked: its
  frame tells who it is, so it is handed on among `others`. Nothing is sent into a reply under way.
- Octets that come although nobody was asked, frames of requests above all, are another master's: `Intruder`
  is raised before the next request is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.line import SLACK_S, Wire
from bridge.line.echo import Echo
from protocols.toolkit.framing import Direction, Event, Frame, Framer
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import Heard, Probe

LOUD_FOR_S = 2.0
"""A line that does not fall quiet for so long after a request belongs to somebody else."""

USB_S = 0.016
"""The longest that a USB adapter keeps octets before it hands them over (FTDI's latency timer)."""

_CHUNK = 8  # octets that a UART may collect before it hands them over


class Intruder(Exception):
    """Somebody else asks or talks on this line: nothing more may be sent."""


@dataclass(slots=True)
class _Window:
    """What came since a request was sent."""

    octets: bytes = b""
    first_at: float = 0.0
    last_at: float = 0.0


class Asker:
    """Sends the requests of searches on one wire.

    Attributes:
        octets_sent: how many octets went out.
        octets_heard: how many came, echoes left out.
    """

    def __init__(self, wire: Wire) -> None:
        self.octets_sent = 0
        self.octets_heard = 0
        self._wire = wire
        self._busy_until = _now()
        self._has_echo = False
        self._early = b""  # octets that came while the line had to fall quiet

    async def ask(self, probe: Probe, line: LineSettings, framer: Callable[[], Framer]) -> Heard:
        """Send a request, once the line is quiet, and return what was heard.

        Args:
            probe: what is asked.
            line: the line settings in force.
            framer: makes a framer of both directions of the line, which finds what is no reply.

        Raises:
            Intruder: another master is at work.
            PortLost: from the wire.
        """
        request = probe.request
        settings = request.line or line
        if settings != self._wire.settings:
            await self._wire.configure(settings)
        await self._fall_quiet(settings, max(settings.frame_gap_s, request.pause_s))
        if _is_request(self._early, framer):
            raise Intruder
        sent_at = await self._say(request, settings)
        window = await self._hear(probe, settings, sent_at)
        early, self._early = self._early, b""
        return self._sorted(request, early, window, sent_at, framer)

    async def _fall_quiet(self, settings: LineSettings, gap_s: float) -> None:
        """Wait until nothing was heard for so long; what is heard meanwhile counts as `early`."""
        limit = _now() + LOUD_FOR_S
        while (quiet_at := self._busy_until + gap_s) > _now():
            data = await self._read(quiet_at)
            if data:  # the rest of it may be gathered on its way
                self._early += data
                gap_s = max(gap_s, settings.gathering_s + USB_S)
            if self._busy_until > limit:
                raise Intruder
        # What the kernel already holds came before this request.
        self._early += await self._read(_now())

    async def _say(self, request: Request, settings: LineSettings) -> float:
        """Write a request; return when its last octet is on the wire."""
        await self._wire.write(request.data)
        self.octets_sent += len(request.data)
        sent_at = self._busy_until = _now() + settings.duration_s(len(request.data))
        if request.reply_line is not None:
            await asyncio.sleep(sent_at - _now())
            await self._wire.configure(request.reply_line)
        return sent_at

    async def _hear(self, probe: Probe, settings: LineSettings, sent_at: float) -> _Window:
        """Return what came until the line was silent for the time-out, or quiet again after a reply."""
        request = probe.request
        heard_at = request.reply_line or settings
        window, framer = _Window(first_at=sent_at, last_at=sent_at), request.framer()
        echo = Echo(request, is_usual=self._has_echo)
        chunk_s = heard_at.duration_s(min(_CHUNK, request.reply_length))
        due_at = sent_at + probe.reply_within_s + chunk_s
        limit = due_at + LOUD_FOR_S + heard_at.duration_s(max(request.longest_reply, request.reply_length))
        has_reply = False
        while True:
            deadline = due_at
            if window.octets and not has_reply:  # hear it out
                rest_s = max(request.rest_s, heard_at.gathering_s)
                rest_s += SLACK_S if framer.pending else USB_S
                deadline = max(due_at, self._busy_until + rest_s)
            elif has_reply:
                deadline = max(self._busy_until + probe.linger_s, due_at if probe.waits_out else 0.0)
            data = await self._read(min(deadline, limit))
            octets = echo.strip(data) if data else echo.release()
            self._has_echo = self._has_echo or echo.is_found
            if octets:
                window.last_at = _now()
                window.first_at = window.first_at if window.octets else _now()
            window.octets += octets
            events = framer.feed(octets) if octets else []
            if not data and not octets:
                events += framer.silence()
            is_new = not has_reply and any(_is_reply(request, event) for event in events)
            has_reply = has_reply or is_new
            if has_reply and not probe.linger_s and not probe.waits_out:
                return window
            if is_new:  # from the last octet on a second device may answer, also where silence made the frame
                continue
            if (not data and not octets and _now() >= deadline) or _now() >= limit:
                return window

    async def _read(self, deadline: float) -> bytes:
        """Return what came first until then; b"" if nothing did."""
        data = await self._wire.read(deadline)
        if data:
            self._busy_until = _now()
            self.octets_heard += len(data)
        return data

    def _sorted(
        self,
        request: Request,
        early: bytes,
        window: _Window,
        sent_at: float,
        framer: Callable[[], Framer],
    ) -> Heard:
        """Return what was heard before and after a request, told apart."""
        reply: Frame | None = None
        others = _frames(framer(), early)
        for event in _events(request.framer(), window.octets):
            if not isinstance(event, Frame):
                continue
            if reply is None and request.accepts(event):
                reply = event
            else:
                others.append(event)
        if reply is None and not others:
            others = _frames(framer(), window.octets)
        others = [other for other in others if other.data != request.data]  # an echo behind stray octets
        if any(other.direction is Direction.REQUEST for other in others):
            raise Intruder
        octets = early + window.octets
        first_s, last_s = (max(0.0, at - sent_at) for at in (window.first_at, window.last_at))
        return Heard(reply, tuple(others), octets, first_s, last_s)


def _is_reply(request: Request, event: Event) -> bool:
    return isinstance(event, Frame) and request.accepts(event)


def _is_request(octets: bytes, framer: Callable[[], Framer]) -> bool:
    return any(frame.direction is Direction.REQUEST for frame in _frames(framer(), octets))


def _events(framer: Framer, octets: bytes) -> list[Event]:
    return [*framer.feed(octets), *framer.silence()] if octets else []


def _frames(framer: Framer, octets: bytes) -> list[Frame]:
    return [event for event in _events(framer, octets) if isinstance(event, Frame)]


def _now() -> float:
    return asyncio.get_running_loop().time()
