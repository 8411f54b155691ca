"""A Daly BMS, polled: which values are read, command by command.

How many cells and thermometers there are is asked first (94): so many frames answer 95 and 96. It is asked
again after an hour, in each poll while there are none of what is wanted, and after a silence that it may
explain. Real units send all sixteen frames of 95 whatever cells they have; those say nothing, but must have
been through before the next request, or it is not heard. So 95 comes last in a poll, and a pause before
each.

A command that is left unanswered in several polls by a BMS that answers others is left alone for a while: see
`protocols.toolkit.lessons`. A BMS that answers nothing is not there: its poll is over at the first silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from protocols.daly_bms import commands
from protocols.daly_bms.commands import (
    CELL_RANGE,
    CELL_VOLTAGES,
    CELLS_A_FRAME,
    NUMBERS,
    STATE,
    SUMMARY,
    TEMPERATURE_RANGE,
    TEMPERATURES,
    TEMPERATURES_A_FRAME,
)
from protocols.daly_bms.frame import (
    BMS,
    COMPUTER,
    LENGTH,
    MAX_BLOCK,
    BlockFramer,
    StreamFramer,
    build,
    frames_of,
)
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.lessons import MOST_SILENCES, Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request
from protocols.toolkit.protocol import Fields
from protocols.toolkit.value_list import ADDRESS, ValueKeys, ValueSettings

VALUES: Final[Mapping[str, tuple[int, str]]] = {  # the command that brings it, and its unit
    "voltage": (SUMMARY, "V"),
    "current": (SUMMARY, "A"),
    "state_of_charge": (SUMMARY, "%"),
    "max_cell_voltage": (CELL_RANGE, "V"),
    "min_cell_voltage": (CELL_RANGE, "V"),
    "max_temperature": (TEMPERATURE_RANGE, "°C"),
    "min_temperature": (TEMPERATURE_RANGE, "°C"),
    "operation": (STATE, ""),
    "charge_enabled": (STATE, ""),
    "discharge_enabled": (STATE, ""),
    "remaining_capacity": (STATE, "Ah"),
    "charger_connected": (NUMBERS, ""),
    "load_connected": (NUMBERS, ""),
    "cycles": (NUMBERS, ""),
    "cell_voltages": (CELL_VOLTAGES, "V"),
    "temperatures": (TEMPERATURES, "°C"),
}
PAUSE_S: Final = 0.05  # longer than the pauses between the pieces in which an adapter hands over a block
COUNTS_BELIEVED_S: Final = 3600.0
_A_FRAME: Final = {CELL_VOLTAGES: CELLS_A_FRAME, TEMPERATURES: TEMPERATURES_A_FRAME}

KEYS: Final = ValueKeys(
    units={name: unit for name, (_, unit) in VALUES.items()},
    lists={"cell_voltages": MAX_BLOCK * CELLS_A_FRAME, "temperatures": 16},
)


class Bms:
    """The BMS on a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._wanted = {VALUES[name][0] for sensor in sensors for name in sensor.values}
        self._counts: dict[int, int] = {}  # of cells and of thermometers, once they are known
        self._counts_until = 0.0  # so long they are believed
        self._lessons: Lessons[int] = Lessons()

    def twin(self) -> Self:
        """Return a device that knows the same, and learns apart from this one."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """The requests of the next poll; of a block that was never asked for, its first frame."""
        return [_request(command, self._frames(command) or 1) for command in self._commands()]

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back."""
        self._lessons.begin(now)
        if now >= self._counts_until:
            self._counts = {}
        told: Fields = {}
        answered: set[int] = set()
        wanted = self._commands()
        silences = 0
        for command in self._lessons.agenda(wanted):
            count = self._frames(command)
            if not count:
                answered |= {command} if self._counts else set()
                continue
            try:
                frame = yield _request(command, count)
            except NotAsked:
                continue
            if frame is not None:
                self._take(command, frame, told)
                answered.add(command)
                continue
            silences += 1
            self._lessons.unanswered(command, is_present=bool(answered))
            if not answered or command in _A_FRAME:
                self._counts = {}
            if not answered or silences == MOST_SILENCES:
                break
        if NUMBERS in answered:
            self._counts_until = now + COUNTS_BELIEVED_S
        self._lessons.answered(answered)
        return self._result(told, complete=answered >= set(wanted))

    def _commands(self) -> list[int]:
        """Those of a poll in their order: the numbers first, where others need them, the long reply last."""
        are_needed = not all(self._frames(command) for command in self._wanted)
        wanted = self._wanted | ({NUMBERS} if are_needed else set())
        return sorted(wanted, key=lambda command: (command != NUMBERS, command == CELL_VOLTAGES, command))

    def _frames(self, command: int) -> int:
        """How many frames answer a command."""
        if command not in _A_FRAME:
            return 1
        return min(-(-self._counts.get(command, 0) // _A_FRAME[command]), MAX_BLOCK)

    def _take(self, command: int, block: Frame, told: Fields) -> None:
        """Adds what a reply says to what was told."""
        for frame in frames_of(block.data):
            fields = commands.describe(Frame(frame, Direction.REPLY))
            if command == NUMBERS:
                self._counts = {CELL_VOLTAGES: fields["cells"], TEMPERATURES: fields["thermometers"]}
            for name in KEYS.lists:
                if name in fields:
                    fields[name] = [*told.get(name, ()), *fields[name]][: self._counts[command]]
            told.update(fields)

    def _result(self, told: Fields, *, complete: bool) -> PollResult:
        values = tuple(KEYS.choose(told, sensor.values) for sensor in self._sensors)
        left_out = self._lessons.named(
            {name: VALUES[name][0] for name in sensor.values} for sensor in self._sensors
        )
        return PollResult(values, complete=complete, left_out=left_out)


@dataclass(slots=True)
class SimulatedBms:
    """A BMS that answers: the other side of the line.

    Attributes:
        replies: command → the data of each frame of its reply.
    """

    replies: dict[int, list[bytes]] = field(default_factory=dict)

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply, one frame behind the other; None to what it does not know."""
        command = request.data[2]
        if request.direction is not Direction.REQUEST or command not in self.replies:
            return None
        return b"".join(build(BMS, command, data) for data in self.replies[command])


def _request(command: int, count: int) -> Request:
    def accepts(frame: Frame) -> bool:
        is_whole = len(frame.data) == LENGTH * count
        return is_whole and frame.direction is Direction.REPLY and frame.data[2] == command

    return Request(
        data=build(COMPUTER, command),
        framer=partial(BlockFramer, command, count) if command in _A_FRAME else StreamFramer,
        accepts=accepts,
        reply_length=LENGTH * count,
        summary=f"bms: command {command:02X}",
        pause_s=PAUSE_S,
        shape=command,
    )
