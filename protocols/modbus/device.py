"""One unit on the bus, polled: it follows the plan, and finds out what the unit does not stand.

A poll reads all that the sensors of this unit want, however many they are, in as few requests as the plan
allows. What happens to a read:

    answered ────▶ its values
    put off ─────▶ nothing is learned (busy: the bridge has repeated it already)
    refused ─────▶ one that was answered before is asked again, once; then as below
    silent ──────▶ if the unit has answered nothing in this poll, it is not there: the poll is over
                   if it has: as below

    made longer ─▶ asked as it is wanted, without what was added to tell its reply apart; then as below
    one value ───▶ fails; in three polls in a row, and it is left out for a while
    several ─────▶ if nothing of their table was told yet, one alone: if that fails too, all of them fail;
                   else they are asked for in halves, cut at a hole if there is one, and so on

So a fault costs a few requests once, and no value but the one that is to blame. What two halves bring and the
whole does not is a cut, unless the whole was answered before. What is learned, and how it is unlearned, is in
`knowledge`. After a silence no request is sent whose reply could not be told from the one still owed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, Self

from protocols.modbus import pdu
from protocols.modbus.apart import counted
from protocols.modbus.carrier import Carrier
from protocols.modbus.knowledge import Knowledge, Place
from protocols.modbus.payload import Fetch, scaled_into
from protocols.modbus.plan import Cost, Read, Span
from protocols.modbus.registers import Register, Table
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Device, Dialogue, LineSettings, NotAsked, PollResult, Request, Values

MOST_SILENCES: Final = 3  # of one poll: each costs the line a time-out


class _Outcome(Enum):
    """Of a read and what it was cut into, from best to worst."""

    READ = auto()
    CUT = auto()  # read, but in parts
    PUT_OFF = auto()
    REFUSED = auto()
    SILENT = auto()

    @property
    def is_failure(self) -> bool:
        """Whether it says something of what was asked for."""
        return self in (_Outcome.REFUSED, _Outcome.SILENT)


@dataclass(slots=True)
class _Visit:
    """One poll as it goes on.

    Attributes:
        replies: what was read, with the data of its reply.
        refusals: what was refused.
        is_present: whether the unit has answered anything, if only by refusing.
        silences: requests that it left unanswered.
        distrusts_added: a read was given without the registers added to it only; one such lesson is enough.
        owed: the shapes of the replies to these, which may still come.
        reason: why the last request failed, in words.
    """

    replies: list[tuple[Fetch, bytes]] = field(default_factory=list)
    refusals: list[DeviceRefusal] = field(default_factory=list)
    is_present: bool = False
    distrusts_added: bool = False
    silences: int = 0
    owed: set[Hashable] = field(default_factory=set)
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.silences >= (MOST_SILENCES if self.is_present else 1)

    def places(self) -> set[Place]:
        """What was read."""
        return set().union(*(fetch.places for fetch, _ in self.replies))

    def has_told_of(self, table: Table) -> bool:
        """Whether anything of a table was read."""
        return any(fetch.read.table is table for fetch, _ in self.replies)


_Step = Generator[Request, Frame | None, _Outcome]


class ModbusDevice:
    """The unit that serves sensors with these settings, which name one address."""

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
        self._wanted = frozenset(
            place for sensor in sensors for register in sensor.registers for place in _places(register)
        )
        self._known = Knowledge(self._wanted, limits, Cost.on(line, carrier))
        self._fetches: dict[Read, Fetch] = {}
        self._prepare()

    @property
    def address(self) -> str:
        """Its unit address."""
        return str(self._unit)

    def twin(self) -> Self:
        """Return a device that knows the same, and learns apart from this one."""
        twin = copy(self)
        twin._known = self._known.twin()
        return twin

    def keep_apart(self, others: Sequence[Device], /) -> None:
        """Ask for other lengths than these devices of the same unit, where it stands that."""
        reads = (read for other in others if isinstance(other, ModbusDevice) for read in other._known.reads)
        self._known.keep_apart(counted(reads))
        self._prepare()

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        return [self._fetch(read).request for read in self._known.agenda()]

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back."""
        self._known.begin(now)
        visit = _Visit()
        for read in self._known.agenda():
            yield from self._bring(read, visit)
        yield from self._doubt(visit)
        self._known.replan()
        self._prepare()
        return self._result(visit)

    def _prepare(self) -> None:
        if self._fetches.keys() != set(self._known.reads):
            self._fetches = {read: self._fetch(read) for read in self._known.reads}

    def _fetch(self, read: Read) -> Fetch:
        if read in self._fetches:
            return self._fetches[read]
        registers = [sensor.registers for sensor in self._sensors]
        return Fetch(self._carrier, self._unit, read, registers, self._gap_s)

    def _bring(self, read: Read, visit: _Visit) -> _Step:
        """Ask for a read, and for its parts if it is not given as it stands."""
        was_whole = self._known.is_whole(read)
        if visit.distrusts_added and not was_whole:
            read = self._known.bare(read)
        outcome = yield from self._ask(read, visit, is_repeated=not self._known.is_doubtful(read))
        if outcome is _Outcome.REFUSED and was_whole:
            outcome = yield from self._ask(read, visit)
        if not outcome.is_failure or not visit.is_present:
            return outcome
        is_silent = outcome is _Outcome.SILENT
        self._known.failed(read)
        if self._known.bare(read) != read:
            return (
                outcome
                if is_silent and was_whole
                else (yield from self._bring_bare(read, visit, is_silent=is_silent))
            )
        if len(read.wanted) == 1:
            self._known.missing(read, visit.reason, is_silent=is_silent)
        elif not (is_silent and was_whole):
            return (yield from self._bring_parts(read, visit, is_silent=is_silent, was_whole=was_whole))
        return outcome

    def _bring_bare(self, read: Read, visit: _Visit, *, is_silent: bool) -> _Step:
        """Bring what a read was to bring without the registers that were added to it."""
        outcome = yield from self._bring(self._known.bare(read), visit)
        if outcome is _Outcome.READ and not self._known.is_whole(read):
            self._known.cut_added(read, is_silent=is_silent)
            visit.distrusts_added = True
        return _Outcome.CUT if outcome is _Outcome.READ else outcome

    def _ask(self, read: Read, visit: _Visit, *, is_repeated: bool = True) -> _Step:
        """Ask for a read once, unless the poll is over or its reply could be mistaken."""
        fetch = self._fetch(read)
        request = fetch.request
        if visit.is_over or request.shape in visit.owed:
            return _Outcome.PUT_OFF
        try:
            frame = yield request if is_repeated else replace(request, is_repeated=False)
        except NotAsked:
            return _Outcome.PUT_OFF
        if frame is None:
            visit.silences += 1
            visit.owed.add(request.shape)
            visit.reason = "no reply"
            self._known.unanswered(read)
            return _Outcome.SILENT
        visit.is_present = True
        reply = self._carrier.body(frame)
        if not reply[0] & pdu.REFUSED:
            visit.replies.append((fetch, pdu.counted(reply)))
            self._known.answered(read)
            return _Outcome.READ
        code = pdu.EXCEPTION.parse(reply)["exception"]
        visit.reason = pdu.exception_name(code)
        visit.refusals.append(DeviceRefusal(visit.reason, code=code, request=str(read)))
        return _Outcome.PUT_OFF if code in pdu.PUT_OFF else _Outcome.REFUSED

    def _bring_parts(self, read: Read, visit: _Visit, *, is_silent: bool, was_whole: bool) -> _Step:
        """Bring what a read of several values was to bring, part by part."""
        reason = visit.reason
        if not visit.has_told_of(read.table):
            sample = yield from self._ask(self._known.sample(read), visit, is_repeated=False)
            if sample.is_failure:
                self._known.missing(read, reason, is_silent=is_silent)
            if sample is not _Outcome.READ:
                return sample
        middle, hole = self._halves(read)
        parts = [
            self._known.read(read.table, spans) for spans in (read.wanted[:middle], read.wanted[middle:])
        ]
        first = yield from self._bring(parts[0], visit)
        second = yield from self._bring(parts[1], visit)
        worst = max(first, second, key=lambda one: one.value)
        start = read.wanted[middle].start
        if is_silent:  # a poll can afford few silences: the next one begins with the parts
            self._known.cut((read.table, hole if hole and worst is _Outcome.READ else start), is_silent=True)
        elif was_whole or worst.value > _Outcome.CUT.value:
            return worst
        elif hole is None:  # if its halves were cut too, reads must be short here: all cuts stay
            self._known.cut((read.table, start), is_silent=False)
        elif worst is _Outcome.READ:
            self._known.cut((read.table, hole), is_silent=False)
        return worst if worst.value > _Outcome.CUT.value else _Outcome.CUT

    def _halves(self, read: Read) -> tuple[int, Span | None]:
        """Where to cut a read, and the hole that lies there.

        Without a hole the halves differ in length, if they can: the replies to both can be told apart.
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

    def _doubt(self, visit: _Visit) -> Generator[Request, Frame | None, None]:
        """Try again what was left out, and a read without one of its cuts, if their time has come."""
        silences = visit.silences
        item = self._known.due()
        if item is not None and item not in visit.places():
            alone = self._known.alone(item)
            outcome = yield from self._ask(alone, visit, is_repeated=False)
            if outcome.is_failure and visit.is_present:
                self._known.missing(alone, visit.reason, is_silent=outcome is _Outcome.SILENT)
        trial = self._known.trial()
        if trial is not None and self._wanted <= visit.places() | self._known.lessons.left_out.keys():
            is_whole = bool(trial.reads)
            for read in trial.reads:
                outcome = yield from self._ask(read, visit, is_repeated=False)
                is_whole = is_whole and outcome is _Outcome.READ
            self._known.tried(trial, is_whole=is_whole)
        if visit.silences > silences:
            self._known.pause_trials()

    def _result(self, visit: _Visit) -> PollResult:
        brought: tuple[Values, ...] = tuple({} for _ in self._sensors)
        out_of_limits = sum(fetch.into(brought, data) for fetch, data in visit.replies)
        for sensor, values in zip(self._sensors, brought, strict=True):
            out_of_limits += scaled_into(values, sensor.registers, visit.replies)
        told = tuple(
            {register.name: some[register.name] for register in sensor.registers if register.name in some}
            for sensor, some in zip(self._sensors, brought, strict=True)
        )
        return PollResult(
            told,
            complete=self._wanted == visit.places(),
            refusals=tuple(visit.refusals),
            out_of_limits=out_of_limits,
            left_out=self._known.lessons.named(
                {register.name: self._missing_place(register) for register in sensor.registers}
                for sensor in self._sensors
            ),
        )

    def _missing_place(self, register: Register) -> Place:
        """Of the places that a register needs, the one that is left out, if one is."""
        places = _places(register)
        return next((place for place in places if place in self._known.lessons.left_out), places[0])


def _places(register: Register) -> tuple[Place, ...]:
    """Where a register stands, and its scale, if it has one."""
    place = register.table, Span(register.start, register.end)
    if register.scale is None:
        return (place,)
    table, at = register.scale
    return place, (table, Span(at, at + 1))
