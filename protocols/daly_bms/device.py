"""A Daly BMS, polled: which values are read, command by command.

How many cells and thermometers there are is asked once (94), and again after a silence: so many frames answer
95 and 96. Real units send all sixteen frames of 95 whatever cells they have; those say nothing, but must have
been through before the next request, or it is not heard. So 95 comes last in a poll, and a pause before each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from protocols import Fields
from protocols.battery import ADDRESS, BatteryKeys, BatterySettings
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
from protocols.dialogue import Dialogue, LineSettings, PollResult, Request
from protocols.framing import Direction, Frame

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
_A_FRAME: Final = {CELL_VOLTAGES: CELLS_A_FRAME, TEMPERATURES: TEMPERATURES_A_FRAME}

KEYS: Final = BatteryKeys(
    units={name: unit for name, (_, unit) in VALUES.items()},
    lists={"cell_voltages": MAX_BLOCK * CELLS_A_FRAME, "temperatures": 16},
)


class Bms:
    """The BMS on a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[BatterySettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._wanted = {VALUES[name][0] for sensor in sensors for name in sensor.values}
        self._counts: dict[int, int] = {}  # of cells and of thermometers, once they are known

    def planned(self) -> list[Request]:
        """The requests of the next poll; of a block that was never asked for, its first frame."""
        return [_request(command, self._frames(command) or 1) for command in self._commands()]

    def poll(self) -> Dialogue:
        """Starts one poll; silence ends it, and what was read by then is its result."""
        told: Fields = {}
        for command in self._commands():
            count = self._frames(command)
            if not count:
                continue
            frame = yield _request(command, count)
            if frame is None:
                self._counts = {}
                return self._result(told, complete=False)
            self._take(command, frame, told)
        return self._result(told, complete=True)

    def _commands(self) -> list[int]:
        """Those of a poll in their order: the numbers first, where others need them, the long reply last."""
        are_needed = not self._counts and bool(self._wanted & _A_FRAME.keys())
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
        return PollResult(values, complete=complete)


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
    )
