"""One unit on the bus, polled: it follows the plan and learns from what it is refused.

A poll reads all that the sensors of this unit want, however many they are, in as few requests as the plan
allows. A refusal because of an address or quantity is a lesson. The read is done again in halves, cut at a
hole if it has one, and each half that is refused likewise:

- if both halves are read, what lay between is to blame: the hole is forbidden, or without one the cut stays;
- a single value that is refused is to blame itself: it is left alone for a while, the others are still read.

So a lesson costs a few requests once, and no value but the refused one. What was learned holds until the
bridge restarts. Silence ends a poll: what was read by then is its result.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from protocols.dialogue import Dialogue, LineSettings, PollResult, Request, Values
from protocols.errors import DeviceRefusal
from protocols.framing import Frame
from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.payload import Fetch
from protocols.modbus.plan import Cost, Read, Span, plan
from protocols.modbus.registers import Register, Table
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings

# A refused value is asked for again once in so many polls: a device may be told to serve it while it runs.
POLLS_BETWEEN_RETRIES: Final = 100

_LESSONS: Final = (pdu.ILLEGAL_DATA_ADDRESS, pdu.ILLEGAL_DATA_VALUE)

_Place = tuple[Table, Span]
_Told = tuple[Fetch, bytes]  # a read, and the data of its reply


class _Outcome(Enum):
    """Of a read and what it was cut into, from best to worst."""

    READ = auto()
    LEARNED = auto()
    REFUSED = auto()
    SILENT = auto()


class ModbusDevice:
    """The unit that serves sensors with these settings, which name one address."""

    def __init__(self, sensors: Sequence[ModbusSettings], line: LineSettings, carrier: Carrier = RTU) -> None:
        self._sensors = tuple(sensors)
        self._carrier = carrier
        self._unit = sensors[0].unit
        self._cost = Cost.on(line, carrier)
        self._limits = replace(
            sensors[0].limits,
            max_registers=min(sensor.limits.max_registers for sensor in sensors),
            max_bits=min(sensor.limits.max_bits for sensor in sensors),
            forbidden=frozenset().union(*(sensor.limits.forbidden for sensor in sensors)),
        )
        self._wanted = frozenset(_place(register) for sensor in sensors for register in sensor.registers)
        self._refused: dict[_Place, int] = {}  # in which poll to ask again
        self._polls = 0
        self._fetches = [self._fetch(read) for read in plan(self._wanted, self._limits, self._cost)]

    @property
    def address(self) -> str:
        """Its unit address."""
        return str(self._unit)

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        return [fetch.request for fetch in self._fetches]

    def poll(self) -> Dialogue:
        """Starts one poll."""
        self._polls += 1
        told: list[_Told] = []
        refusals: list[DeviceRefusal] = []
        learned = False
        for fetch in [*self._fetches, *self._retries()]:
            known = len(refusals)
            outcome = yield from self._ask(fetch, told, refusals)
            if outcome is _Outcome.SILENT:
                break
            back = self._refused.keys() & _places(told) if self._refused else ()
            for place in back:
                del self._refused[place]
            learned |= bool(back) or len(refusals) > known
        if refusals or self._refused:
            complete = self._wanted == _places(told)
        else:
            complete = len(told) >= len(self._fetches)
        if learned:
            self._replan()
        return self._result(told, refusals, complete=complete)

    def _retries(self) -> list[Fetch]:
        """What was refused and is asked for again, each alone; if nothing else is left, one in every poll."""
        due = [place for place, poll in self._refused.items() if poll <= self._polls]
        if not self._fetches and not due:
            due = sorted(self._refused, key=lambda place: self._refused[place])[:1]
        return [self._fetch(Read(table, (span,))) for table, span in due]

    def _replan(self) -> None:
        # What is refused is asked for alone: no other read may touch it.
        limits = replace(self._limits, forbidden=self._limits.forbidden | self._refused.keys())
        reads = plan(self._wanted - self._refused.keys(), limits, self._cost)
        self._fetches = [self._fetch(read) for read in reads]

    def _fetch(self, read: Read) -> Fetch:
        sensors = [sensor.registers for sensor in self._sensors]
        return Fetch(self._carrier, self._unit, read, sensors)

    def _ask(
        self, fetch: Fetch, told: list[_Told], refusals: list[DeviceRefusal]
    ) -> Generator[Request, Frame | None, _Outcome]:
        frame = yield fetch.request
        if frame is None:
            return _Outcome.SILENT
        reply = self._carrier.body(frame)
        if not reply[0] & pdu.REFUSED:
            told.append((fetch, pdu.counted(reply)))
            return _Outcome.READ
        read = fetch.read
        code = pdu.EXCEPTION.parse(reply)["exception"]
        refusals.append(DeviceRefusal(pdu.exception_name(code), code=code, request=str(read)))
        if code not in _LESSONS:
            return _Outcome.REFUSED
        if len(read.wanted) == 1:
            self._refused[read.table, read.wanted[0]] = self._polls + POLLS_BETWEEN_RETRIES
            return _Outcome.REFUSED
        return (yield from self._ask_halves(read, told, refusals))

    def _ask_halves(
        self, read: Read, told: list[_Told], refusals: list[DeviceRefusal]
    ) -> Generator[Request, Frame | None, _Outcome]:
        holes = read.holes
        hole = holes[len(holes) // 2] if holes else None
        starts = [span.start for span in read.wanted]
        middle = bisect_left(starts, hole.end) if hole else len(starts) // 2
        worst = _Outcome.READ
        for half in read.wanted[:middle], read.wanted[middle:]:
            outcome = yield from self._ask(self._fetch(Read(read.table, half)), told, refusals)
            if outcome is _Outcome.SILENT:
                return outcome
            worst = max(worst, outcome, key=lambda one: one.value)
        if worst is _Outcome.REFUSED:
            return worst
        if hole is None:  # if its halves were cut too, reads must be short here: all cuts stay
            cuts = self._limits.cuts | {(read.table, starts[middle])}
            self._limits = replace(self._limits, cuts=cuts)
        elif worst is _Outcome.READ:
            forbidden = self._limits.forbidden | {(read.table, hole)}
            self._limits = replace(self._limits, forbidden=forbidden)
        return _Outcome.LEARNED

    def _result(
        self, told: Sequence[_Told], refusals: Sequence[DeviceRefusal], *, complete: bool
    ) -> PollResult:
        found: tuple[Values, ...] = tuple({} for _ in self._sensors)
        out_of_limits = sum(fetch.into(found, data) for fetch, data in told)
        values = tuple(
            {register.name: some[register.name] for register in sensor.registers if register.name in some}
            for sensor, some in zip(self._sensors, found, strict=True)
        )
        return PollResult(values, complete, tuple(refusals), out_of_limits)


def _place(register: Register) -> _Place:
    return register.table, Span(register.start, register.end)


def _places(told: Sequence[_Told]) -> set[_Place]:
    return {(fetch.read.table, span) for fetch, _ in told for span in fetch.read.wanted}
