"""Half duplex: one request outstanding, its reply or a time-out, and everything else the line says.

    quiet ─▶ request ─▶ (echo) ─▶ turn-around ─▶ reply ─▶ quiet ...

- Before a request the line has been quiet for t3.5, by the clock and not by the timer, which may be early.
- A reply is cut by the framer of its request, by length and checksum; silence, which a host behind USB cannot
  measure, only settles what was left unfinished. It is taken only if the request accepts it.
- What is not the reply is sorted: the echo of the own request is dropped (echo.py), a late reply of some
  station is counted and told to whoever asked (station.py says what it is worth), the rest is a foreign frame
  or stray octets (stations.py). Why there was no reply is told by what was heard instead (overheard.py).
- A request whose reply could be mistaken for one that is still owed is not sent: its address has to wait, and
  the line is for others.
- A reply's time is that of its first octet, and so is its turn-around; unless nobody was awake when it came
  (wakefulness.py): then the most likely moment is told, and how wrong it may be (stamp.py). Before a
  time-out is declared, what the kernel holds is read.
- A request may go out, and be answered, with other line settings than those of the bus (a meter that is woken
  at 300 baud); the next one has those of the bus again.

While nothing is to be sent, `listen` reads on: an idle line costs no wake-up, a lost port is noticed at once.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.errors import NoReply
from bridge.event_loop import LEAD_S, wait_awake
from bridge.line.echo import Echo, reply_with_copy
from bridge.line.overheard import Overheard, UartCounters
from bridge.line.patience import Patience
from bridge.line.reply import Reply
from bridge.line.reply_timeout import LONGEST_S
from bridge.line.stamp import likely
from bridge.line.station import Station
from bridge.line.stations import Stations
from bridge.line.timed_framer import Arrival, TimedFramer
from bridge.line.wakefulness import Wakefulness
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request

SLACK_S = 0.050  # chunks of a USB adapter come up to 16 ms late, and this process may be late too
LOUD_FOR_S = 1.0  # a line that does not fall quiet for so long has another master on it, or a fault
_MOST_STRAY = 256  # octets of anything else that may come between a request and its reply
_MOST_RESTS = 20  # silences inside a reply, where its specification allows any


class Wire(Protocol):
    """What carries the bytes: a Port, or a script in the tests."""

    @property
    def settings(self) -> LineSettings:
        """Return the line settings in force."""

    async def read(self, deadline: float | None = None) -> bytes:
        """Return all octets since the last call, or wait for some until `deadline` (loop time); b"" then."""

    @property
    def heard_at(self) -> float:
        """Return when the last octets came that `read` returned (loop time)."""

    def has_input(self) -> bool:
        """Return whether octets came that `read` has not returned, also such as the kernel still holds."""

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the device."""

    async def configure(self, settings: LineSettings) -> None:
        """Change the line settings, once the octets written before are on the wire."""

    def uart_errors(self) -> UartCounters | None:
        """Return the error counters of the UART; None if there are none."""


class _Sent(NamedTuple):
    """When a request began to be written, and when it is out on the wire, at the earliest and at the latest.

    A process that is stopped while it writes does not know.
    """

    begun: float
    earliest: float
    latest: float


class Line:
    """The turn-taking on one wire.

    Attributes:
        stations: what is known of each address, and what belongs to none.
        has_echo: whether the last request was heard again.
        echoes: requests that were heard again.
    """

    def __init__(self, wire: Wire, settings: LineSettings, clock: Clock) -> None:
        self.stations = Stations()
        self.has_echo = False
        self.echoes = 0
        self._wire = wire
        self._settings = settings
        self._clock = clock
        self._framer: TimedFramer[Arrival] | None = None  # of the last request; may hold a frame
        self._busy_until = 0.0  # when the last octet was heard, or will have been said
        self._copied_requests: set[bytes] = set()  # requests whose reply begins with a copy of them
        self._wakefulness = Wakefulness()

    async def exchange(
        self,
        request: Request,
        address: str,
        *,
        reply_timeout_s: float,
        gap_s: float = 0.0,
        is_retry: bool = False,
        patience: Patience = Patience.USUAL,
    ) -> Reply:
        """Send a request once and wait for its reply.

        Args:
            request: what to ask.
            address: of the station that is asked.
            reply_timeout_s: from the end of the request to the first octet of the reply, as configured. Less
                is waited for a station that is known to be quicker, more for one that is known to be slower,
                up to `LONGEST_S`. The rest must follow at the line's speed.
            gap_s: least quiet time before the request, where longer than t3.5.
            is_retry: the same request was just left unanswered.
            patience: what kind of try it is.

        Raises:
            NoReply: none came, or nothing that can be believed; `cause` says which.
            PortLost: from the wire.
        """
        station = self.stations[address]
        try:
            sent = await self._say_when_quiet(station, request, gap_s, is_retry=is_retry)
            uart_errors = self._wire.uart_errors()
            self.stations.other_master.asked()
            station.record_request(request, sent.latest, is_retry=is_retry)
            wait_s = station.reply_timeout.wait_s(reply_timeout_s, patience)
            overheard = Overheard()
            try:
                answer = await self._hear(station, request, sent.latest + wait_s, overheard)
            except Exception:
                self._framer = None  # it may be what failed
                raise
        finally:
            self._wakefulness.stop()
        station.busy_s += _now() - sent.begun
        if answer is None:
            overheard.add_uart(uart_errors, self._wire.uart_errors())
            overheard.has_other_master = self.stations.other_master.is_likely(_now())
            if overheard.is_damaged and station.was_damaged:
                overheard.data += await self._drain()
            cause = overheard.cause(request)
            station.record_timeout(
                reply_timeout_s,
                is_damaged=overheard.is_damaged,
                is_owed=self._may_be_of_another(station, request, overheard),
                patience=patience,
            )
            missing = _no_reply(request, cause, f", after {1000 * wait_s:.0f} ms")
            missing.octets = overheard.data
            if overheard.began_at is not None:
                missing.turn_around_s = max(0.0, overheard.began_at - sent.latest)
            raise missing
        self.stations.other_master.answered()
        frame, arrival = answer
        arrival, error_s = likely(arrival, station.reply_timeout, sent.earliest)
        turn_around_s = station.record_reply(
            frame, arrival.at, self._busy_until, is_measured=not arrival.gap_s
        )
        if request.clears and not any(owing.may_say(frame) for owing in self.stations.values()):
            station.clear()
        return Reply(frame, arrival.taken, turn_around_s, error_s)

    async def send(self, request: Request, address: str, *, gap_s: float = 0.0) -> None:
        """Send a request that is not answered; return when it is on the wire. Errors as for `exchange`."""
        station = self.stations[address]
        try:
            sent = await self._say_when_quiet(station, request, gap_s, is_retry=False)
        finally:
            self._wakefulness.stop()
        await asyncio.sleep(sent.latest - _now())
        station.requests += 1
        station.busy_s += _now() - sent.begun

    def patience_s(self, request: Request, reply_timeout_s: float, gap_s: float) -> float:
        """Return the longest that one try of a request can take, whatever the line does."""
        reply_timeout_s = max(reply_timeout_s, LONGEST_S)
        quiet_s = max(gap_s, request.pause_s) + 2 * max(2 * reply_timeout_s, LOUD_FOR_S)
        octets = len(request.data) + max(request.reply_length, request.longest_reply) + _MOST_STRAY
        settings_in_use = (self._settings, request.line, request.reply_line)
        slowest = min(settings.baudrate for settings in settings_in_use if settings)
        wire_s = LineSettings(slowest, 8, "E", 2).duration_s(octets)
        return quiet_s + wire_s + reply_timeout_s + _MOST_RESTS * request.rest_s

    async def listen(self, until: float) -> None:
        """Sort unexpected octets until then (loop time).

        Raises:
            PortLost: from the wire.
        """
        while _now() < until:
            is_unfinished = self._framer is not None and self._framer.pending
            await self._overhear(min(until, self._busy_until + SLACK_S) if is_unfinished else until)

    async def _say_when_quiet(
        self, station: Station, request: Request, gap_s: float, *, is_retry: bool
    ) -> _Sent:
        """Write a request once the line is quiet and this station owes no reply that could be mistaken.

        An owed reply is waited for as long as it is likely to come, no longer: other devices need the line.
        """
        gap_s = max(gap_s, request.pause_s, self._settings.frame_gap_s)
        loud_at: float | None = None
        while True:
            is_unfinished = self._framer is not None and bool(self._framer.pending)
            quiet_at = self._busy_until + (max(gap_s, SLACK_S) if is_unfinished else gap_s)
            is_held = not is_retry and station.clear_at(request) > _now()
            if is_held:
                wait_until = min(station.clear_at(request), station.soon_at(request))
                if wait_until <= _now() and quiet_at <= _now():
                    station.record_held(request)
                    raise _no_reply(request, Cause.HELD)
                quiet_at = max(quiet_at, wait_until)
            is_last_wait = not is_unfinished and not is_held
            if not await self._overhear(quiet_at - LEAD_S if is_last_wait else quiet_at):
                if is_last_wait and (sent := await self._say(request, quiet_at)):
                    return sent
            elif not is_held:
                loud_at = loud_at or self._busy_until + gap_s + LOUD_FOR_S
                if self._busy_until > loud_at:
                    raise _no_reply(request, Cause.LOUD)

    async def _say(self, request: Request, quiet_at: float) -> _Sent | None:
        """Write a request at `quiet_at`, and set the wire for the reply; None: octets came just before.

        What takes time is done before the last wait: behind it, every microsecond is one more of silence.
        """
        settings = request.line or self._settings
        await self._configure(settings)
        duration_s = settings.duration_s(len(request.data))
        self._wakefulness.start()
        await wait_awake(quiet_at)
        if self._wire.has_input():
            self._wakefulness.stop()
            return None
        begun = _now()
        await self._wire.write(request.data)
        latest = self._busy_until = _now() + duration_s
        if request.reply_line is not None:
            await asyncio.sleep(latest - _now())
            await self._configure(request.reply_line)
        return _Sent(begun, begun + duration_s, latest)

    async def _configure(self, settings: LineSettings) -> None:
        if settings != self._wire.settings:
            await self._wire.configure(settings)

    async def _drain(self) -> bytes:
        """Sort what follows a damaged reply until the line falls quiet; return these octets."""
        octets, limit = b"", _now() + LOUD_FOR_S
        while more := await self._overhear(min(limit, self._busy_until + SLACK_S)):
            octets += more
        return octets

    async def _overhear(self, deadline: float) -> bytes:
        """Sort what comes first until then, which no request waits for; return these octets."""
        data = await self._read(deadline)
        if self._framer is None:
            self.stations.stray_octets += len(data)
        else:
            for event, arrival in (
                self._framer.feed(data, self._arrival()) if data else self._framer.silence()
            ):
                self.stations.sort(event, arrival)
        return data

    async def _hear(
        self, station: Station, request: Request, due_at: float, overheard: Overheard
    ) -> tuple[Frame, Arrival] | None:
        """Return the reply with the arrival of its first octet; None if none began until `due_at`.

        A reply that began is received to its end. Other events are counted in `overheard`.
        """
        echo = Echo(request, is_usual=self.has_echo, is_of_reply=request.data in self._copied_requests)
        framer = self._framer = TimedFramer(request.framer())
        raw = b""
        first: Arrival | None = None
        longest = max(request.reply_length, request.longest_reply) + _MOST_STRAY
        rest_s = self._wire.settings.duration_s(longest) + _MOST_RESTS * request.rest_s + SLACK_S
        while True:
            slept_s = self._wakefulness.slept_s
            deadline = due_at + slept_s
            limit = deadline + rest_s
            if framer.pending or echo.is_waiting:
                settings = self._wire.settings
                missing_s = settings.duration_s(max(0, request.reply_length - len(overheard.data)))
                pause_s = max(request.rest_s, max(missing_s, settings.gathering_s) + SLACK_S)
                deadline = min(limit, self._busy_until + pause_s)
            data = await self._read(deadline)
            arrival = self._arrival()
            first = first or arrival
            raw += data
            octets_of_reply = echo.strip(data) if data else echo.release()
            overheard.data += octets_of_reply
            if octets_of_reply and overheard.began_at is None:
                overheard.began_at = self._busy_until
            events = framer.feed(octets_of_reply, arrival)
            if not data:
                events += framer.silence()
            for index, (event, began) in enumerate(events):
                if (
                    isinstance(event, Frame)
                    and request.accepts(event)
                    and not station.is_for_earlier(request, event)
                ):
                    self.has_echo = echo.is_found
                    self.echoes += echo.is_found
                    for later_event, later_began in events[index + 1 :]:
                        self.stations.sort(later_event, later_began)
                    return event, began
                owner = self.stations.sort(event, began)
                if owner is None:
                    overheard.add(request, event)
                elif owner.station is station:
                    overheard.late_replies += owner.is_late
                    overheard.second_replies += not owner.is_late
            is_over = overheard.damaged_octets >= max(1, request.reply_length) or self._busy_until > limit
            if is_over or (not data and _now() >= due_at + self._wakefulness.slept_s):
                overheard.has_echo = echo.is_found
                whole = reply_with_copy(request, raw) if echo.is_found else None
                if whole is None:
                    self._copied_requests.discard(request.data)
                    return None
                self._copied_requests.add(request.data)
                return whole, first

    def _may_be_of_another(self, station: Station, request: Request, overheard: Overheard) -> bool:
        """Return whether the damaged octets may have been the late reply to another request."""
        suspects = [station] if overheard.is_own_damaged else self.stations.values()
        return any(suspect.owes_beside(request, _now()) for suspect in suspects)

    def _arrival(self) -> Arrival:
        return Arrival(self._busy_until, self._clock.now(), self._wakefulness.gap_s())

    async def _read(self, deadline: float) -> bytes:
        """Return the first octets until then; b"" if none come, and none wait in the kernel either."""
        while True:
            data = await self._wire.read(deadline)
            if not data and _now() >= deadline and self._wire.has_input():
                await asyncio.sleep(0)  # the loop looks at the descriptor,
                await asyncio.sleep(0)  # and takes what is there
                data = await self._wire.read(deadline)
            if data:
                self._busy_until = self._wire.heard_at
            if data or _now() >= deadline:
                return data


def _no_reply(request: Request, cause: Cause, waited: str = "") -> NoReply:
    return NoReply(f"{request.summary}: {diagnosis(cause).observation}{waited}", cause)


def _now() -> float:
    return asyncio.get_running_loop().time()
