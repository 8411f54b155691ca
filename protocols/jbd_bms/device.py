"""A polled JBD BMS, read register by register.

A register that is refused in several polls, or left unanswered by a BMS that answers others, is left out
for a while: see `protocols.toolkit.lessons`. A BMS that answers nothing is not there: its poll is over at the
first silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Final, Self

from protocols.jbd_bms import frame as frames
from protocols.jbd_bms import registers
from protocols.jbd_bms.frame import AROUND, DONE, MAX_LENGTH, READ, REFUSED, Reply, Request, StreamFramer
from protocols.jbd_bms.registers import BASIC_INFORMATION, CELL_VOLTAGES, HARDWARE, UNITS
from protocols.toolkit import polling
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.lessons import Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult
from protocols.toolkit.protocol import Fields
from protocols.toolkit.value_list import ADDRESS, ValueKeys, ValueSettings

_REGISTER_OF: Final = {"cell_voltages": CELL_VOLTAGES, "hardware": HARDWARE}  # all others are in 03

KEYS: Final = ValueKeys(
    units=UNITS, lists={"temperatures": 8, "cell_voltages": 32}, unusual=("production_date", "hardware")
)


def register_of(name: str) -> int:
    """Return the register that holds a value."""
    return _REGISTER_OF.get(name, BASIC_INFORMATION)


class Bms:
    """The BMS of a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._registers = sorted({register_of(name) for sensor in sensors for name in sensor.values})
        self._lessons: Lessons[int] = Lessons()

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[polling.Request]:
        """Return the requests of each poll."""
        return [_request(register) for register in self._registers]

    def poll(self, now: float, /) -> Dialogue:
        """Poll once.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        self._lessons.begin(now)
        fields: Fields = {}
        answered_registers: list[int] = []
        refusals: list[DeviceRefusal] = []
        for register in self._lessons.agenda(self._registers):
            try:
                frame = yield _request(register)
            except NotAsked:
                continue
            if frame is None:
                is_present = bool(answered_registers or refusals)
                self._lessons.unanswered(register, is_present=is_present)
                if not is_present:
                    break
                continue
            reply = frames.parse(frame)
            if isinstance(reply, Reply) and reply.status == DONE:
                fields |= registers.values(register, reply.data)
                answered_registers.append(register)
            else:
                self._lessons.failed(register, "refused")
                refusals.append(DeviceRefusal("refused", code=REFUSED, request=f"register {register:02X}"))
        self._lessons.answered(answered_registers)
        return PollResult(
            values=tuple(KEYS.choose(fields, sensor.values) for sensor in self._sensors),
            complete=len(answered_registers) == len(self._registers),
            refusals=tuple(refusals),
            left_out=self._lessons.named(
                {name: register_of(name) for name in sensor.values} for sensor in self._sensors
            ),
        )


@dataclass(slots=True)
class SimulatedBms:
    """A simulated BMS: the other side of the line.

    Attributes:
        registers: number → the data of its reply.
    """

    registers: dict[int, bytes] = field(default_factory=dict)

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply, a refusal if there is no such register; None if it is no read request."""
        message = frames.parse(request)
        if not isinstance(message, Request) or message.order != READ:
            return None
        data = self.registers.get(message.register)
        return frames.build(Reply(message.register, REFUSED if data is None else DONE, data or b""))


def _request(register: int) -> polling.Request:
    def accepts(frame: Frame) -> bool:
        return frame.direction is Direction.REPLY and frame.data[1] == register

    return polling.Request(
        data=frames.build(Request(READ, register)),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=AROUND,
        summary=f"bms: register {register:02X}",
        longest_reply=MAX_LENGTH,
        shape=register,
    )
