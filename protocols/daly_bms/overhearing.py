"""A Daly BMS that a foreign master asks, listened to.

A reply tells its command, and there is one BMS on the line: a reply of one frame can be the answer to nothing
but a request of that command. Cells and temperatures come in blocks of frames. A block is taken only whole,
in order and undisturbed, behind a request that is no retry; for how many frames it has, the master must have
read the numbers of cells and thermometers (94) before.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.daly_bms import commands
from protocols.daly_bms.commands import NUMBERS
from protocols.daly_bms.device import FRAME_CONTENT, KEYS, VALUES
from protocols.daly_bms.frame import BMS, MAX_BLOCK, parse
from protocols.toolkit.exchanges import Asked, ExchangeOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.pairing import REPLY_WITHIN_S
from protocols.toolkit.protocol import Fields
from protocols.toolkit.value_list import ADDRESS, ValueSettings

_COUNTS = {commands.CELL_VOLTAGES: "cells", commands.TEMPERATURES: "thermometers"}
_FIRST_NUMBERS = (0, 1)  # of a block, by the document and by real units


class BmsOverhearer(ExchangeOverhearer):
    """Listens to the line of a BMS for sensors with these settings."""

    def __init__(self, sensors: Sequence[ValueSettings]) -> None:
        super().__init__([{name: _place(VALUES[name][0]) for name in sensor.values} for sensor in sensors])
        self._sensors = sensors
        self._counts: dict[int, int] = {}  # of cells and of thermometers, once they are known
        self._unanswered: dict[int, float] = {}  # requests for a block, and when they were heard
        self._owed_until: dict[int, float] = {}  # the block of an earlier request may come until then
        self._is_doubtful = False  # the block may be that of another request, or its first frame may be lost
        self._first_numbers: tuple[int, ...] = _FIRST_NUMBERS
        self._block: list[bytes] = []  # the data of its frames so far
        self._block_command: int | None = None

    def disturbed(self) -> None:
        """Give the block up."""
        self._block_command = None
        self._is_doubtful = True

    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""
        command, _ = parse(frame)
        self._block_command = None
        if command in FRAME_CONTENT:
            if command in self._unanswered:
                self._owed_until[command] = self._unanswered[command] + REPLY_WITHIN_S
            self._unanswered[command] = end_s
            self._is_doubtful = end_s < self._owed_until.get(command, 0.0)
        self.pairing.request(Asked(ADDRESS, command, frame.data), end_s)

    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the values in it, or in the block that it completes."""
        command, data = parse(frame)
        if frame.data[1] != BMS:
            return ()
        if command == self._block_command:
            return self._continue(command, data)
        if self.pairing.reply(command, start_s) is None:
            return ()
        if command in FRAME_CONTENT:
            return self._begin(command, data)
        fields = commands.values(command, data)
        if command == NUMBERS:
            self._counts = {of: fields[name] for of, name in _COUNTS.items()}
        return self._bring(command, fields)

    def _begin(self, command: int, data: bytes) -> Sequence[Overheard]:
        self._unanswered.pop(command, None)
        if self._is_doubtful or data[0] not in self._first_numbers or not self._counts.get(command):
            return ()
        if data[0] == _FIRST_NUMBERS[0]:
            self._first_numbers = _FIRST_NUMBERS[:1]
        self._block_command, self._block = command, []
        return self._continue(command, data)

    def _continue(self, command: int, data: bytes) -> Sequence[Overheard]:
        if self._block and data[0] != self._block[0][0] + len(self._block):
            self.disturbed()
            return ()
        self._block.append(data)
        count = self._counts[command]
        if len(self._block) < min(-(-count // FRAME_CONTENT[command]), MAX_BLOCK):
            return ()
        name = next(name for name in KEYS.lists if VALUES[name][0] == command)
        entries = [entry for part in self._block for entry in commands.values(command, part)[name]]
        self._block_command = None
        return self._bring(command, {name: entries[:count]})

    def _bring(self, command: int, fields: Fields) -> list[Overheard]:
        return [
            overheard
            for index, sensor in enumerate(self._sensors)
            for overheard in self.bring(index, KEYS.choose(fields, sensor.values), _place(command))
        ]


def _place(command: int) -> str:
    return f"command {command:02X}"
