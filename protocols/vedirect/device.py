"""One device, polled register by register.

A device refuses a register that it does not have, which costs an exchange, or leaves it unanswered, which
costs a time-out. So a register that failed in several polls is left out for a while: see
`protocols.toolkit.lessons`. A device that answers nothing is not there: its poll is over at the first
silence.
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
from protocols.vedirect.hex_frame import GET, RegisterContent
from protocols.vedirect.registers import Register
from protocols.vedirect.settings import DeviceSettings

_MAX_VALUE = 34  # octets of the longest value
_UNKNOWN = 0x01


class VictronDevice:
    """One device, the only one on its line, which serves all sensors of the line."""

    def __init__(self, sensors: Sequence[DeviceSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._registers = {register.number: register for sensor in sensors for register in sensor.registers}
        self._lessons: Lessons[int] = Lessons()

    @property
    def address(self) -> str:
        """Return "": a device has no address."""
        return ""

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        left_out = self._lessons.left_out
        return [_request(register) for number, register in self._registers.items() if number not in left_out]

    def poll(self, now: float, /) -> Dialogue:
        """Poll once.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        self._lessons.begin(now)
        octets_by_register: dict[int, bytes] = {}
        refusals: list[DeviceRefusal] = []
        silences = 0
        for register in map(self._registers.__getitem__, self._lessons.agenda(self._registers)):
            try:
                frame = yield _request(register)
            except NotAsked:
                continue
            if frame is None:
                silences += 1
                is_present = bool(octets_by_register or refusals)
                self._lessons.unanswered(register.number, is_present=is_present)
                if not is_present or silences == MOST_SILENCES:
                    break
                continue
            reply = frames.register_content(frames.parse(frame))
            assert reply is not None, "an accepted frame is about a register"
            if reply.flags:
                request_text = f"register 0x{register.number:04X} ({register.name})"
                refusals.append(
                    DeviceRefusal(frames.error_name(reply.flags), code=reply.flags, request=request_text)
                )
                if reply.flags & _UNKNOWN:
                    self._lessons.failed(register.number, frames.error_name(reply.flags))
            else:
                octets_by_register[register.number] = reply.value
        self._lessons.answered(octets_by_register)
        return self._result(octets_by_register, refusals)

    def _result(self, octets_by_register: dict[int, bytes], refusals: Sequence[DeviceRefusal]) -> PollResult:
        values: list[Values] = []
        missing: list[dict[str, str]] = []
        out_of_limits = 0
        for sensor in self._sensors:
            value_by_name = {
                register.name: register.value(octets_by_register[register.number])
                for register in sensor.registers
                if register.number in octets_by_register
            }
            values.append(
                {name: value for name, value in value_by_name.items() if not isinstance(value, Missing)}
            )
            missing.append(
                {name: value.value for name, value in value_by_name.items() if isinstance(value, Missing)}
            )
            out_of_limits += sum(value is Missing.OUT_OF_LIMITS for value in value_by_name.values())
        complete = octets_by_register.keys() == self._registers.keys()
        left_out = self._lessons.named(
            {register.name: register.number for register in sensor.registers} for sensor in self._sensors
        )
        return PollResult(
            tuple(values),
            complete,
            tuple(refusals),
            out_of_limits,
            left_out,
            missing=tuple(missing) if any(missing) else (),
        )


def _request(register: Register) -> Request:
    """Return the request for a register."""
    data = frames.build(frames.of_register(GET, RegisterContent(register.number)))

    def accepts(frame: Frame) -> bool:
        message = frames.parse(frame)
        content = frames.register_content(message)
        if message.command != GET or content is None or content.register != register.number:
            return False
        return bool(content.flags or content.value)  # a get without them is the echo of the request

    return Request(
        data=data,
        framer=frames.StreamFramer,
        accepts=accepts,
        reply_length=len(data),  # of a refusal
        summary=f"register 0x{register.number:04X} ({register.name})",
        longest_reply=len(data) + 2 * _MAX_VALUE,
        shape=register.number,
    )
