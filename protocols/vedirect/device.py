"""One device, asked for its registers one by one.

What a device does not have it says, at the cost of an exchange, or leaves unanswered, at that of a time-out.
So a register that failed in several polls is left alone for a while: see `protocols.toolkit.lessons`. A
device that answers nothing is not there: its poll is over at the first silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Frame
from protocols.toolkit.lessons import MOST_SILENCES, Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request, Values
from protocols.toolkit.scaling import Missing
from protocols.vedirect import hex_frame as frames
from protocols.vedirect.hex_frame import GET, Told
from protocols.vedirect.registers import Register
from protocols.vedirect.settings import DeviceSettings

_MAX_VALUE = 34  # octets of the longest value
_UNKNOWN = 0x01


class VictronDevice:
    """The device that serves sensors with these settings: the only one on its line."""

    def __init__(self, sensors: Sequence[DeviceSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._registers = {one.number: one for sensor in sensors for one in sensor.registers}
        self._lessons: Lessons[int] = Lessons()

    @property
    def address(self) -> str:
        """It has none."""
        return ""

    def twin(self) -> Self:
        """Return a device that knows the same, and learns apart from this one."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        left_out = self._lessons.left_out
        return [_request(one) for number, one in self._registers.items() if number not in left_out]

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back."""
        self._lessons.begin(now)
        told: dict[int, bytes] = {}
        refusals: list[DeviceRefusal] = []
        silences = 0
        for register in map(self._registers.__getitem__, self._lessons.agenda(self._registers)):
            try:
                frame = yield _request(register)
            except NotAsked:
                continue
            if frame is None:
                silences += 1
                is_present = bool(told or refusals)
                self._lessons.unanswered(register.number, is_present=is_present)
                if not is_present or silences == MOST_SILENCES:
                    break
                continue
            reply = frames.told_by(frames.parse(frame))
            assert reply is not None, "what is accepted is about a register"
            if reply.flags:
                asked = f"register 0x{register.number:04X} ({register.name})"
                refusals.append(
                    DeviceRefusal(frames.error_name(reply.flags), code=reply.flags, request=asked)
                )
                if reply.flags & _UNKNOWN:
                    self._lessons.failed(register.number, frames.error_name(reply.flags))
            else:
                told[register.number] = reply.value
        self._lessons.answered(told)
        return self._result(told, refusals)

    def _result(self, told: dict[int, bytes], refusals: Sequence[DeviceRefusal]) -> PollResult:
        values: list[Values] = []
        out_of_limits = 0
        for sensor in self._sensors:
            found = {one.name: one.value(told[one.number]) for one in sensor.registers if one.number in told}
            values.append({name: value for name, value in found.items() if not isinstance(value, Missing)})
            out_of_limits += sum(value is Missing.OUT_OF_LIMITS for value in found.values())
        complete = told.keys() == self._registers.keys()
        left_out = self._lessons.named(
            {one.name: one.number for one in sensor.registers} for sensor in self._sensors
        )
        return PollResult(tuple(values), complete, tuple(refusals), out_of_limits, left_out)


def _request(register: Register) -> Request:
    """Asks for a register."""
    data = frames.build(frames.of_register(GET, Told(register.number)))

    def accepts(frame: Frame) -> bool:
        message = frames.parse(frame)
        told = frames.told_by(message)
        if message.command != GET or told is None or told.register != register.number:
            return False
        return bool(told.flags or told.value)  # a get without them is the request, heard again

    return Request(
        data=data,
        framer=frames.StreamFramer,
        accepts=accepts,
        reply_length=len(data),  # of a refusal
        summary=f"register 0x{register.number:04X} ({register.name})",
        longest_reply=len(data) + 2 * _MAX_VALUE,
        shape=register.number,
    )
