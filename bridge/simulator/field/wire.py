"""One half-duplex wire with devices on it: its physics as a pure model, on a clock that the caller moves.

    host ── write(data, now) ──▶ ┌ wire ┐ ──▶ units: answer(request)
    host ◀── advance(now) ────── └──────┘ ◀── replies, octet by octet

Every transmission lies on the wire as octets with a time each. A transmission that begins during another
spoils the octets of both that overlap: the host's request is then understood by nobody, a device's reply
arrives garbled. A device does not listen before it talks, as on RS-485.

A request is through when its last octet is; then each unit that it concerns takes it. A unit may be switched
off, asleep, stalled with requests queued, or refuse (device_faults.py). Its reply begins a turn-around later
and arrives in the chunks in which a UART hands octets over. Where host and device have other line settings,
each hears what its UART makes of the other (uart.py). Nothing here reads a clock, opens or waits: the same
model is played on a pseudo terminal in real time (bus.py), and on an event loop whose clock jumps.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol

from bridge.simulator.field.device_faults import DEVICE_BUSY, LineFaults, Stall, UnitFaults, spoiled, strikes
from bridge.simulator.field.medium import Medium
from bridge.simulator.field.reception import Reception, Script, Speech
from bridge.simulator.field.station import Station
from bridge.simulator.field.transmission import Served, Transmission
from bridge.simulator.field.uart import heard_by_host, understands
from protocols.modbus.simulation import MODBUS_RTU
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.simulation import Address, Dialect

_CHUNK = 8  # octets that a UART collects before it hands them over
_PENDING_SILENCE_S = 0.05  # a request that does not go on for so long was cut
_NOISE_WITHIN_S = 0.2  # of the begin of a request


class Unit(Protocol):
    """A device that answers at one address."""

    def answer(self, request: Frame) -> Answer:
        """Return the whole reply to a request, or None where a device keeps silent."""
        ...


Answer = bytes | Sequence[tuple[LineSettings, bytes]] | None
"""A reply; or several messages, each with the settings it is sent with."""


_Event = Callable[[float, float], bytes]
"""Called with when it was due and what the time is now; returns the octets that the host hears."""


class Wire:
    """A line with devices on it. Times are seconds of one monotonic clock.

    Attributes:
        units: the devices, by address; may be changed at any time.
        faults: the faults of each device, by address.
        speech: how a device speaks, by address, where that is not the protocol and the setting of the line.
        line_faults: the faults of the whole line.
        host_line: the settings of the host, where they are not those of the line.
        is_full_duplex: both directions have wires of their own, so that nothing collides.
        echo: the adapter hears itself: every request comes back before the reply.
        paced: keep the wire's time; otherwise transmissions take no time and nothing collides.
        turn_around_s: from the end of a request to the first octet of its reply.
        served: the undamaged replies given, in order.
        requests: requests heard, by address.
        early: requests that began before the line had been quiet for t3.5, counted while `paced`.
        collisions: transmissions that others spoilt.
    """

    def __init__(
        self,
        units: Mapping[int, Unit] | Mapping[str, Unit],
        line: LineSettings,
        *,
        dialect: Dialect = MODBUS_RTU,
        paced: bool = True,
        turn_around_s: float = 0.005,
        seed: int = 0,
    ) -> None:
        self.units: dict[Address, Unit] = dict[Address, Unit](units.items())
        self.faults: dict[Address, UnitFaults] = defaultdict(UnitFaults)
        self.speech: dict[Address, Speech] = {}
        self.line_faults = LineFaults()
        self.host_line: LineSettings | None = None
        self.is_full_duplex = False
        self.echo = False
        self.paced = paced
        self.turn_around_s = turn_around_s
        self.served: list[Served] = []
        self.requests: Counter[Address] = Counter()
        self.early = 0
        self.collisions = 0
        self._line = line
        self._own_speech = Speech(dialect, line)
        self._random = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._stations: dict[Address | None, Station] = defaultdict(Station)  # None: the converter
        self._events: list[tuple[float, int, _Event]] = []  # a heap: what happens when
        self._number = 0  # decides where two events are due at once
        self._medium = Medium(self._random)
        self._receptions: dict[Speech, Reception] = {}
        self._now = 0.0
        self._host_until = 0.0  # when the last octet of the host will have been through
        self._busy_until = 0.0  # the same of anybody whom the host has heard

    # The host's side.

    def write(self, data: bytes, now: float) -> None:
        """Put octets of the host on the wire, behind those that it is still sending."""
        self._now = now
        if not data:
            return
        is_new = not any(reception.is_pending for reception in self._receptions.values())
        self.early += self.paced and is_new and now < self._busy_until + self._line.frame_gap_s
        line = self.host_line or self._line
        part = self._lay(data, max(now, self._host_until if self.paced else now), line=line)
        self._host_until = part.ends_at
        self._busy_until = max(self._busy_until, part.ends_at)
        if self.echo:
            self._at(part.ends_at, lambda _due_at, _now: bytes(part.data))
        self._take(self._receptions, part, data)
        if any(reception.is_pending for reception in self._receptions.values()):
            self._at(part.ends_at + _PENDING_SILENCE_S, self._settle)
        if self._strikes(self.line_faults.noise):
            octets = self._random.randbytes(self._random.randint(1, 8))
            self._send(self._lay(octets, now + self._random.uniform(0, _NOISE_WITHIN_S)))

    def advance(self, now: float) -> bytes:
        """Let everything happen that is due by `now`; return the octets that the host hears."""
        octets = bytearray()
        while self._events and self._events[0][0] <= now:
            due_at, _, event = heapq.heappop(self._events)
            self._now = max(self._now, due_at)
            octets += event(due_at, now)
        return bytes(octets)

    @property
    def due_at(self) -> float:
        """Return when `advance` has an event next; `math.inf` if none comes before the host writes."""
        return self._events[0][0] if self._events else math.inf

    def clear(self) -> None:
        """Discard all octets and requests under way, as when the adapter is pulled out; the devices stay."""
        self._events.clear()
        self._medium.clear()
        self._receptions.clear()
        for station in self._stations.values():
            station.waiting.clear()
            station.stalled_until = -math.inf

    def interject(self, data: bytes, at: float) -> None:
        """Put octets of a third party on the wire from `at` on: of another master, or of what babbles."""
        self._send(self._lay(data, at))

    def play(
        self, script: Iterator[tuple[float, bytes]], at: float, line: LineSettings, *, is_master: bool = False
    ) -> None:
        """Have another sender beside the host: a sensor that pushes, or another master.

        Args:
            script: for each message the seconds of silence before it, and its octets.
            at: when it begins, in seconds of the wire's clock.
            line: the settings of the sender.
            is_master: the devices answer its messages.
        """
        self._await(Script(script, line, {} if is_master else None), at)

    def power_cut(self, address: Address, back_at: float, *, deaf_s: float, refusing_s: float = 0.0) -> None:
        """Take a device's power away until `back_at`; it boots deaf, then refuses as busy, then serves."""
        station = self._stations[address]
        station.deaf_until = back_at + deaf_s
        station.refusing_until = station.deaf_until + refusing_s

    # Requests on their way to the devices.

    def _take(self, receptions: dict[Speech, Reception], part: Transmission, data: bytes) -> None:
        """Let the devices hear octets of a master; they take a request once it is through.

        Args:
            receptions: what the devices of each speech have heard of that master.
            part: the octets on the wire.
            data: the octets that were sent.
        """
        speeches = {self.speech.get(address, self._own_speech) for address in self.units}
        for speech in speeches or {self._own_speech}:
            reception = receptions.setdefault(speech, Reception(speech))
            for request, parts in reception.take(part, data):
                self._at(part.ends_at, partial(self._hear, speech, request, parts))

    def _hear(
        self, speech: Speech, request: Frame, parts: tuple[Transmission, ...], due_at: float, now: float
    ) -> bytes:
        """Give a request that is through to the devices that it concerns."""
        if any(part.is_garbled for part in parts):
            return b""
        self.requests[speech.dialect.address(request)] += 1
        self._queue(None, self.line_faults.converter, partial(self._distribute, speech, request), due_at)
        return b""

    def _distribute(self, speech: Speech, request: Frame, at: float) -> float:
        """Let each device that a request concerns take it; return when the last reply is through."""
        ends_at = at
        for address, unit in self.units.items():
            if self.speech.get(address, self._own_speech) != speech:
                continue
            is_concerned = speech.dialect.concerns(request, address)
            if is_concerned and self._stations[address].is_awake(self.faults[address], at):
                answer = partial(self._answer, speech, address, unit, request)
                ends_at = max(ends_at, self._queue(address, self.faults[address].stall, answer, at))
        return ends_at

    def _queue(
        self, address: Address | None, stall: Stall, answer: Callable[[float], float], at: float
    ) -> float:
        """Have a device answer now, or after its stall; return the end of an answer now, else `at`."""
        station = self._stations[address]
        if at >= station.stalled_until and not station.waiting:
            if not self._strikes(stall.share):
                return answer(at)
            station.stalled_until = at + self._random.uniform(stall.shortest_s, stall.longest_s)
            self._at(station.stalled_until, partial(self._resume, station))
        if len(station.waiting) < stall.depth:
            station.waiting.append(answer)
        return at

    def _resume(self, station: Station, due_at: float, now: float) -> bytes:
        """Answer the requests that came during a stall, one after the other."""
        waiting, station.waiting = station.waiting, []
        at = due_at
        for answer in waiting:
            at = answer(at)
        if at > due_at:  # requests that come before its last answer is through wait too
            station.stalled_until = at
            self._at(at, partial(self._resume, station))
        return b""

    # Replies on their way to the host.

    def _answer(self, speech: Speech, address: Address, unit: Unit, request: Frame, at: float) -> float:
        """Lay a device's reply to a request on the wire; return when its last octet is through."""
        faults = self.faults[address]
        message = speech.dialect.message(request)
        if self._strikes(faults.silent) or (faults.silent_on and faults.silent_on.covers(message)):
            return at
        reply = unit.answer(request)
        if reply is None:
            return at
        begins_at = at + (self.turn_around_s if self.paced else 0.0)
        if not isinstance(reply, bytes):
            return self._send_all(reply, begins_at)
        code = self._refusal(address, message, at)
        if code is not None:
            reply = speech.dialect.refused(request, code)
        octets = spoiled(reply, faults, speech.dialect, self._random)
        begins_at += self._lateness_s(faults) if self._strikes(faults.late) else 0.0
        pause_at = len(octets) // 2 if self._strikes(faults.split) else None
        served = (
            Served(address, 0.0, message, speech.dialect.message(Frame(reply))) if reply in octets else None
        )
        transmission = self._lay(octets, begins_at, pause_at, faults.split_s, served, line=speech.line)
        if faults.twin_s is not None:
            self._send(self._lay(octets, begins_at + faults.twin_s, line=speech.line))
        self._send(transmission, pause_at)
        return transmission.ends_at

    def _lateness_s(self, faults: UnitFaults) -> float:
        """Return how late a reply comes that is late."""
        if faults.latest_s <= faults.late_s:
            return faults.late_s
        return self._random.uniform(faults.late_s, faults.latest_s)

    def _send_all(self, messages: Sequence[tuple[LineSettings, bytes]], at: float) -> float:
        """Lay messages on the wire, a turn-around between them; return when the last one is through."""
        for line, message in messages:
            transmission = self._lay(message, at, line=line)
            self._send(transmission)
            at = transmission.ends_at + self.turn_around_s
        return at

    def _refusal(self, address: Address, message: bytes, at: float) -> int | None:
        """Return the exception code with which a device refuses a request; None if it serves it."""
        faults = self.faults[address]
        if at < self._stations[address].refusing_until:
            return DEVICE_BUSY
        if faults.refuse_on is not None and faults.refuse_on.covers(message):
            return faults.refuse_codes[0]
        if self._strikes(faults.refuse):
            return self._random.choice(faults.refuse_codes)
        return faults.refuse_with

    def _send(self, transmission: Transmission, pause_at: int | None = None) -> None:
        """Hand a transmission to the host, in the chunks in which a UART does."""
        length = len(transmission.data)
        size = _CHUNK if self.paced else length
        for start, end in pairwise(
            sorted({*range(0, length, size), length, *([pause_at] if pause_at else [])})
        ):
            self._at(transmission.ends[end - 1], partial(self._hand_over, transmission, start, end))

    def _hand_over(
        self, transmission: Transmission, start: int, end: int, due_at: float, now: float
    ) -> bytes:
        """Return octets that have come off the wire, and count the whole reply with its last one."""
        self._busy_until = max(self._busy_until, transmission.ends_at)
        is_last = end == len(transmission.data)
        host_line = self.host_line or self._line
        if transmission.served is not None and understands(host_line, transmission.line):
            if start == 0:
                transmission.served = transmission.served._replace(at=now, delay_s=max(0.0, now - due_at))
            if is_last and not transmission.is_garbled:
                self.served.append(transmission.served)
        if is_last and transmission.is_garbled:
            transmission.seal()
            self.collisions += 1
        return heard_by_host(bytes(transmission.data[start:end]), transmission.line, host_line)

    # The wire.

    def _lay(
        self,
        data: bytes,
        begins_at: float,
        pause_at: int | None = None,
        pause_s: float = 0.0,
        served: Served | None = None,
        *,
        line: LineSettings | None = None,
    ) -> Transmission:
        """Put octets on the wire from `begins_at` on, with a pause before the octet at `pause_at`."""
        return self._medium.lay(
            data,
            begins_at,
            line or self._line,
            pause_at=pause_at,
            pause_s=pause_s,
            served=served,
            is_paced=self.paced,
            collides=not self.line_faults.converter.share and not self.is_full_duplex,
            now=self._now,
        )

    def _settle(self, due_at: float, now: float) -> bytes:
        """Drop a request that was cut."""
        if due_at >= self._host_until + _PENDING_SILENCE_S:
            for reception in self._receptions.values():
                if reception.is_pending:
                    reception.drop()
        return b""

    def _await(self, script: Script, at: float) -> None:
        """Have the next message of a script sent, unless it is over."""
        for pause_s, data in script.messages:
            self._at(at + pause_s, partial(self._speak, script, data))
            return

    def _speak(self, script: Script, data: bytes, due_at: float, now: float) -> bytes:
        """Put a message of a script on the wire."""
        transmission = self._lay(data, due_at, line=script.line)
        self._send(transmission)
        if script.receptions is not None:
            self._take(script.receptions, transmission, data)
        self._await(script, transmission.ends_at)
        return b""

    def _at(self, due_at: float, event: Callable[[float, float], bytes]) -> None:
        self._number += 1
        heapq.heappush(self._events, (due_at, self._number, event))

    def _strikes(self, fraction: float) -> bool:
        return strikes(fraction, self._random)
