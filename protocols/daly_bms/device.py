"""A polled Daly BMS, read command by command.

The numbers of cells and thermometers are read first (94): they tell how many frames answer 95 and 96. They
are read again after an hour, in each poll while a needed one is zero, and after a silence that they may
explain. Real units send all sixteen frames of 95 whatever cells they have; the surplus frames say nothing,
but must be over before the next request, or the BMS misses it. So 95 comes last in a poll, and each request
after a pause.

A command that is left unanswered in several polls by a BMS that answers others is left out for a while: see
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

VALUES: Final[Mapping[str, tuple[int, str]]] = {  # the command whose reply has it, and its unit
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
COUNTS_VALID_S: Final = 3600.0
FRAME_CONTENT: Final = {CELL_VOLTAGES: CELLS_A_FRAME, TEMPERATURES: TEMPERATURES_A_FRAME}

KEYS: Final = ValueKeys(
    units={name: unit for name, (_, unit) in VALUES.items()},
    lists={"cell_voltages": MAX_BLOCK * CELLS_A_FRAME, "temperatures": 16},
)


class Bms:
    """The BMS of a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._needed_commands = {VALUES[name][0] for sensor in sensors for name in sensor.values}
        self._counts: dict[int, int] = {}  # of cells and of thermometers, once they are known
        self._counts_until = 0.0  # they are valid up to this time
        self._lessons: Lessons[int] = Lessons()

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """Return the requests of the next poll; a block of unknown length is planned as one frame."""
        return [_request(command, self._frames(command) or 1) for command in self._commands()]

    def poll(self, now: float, /) -> Dialogue:
        """Poll once.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        self._lessons.begin(now)
        if now >= self._counts_until:
            self._counts = {}
        fields: Fields = {}
        answered_commands: set[int] = set()
        commands_of_poll = self._commands()
        silences = 0
        for command in self._lessons.agenda(commands_of_poll):
            count = self._frames(command)
            if not count:
                answered_commands |= {command} if self._counts else set()
                continue
            try:
                frame = yield _request(command, count)
            except NotAsked:
                continue
            if frame is not None:
                self._take(command, frame, fields)
                answered_commands.add(command)
                continue
            silences += 1
            self._lessons.unanswered(command, is_present=bool(answered_commands))
            if not answered_commands or command in FRAME_CONTENT:
                self._counts = {}
            if not answered_commands or silences == MOST_SILENCES:
                break
        if NUMBERS in answered_commands:
            self._counts_until = now + COUNTS_VALID_S
        self._lessons.answered(answered_commands)
        return self._result(fields, complete=answered_commands >= set(commands_of_poll))

    def _commands(self) -> list[int]:
        """Return the commands of a poll in order: the numbers first, if needed, the long reply last."""
        are_needed = not all(self._frames(command) for command in self._needed_commands)
        needed_commands = self._needed_commands | ({NUMBERS} if are_needed else set())
        return sorted(
            needed_commands, key=lambda command: (command != NUMBERS, command == CELL_VOLTAGES, command)
        )

    def _frames(self, command: int) -> int:
        """Return the number of frames that answer a command; 0 if its values are known not to exist."""
        if command not in FRAME_CONTENT:
            return 1
        return min(-(-self._counts.get(command, 0) // FRAME_CONTENT[command]), MAX_BLOCK)

    def _take(self, command: int, block: Frame, values: Fields) -> None:
        """Add the values of a reply to those of the poll."""
        for frame in frames_of(block.data):
            fields = commands.describe(Frame(frame, Direction.REPLY))
            if command == NUMBERS:
                self._counts = {CELL_VOLTAGES: fields["cells"], TEMPERATURES: fields["thermometers"]}
            for name in KEYS.lists:
                if name in fields:
                    fields[name] = [*values.get(name, ()), *fields[name]][: self._counts[command]]
            values.update(fields)

    def _result(self, fields: Fields, *, complete: bool) -> PollResult:
        values = tuple(KEYS.choose(fields, sensor.values) for sensor in self._sensors)
        left_out = self._lessons.named(
            {name: VALUES[name][0] for name in sensor.values} for sensor in self._sensors
        )
        return PollResult(values, complete=complete, left_out=left_out)


@dataclass(slots=True)
class SimulatedBms:
    """A simulated BMS: the other side of the line.

    Attributes:
        replies: command → the data of each frame of its reply.
    """

    replies: dict[int, list[bytes]] = field(default_factory=dict)

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply, one frame after the other; None if the command is unknown."""
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
        framer=partial(BlockFramer, command, count) if command in FRAME_CONTENT else StreamFramer,
        accepts=accepts,
        reply_length=LENGTH * count,
        summary=f"bms: command {command:02X}",
        pause_s=PAUSE_S,
        shape=command,
    )
