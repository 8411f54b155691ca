"""One polled unit on the bus: reads its registers by the plan, and learns the limits of the unit.

A poll reads the registers of all sensors of this unit in as few requests as the plan allows. What happens
to a read:

    answered ────▶ its values
    put off ─────▶ nothing is learned (busy: the bridge has repeated it already)
    refused ─────▶ one that was answered before is sent again, once; then as below
    silent ──────▶ if the unit has answered nothing in this poll, it is not there: the poll is over
                   if it has: as below

    made longer ─▶ sent again without the registers added to tell its reply apart; then as below
    one value ───▶ fails; after three polls in a row it is left out for a while
    several ─────▶ if nothing of their table was read in this poll, one value alone: if that fails too, all of
                   them fail; else they are read in halves, cut at a hole if there is one, and so on

So a fault costs a few requests once, and no value but the one that is to blame. If both halves are answered
and the whole is not, the read is cut there, unless the whole was answered before. The lessons, and the way
back from each, are in `knowledge`. After a silence no request is sent whose reply could be confused with the
one still outstanding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Self

from protocols.modbus import pdu
from protocols.modbus.absence import absences
from protocols.modbus.apart import count_lengths
from protocols.modbus.carrier import Carrier
from protocols.modbus.knowledge import Knowledge, Place
from protocols.modbus.payload import Fetch, places_of, scaled_into
from protocols.modbus.plan import Cost, Read, Span
from protocols.modbus.registers import Register
from protocols.modbus.rereading import Content, other_readings
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.visit import Outcome, Visit
from protocols.toolkit.errors import DeviceRefusal, Refusal
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import (
    Device,
    Dialogue,
    LineSettings,
    NotAsked,
    PollResult,
    Request,
    Value,
    Values,
)

_Step = Generator[Request, Frame | None, Outcome]


class ModbusDevice:
    """One unit, which serves all sensors whose settings name its address."""

    def __init__(self, sensors: Sequence[ModbusSettings], line: LineSettings, carrier: Carrier = RTU) -> None:
        self._sensors = tuple(sensors)
        self._carrier = carrier
        self._unit = sensors[0].unit
        self._gap_s = max(sensor.gap_s for sensor in sensors)
        limits = replace(
            sensors[0].limits,
            max_registers=min(sensor.limits.max_registers for sensor in sensors),
            max_bits=min(sensor.limits.max_bits for sensor in sensors),
            min_registers=max(sensor.limits.min_registers for sensor in sensors),
            forbidden=frozenset().union(*(sensor.limits.forbidden for sensor in sensors)),
        )
        self._places = frozenset(
            place for sensor in sensors for register in sensor.registers for place in places_of(register)
        )
        self._knowledge = Knowledge(self._places, limits, Cost.on(line, carrier))
        self._fetches: dict[Read, Fetch] = {}
        self._prepare()

    @property
    def address(self) -> str:
        """Return the unit address."""
        return str(self._unit)

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._knowledge = self._knowledge.twin()
        return twin

    def keep_apart(self, devices: Sequence[Device], /) -> None:
        """Use reads of other lengths than these devices of the same unit, where its limits allow."""
        reads = (
            read for device in devices if isinstance(device, ModbusDevice) for read in device._knowledge.reads
        )
        self._knowledge.keep_apart(count_lengths(reads))
        self._prepare()

    def lessons(self) -> list[str]:
        """Return where reads are cut, as the unit does not stand them whole."""
        return self._knowledge.sentences()

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        return [self._fetch(read).request for read in self._knowledge.agenda()]

    def poll(self, now: float, /) -> Dialogue:
        """Poll once.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        self._knowledge.begin(now)
        visit = Visit()
        for read in self._knowledge.agenda():
            yield from self._bring(read, visit)
        yield from self._doubt(visit)
        self._knowledge.replan()
        self._prepare()
        return self._result(visit)

    def _prepare(self) -> None:
        if self._fetches.keys() != set(self._knowledge.reads):
            self._fetches = {read: self._fetch(read) for read in self._knowledge.reads}

    def _fetch(self, read: Read) -> Fetch:
        if read in self._fetches:
            return self._fetches[read]
        registers = [sensor.registers for sensor in self._sensors]
        return Fetch(self._carrier, self._unit, read, registers, self._gap_s)

    def _bring(self, read: Read, visit: Visit) -> _Step:
        """Send a read, and its parts if the unit does not answer it whole."""
        was_whole = self._knowledge.is_whole(read)
        if visit.distrusts_added and not was_whole:
            read = self._knowledge.bare(read)
        outcome = yield from self._ask(read, visit, is_repeated=not self._knowledge.is_doubtful(read))
        if outcome is Outcome.REFUSED and was_whole:
            outcome = yield from self._ask(read, visit)
        if not outcome.is_failure or not visit.is_present:
            return outcome
        is_silent = outcome is Outcome.SILENT
        self._knowledge.failed(read)
        if self._knowledge.bare(read) != read:
            return (
                outcome
                if is_silent and was_whole
                else (yield from self._bring_bare(read, visit, is_silent=is_silent))
            )
        if len(read.wanted) == 1:
            self._knowledge.missing(read, visit.reason, is_silent=is_silent)
        elif not (is_silent and was_whole):
            return (yield from self._bring_parts(read, visit, is_silent=is_silent, was_whole=was_whole))
        return outcome

    def _bring_bare(self, read: Read, visit: Visit, *, is_silent: bool) -> _Step:
        """Send a read without the registers that were added to it."""
        outcome = yield from self._bring(self._knowledge.bare(read), visit)
        if outcome is Outcome.READ and not self._knowledge.is_whole(read):
            self._knowledge.cut_added(read, is_silent=is_silent)
            visit.distrusts_added = True
        return Outcome.CUT if outcome is Outcome.READ else outcome

    def _ask(self, read: Read, visit: Visit, *, is_repeated: bool = True) -> _Step:
        """Send a read once; put it off if the poll is over or its reply might be an outstanding one's."""
        fetch = self._fetch(read)
        request = fetch.request
        if visit.is_over or request.shape in visit.outstanding:
            return Outcome.PUT_OFF
        try:
            frame = yield request if is_repeated else replace(request, is_repeated=False)
        except NotAsked:
            return Outcome.PUT_OFF
        if frame is None:
            visit.silences += 1
            visit.outstanding.add(request.shape)
            visit.failed(read, "no reply")
            self._knowledge.unanswered(read)
            return Outcome.SILENT
        visit.is_present = True
        reply = self._carrier.body(frame)
        if not reply[0] & pdu.REFUSED:
            visit.replies.append((fetch, pdu.reply_data(reply)))
            self._knowledge.answered(read)
            return Outcome.READ
        code = pdu.EXCEPTION.parse(reply)["exception"]
        visit.failed(read, pdu.exception_name(code))
        kind = pdu.KINDS.get(code, Refusal.OTHER)
        visit.refusals.append(DeviceRefusal(visit.reason, code=code, request=str(read), kind=kind))
        return Outcome.PUT_OFF if code in pdu.PUT_OFF else Outcome.REFUSED

    def _bring_parts(self, read: Read, visit: Visit, *, is_silent: bool, was_whole: bool) -> _Step:
        """Send a read of several values as two halves."""
        reason = visit.reason
        if not visit.has_read_from(read.table):
            sample = yield from self._ask(self._knowledge.sample(read), visit, is_repeated=False)
            if sample.is_failure:
                self._knowledge.missing(read, reason, is_silent=is_silent)
            if sample is not Outcome.READ:
                return sample
        middle, hole = self._halves(read)
        parts = [
            self._knowledge.read(read.table, spans) for spans in (read.wanted[:middle], read.wanted[middle:])
        ]
        first = yield from self._bring(parts[0], visit)
        second = yield from self._bring(parts[1], visit)
        worst = max(first, second, key=lambda outcome: outcome.value)
        start = read.wanted[middle].start
        if is_silent:  # a poll can afford few silences: the next one begins with the parts
            self._knowledge.cut(
                (read.table, hole if hole and worst is Outcome.READ else start), is_silent=True
            )
        elif was_whole or worst.value > Outcome.CUT.value:
            return worst
        elif hole is None:  # if its halves were cut too, reads must be short here: all cuts stay
            self._knowledge.cut((read.table, start), is_silent=False)
        elif worst is Outcome.READ:
            self._knowledge.cut((read.table, hole), is_silent=False)
        return worst if worst.value > Outcome.CUT.value else Outcome.CUT

    def _halves(self, read: Read) -> tuple[int, Span | None]:
        """Return the index of the span at which to cut a read, and the hole that lies there, or None.

        Without a hole the halves differ in length if possible, so that their replies can be told apart.
        """
        holes = read.holes
        starts = [span.start for span in read.wanted]
        if holes:
            hole = holes[len(holes) // 2]
            return bisect_left(starts, hole.end), hole
        middle = len(starts) // 2
        if len(starts) > 2 and 2 * (starts[middle] - starts[0]) == read.span.end - read.span.start:
            middle += 1
        return middle, None

    def _doubt(self, visit: Visit) -> Generator[Request, Frame | None, None]:
        """Try a place that was left out, and reads without one of the cuts, if they are due."""
        silences = visit.silences
        place = self._knowledge.due()
        if place is not None and place not in visit.places():
            single = self._knowledge.single(place)
            outcome = yield from self._ask(single, visit, is_repeated=False)
            if outcome.is_failure and visit.is_present:
                self._knowledge.missing(single, visit.reason, is_silent=outcome is Outcome.SILENT)
        trial = self._knowledge.trial()
        if trial is not None and self._places <= visit.places() | self._knowledge.lessons.left_out.keys():
            outcomes = set()
            for read in trial.reads:
                outcomes.add((yield from self._ask(read, visit, is_repeated=False)))
            if Outcome.PUT_OFF not in outcomes:
                self._knowledge.tried(trial, is_whole=outcomes == {Outcome.READ})
        if visit.silences > silences:
            self._knowledge.pause_trials()

    def _result(self, visit: Visit) -> PollResult:
        values_by_sensor: tuple[Values, ...] = tuple({} for _ in self._sensors)
        out_of_limits = sum(fetch.into(values_by_sensor, data) for fetch, data in visit.replies)
        for sensor, values in zip(self._sensors, values_by_sensor, strict=True):
            out_of_limits += scaled_into(values, sensor.registers, visit.replies)
        in_settings_order = tuple(
            {register.name: values[register.name] for register in sensor.registers if register.name in values}
            for sensor, values in zip(self._sensors, values_by_sensor, strict=True)
        )
        failures = {**self._knowledge.lessons.left_out, **visit.failures}
        missing = tuple(
            absences(sensor.registers, values, visit.replies, failures)
            for sensor, values in zip(self._sensors, in_settings_order, strict=True)
        )
        return PollResult(
            in_settings_order,
            complete=self._places == visit.places(),
            refusals=tuple(visit.refusals),
            out_of_limits=out_of_limits,
            left_out=self._knowledge.lessons.named(
                {register.name: self._missing_place(register) for register in sensor.registers}
                for sensor in self._sensors
            ),
            missing=missing if any(missing) else (),
            reread=partial(self._reread, tuple(visit.replies)),
        )

    def _reread(
        self, replies: tuple[tuple[Fetch, bytes], ...], sensor: int, key: str
    ) -> Iterator[tuple[str, Value]]:
        """Yield the values that a key would have if one key of its register were another in site.toml."""
        contents = [
            Content(
                fetch.read.table, fetch.read.span.start, fetch.read.span.end - fetch.read.span.start, data
            )
            for fetch, data in replies
        ]
        for register in self._sensors[sensor].registers:
            if register.name == key:
                yield from other_readings(register, contents)

    def _missing_place(self, register: Register) -> Place:
        """Return the left-out place among those that a register needs; its own place if there is none."""
        places = places_of(register)
        return next((place for place in places if place in self._knowledge.lessons.left_out), places[0])
