"""A battery of a stack: what it is asked, what it says, and its other side, which answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.pylontech import alarms, analog, frame
from protocols.pylontech.frame import NORMAL, StreamFramer
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request
from protocols.toolkit.protocol import Fields
from protocols.toolkit.value_list import ValueKeys

KEYS: Final = ValueKeys(
    units={**analog.UNITS, **alarms.UNITS},
    lists={"temperatures": 8, "cell_voltages": 24},
    unusual=tuple(alarms.UNITS),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request, and how the information in its reply is read."""

    name: str
    command: int
    values: Collection[str]
    read: Callable[[bytes], Fields]


QUESTIONS: Final = (
    Question("analog value", analog.COMMAND, analog.UNITS, analog.read),
    Question("alarm information", alarms.COMMAND, alarms.UNITS, alarms.read),
)


@dataclass(frozen=True, slots=True)
class PackSettings:
    """A sensor: which battery it is, and the values that are read from it.

    Attributes:
        number: the address of the battery.
        values: the values that are read.
        units: the values that these bring, each with its unit or "".
    """

    number: int
    values: tuple[str, ...]
    units: Mapping[str, str]

    @property
    def address(self) -> str:
        """Return the address of the battery as text."""
        return str(self.number)


class Battery:
    """The battery that serves sensors with one address."""

    def __init__(self, sensors: Sequence[PackSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._number = sensors[0].number
        names = {name for sensor in sensors for name in sensor.values}
        self._questions = [question for question in QUESTIONS if names & set(question.values)]

    @property
    def address(self) -> str:
        """Return its number."""
        return str(self._number)

    def planned(self) -> list[Request]:
        """Return the requests of each poll: one, or two if alarms are read."""
        return [_request(self._number, question) for question in self._questions]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        fields: Fields = {}
        is_complete = True
        refusals: list[DeviceRefusal] = []
        for question in self._questions:
            try:
                reply = yield _request(self._number, question)
            except NotAsked:
                reply = None
            code = frame.code(reply) if reply else NORMAL
            if code != NORMAL:
                refusals.append(DeviceRefusal(frame.refusal(code), code=code, request=question.name))
            if reply is None or code != NORMAL:
                is_complete = False
            else:
                fields |= question.read(frame.info(reply))
        values = tuple(KEYS.choose(fields, sensor.values) for sensor in self._sensors)
        return PollResult(values, complete=is_complete, refusals=tuple(refusals))


@dataclass(slots=True)
class SimulatedBattery:
    """A battery that answers: the other side of the line.

    Attributes:
        address: its number.
        info: its analog value.
        alarms: its alarm information; empty: it does not know the command.
    """

    address: int
    info: bytes
    alarms: bytes = b""

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another battery, or is none."""
        if request.direction is not Direction.REQUEST or frame.address(request) != self.address:
            return None
        info_of = {analog.COMMAND: self.info, alarms.COMMAND: self.alarms}
        info = info_of.get(frame.code(request))
        return frame.build(self.address, NORMAL, info) if info else frame.build(self.address, 0x04)


def describe(received: Frame) -> Fields:
    """Return version, address, code and info; of a reply what its information says."""
    code, info = frame.code(received), frame.info(received)
    is_request = received.direction is Direction.REQUEST
    fields: Fields = {
        "version": frame.octets(received)[0],
        "address": frame.address(received),
        ("cid2" if is_request else "rtn"): code,
        "info": info.hex(),
    }
    if is_request:
        return fields
    if code != NORMAL:
        return fields | {"error": frame.refusal(code)}
    return fields | next((read for question in QUESTIONS if (read := question.read(info))), {})


def _request(number: int, question: Question) -> Request:
    def accepts(reply: Frame) -> bool:
        if reply.direction is not Direction.REPLY or frame.address(reply) != number:
            return False
        return frame.code(reply) != NORMAL or bool(question.read(frame.info(reply)))

    return Request(
        data=frame.build(number, question.command, bytes((number,))),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=frame.SHORTEST,
        summary=f"battery {number}: {question.name}",
        longest_reply=frame.MAX_LENGTH,
        shape=question.name,
    )
