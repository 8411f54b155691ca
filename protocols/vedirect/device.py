"""One device, asked for its registers one by one.

What a device does not have it says, at the cost of an exchange; so such a register is left alone for a while.
Silence ends a poll: what was read by then is its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.dialogue import Dialogue, LineSettings, PollResult, Request, Values
from protocols.errors import DeviceRefusal
from protocols.framing import Frame
from protocols.meaning import Missing
from protocols.vedirect import hex as frames
from protocols.vedirect.hex import GET, Told
from protocols.vedirect.registers import Register
from protocols.vedirect.settings import DeviceSettings

# A register that is refused is asked for again once in so many polls.
POLLS_BETWEEN_RETRIES: Final = 100

_MAX_VALUE = 34  # octets of the longest value
_UNKNOWN = 0x01


class VictronDevice:
    """The device that serves sensors with these settings: the only one on its line."""

    def __init__(self, sensors: Sequence[DeviceSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._registers = {one.number: one for sensor in sensors for one in sensor.registers}
        self._refused: dict[int, int] = {}  # in which poll to ask again
        self._polls = 0

    @property
    def address(self) -> str:
        """It has none."""
        return ""

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        return [_request(one) for number, one in self._registers.items() if number not in self._refused]

    def poll(self) -> Dialogue:
        """Starts one poll."""
        self._polls += 1
        told: dict[int, bytes] = {}
        refusals: list[DeviceRefusal] = []
        for register in self._due():
            frame = yield _request(register)
            if frame is None:
                break
            reply = frames.told_by(frames.parse(frame))
            assert reply is not None, "what is accepted is about a register"
            if reply.flags:
                asked = f"register 0x{register.number:04X} ({register.name})"
                refusals.append(
                    DeviceRefusal(frames.error_name(reply.flags), code=reply.flags, request=asked)
                )
                if reply.flags & _UNKNOWN:
                    self._refused[register.number] = self._polls + POLLS_BETWEEN_RETRIES
            else:
                told[register.number] = reply.value
                self._refused.pop(register.number, None)
        return self._result(told, refusals)

    def _due(self) -> list[Register]:
        """What this poll asks for; if all was refused, what is due first."""
        due = [one for number, one in self._registers.items() if self._refused.get(number, 0) <= self._polls]
        return due or [self._registers[min(self._refused, key=lambda number: self._refused[number])]]

    def _result(self, told: dict[int, bytes], refusals: Sequence[DeviceRefusal]) -> PollResult:
        values: list[Values] = []
        out_of_limits = 0
        for sensor in self._sensors:
            found = {one.name: one.value(told[one.number]) for one in sensor.registers if one.number in told}
            values.append({name: value for name, value in found.items() if not isinstance(value, Missing)})
            out_of_limits += sum(value is Missing.OUT_OF_LIMITS for value in found.values())
        complete = told.keys() == self._registers.keys()
        return PollResult(tuple(values), complete, tuple(refusals), out_of_limits)


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
    )
