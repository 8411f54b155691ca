"""A meter that is asked for its registers, what is said of its frames, and its other side, which answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.kamstrup_kmp import registers
from protocols.kamstrup_kmp.frame import (
    AROUND,
    FROM_METER,
    MAX_LENGTH,
    METER,
    TO_METER,
    StreamFramer,
    build,
    content,
)
from protocols.kamstrup_kmp.quantities import QUANTITIES, values_of
from protocols.kamstrup_kmp.registers import MAX_REGISTERS, USUAL_LENGTH, Register
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request
from protocols.toolkit.protocol import Fields
from protocols.toolkit.value_list import ValueSettings

_GET_SERIAL: Final = 0x02


class Meter:
    """The meter under an optical head."""

    address = "1"

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        names = dict.fromkeys(name for sensor in sensors for name in sensor.values)
        self._numbers = [QUANTITIES[name].register for name in names]

    def planned(self) -> list[Request]:
        """Return the requests of each poll: one for every eight registers."""
        numbers = self._numbers
        return [_request(numbers[at : at + MAX_REGISTERS]) for at in range(0, len(numbers), MAX_REGISTERS)]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        register_values: dict[int, Register] = {}
        is_complete = True
        for request in self.planned():
            frame = yield request
            if frame is None:
                is_complete = False
            else:
                register_values |= registers.read(frame) or {}
        values = tuple(values_of(sensor.values, register_values) for sensor in self._sensors)
        return PollResult(values, complete=is_complete)


@dataclass(slots=True)
class SimulatedMeter:
    """A meter that answers: the other side of the line.

    Attributes:
        registers: what it has.
    """

    registers: dict[int, Register] = field(default_factory=dict)

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request asks for no registers."""
        numbers = registers.numbers_asked(request)
        if numbers is None:
            return None
        known_registers = {number: self.registers[number] for number in numbers if number in self.registers}
        return build(FROM_METER, registers.reply(known_registers))


def describe(frame: Frame) -> Fields:
    """Return address, CID and data, and what these say: the registers asked or told, or a serial number."""
    address, cid, *_ = octets = content(frame)
    data = octets[2:]
    fields: Fields = {"address": address, "cid": cid, "data": data.hex()}
    if cid == _GET_SERIAL and frame.direction is Direction.REPLY and len(data) == 4:
        return fields | {"serial": int.from_bytes(data, "big")}
    numbers = registers.numbers_asked(frame)
    if numbers is not None:
        return fields | {"registers": numbers}
    register_values = registers.read(frame)
    if register_values:
        fields["values"] = {
            str(number): {"unit": register.unit, "value": register.number()}
            for number, register in register_values.items()
        }
    return fields


def serial_request() -> Request:
    """Return the request for the serial number."""

    def accepts(frame: Frame) -> bool:
        return frame.direction is Direction.REPLY and content(frame)[1] == _GET_SERIAL

    return Request(
        data=build(TO_METER, bytes((METER, _GET_SERIAL))),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=AROUND + 4,
        summary="kamstrup-kmp: serial number",
        longest_reply=MAX_LENGTH,
    )


def _request(numbers: Sequence[int]) -> Request:
    def accepts(frame: Frame) -> bool:
        register_values = registers.read(frame)
        return register_values is not None and register_values.keys() <= set(numbers)

    return Request(
        data=build(TO_METER, registers.request(numbers)),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=AROUND + USUAL_LENGTH * len(numbers),
        summary=f"kamstrup-kmp: registers {', '.join(map(str, numbers))}",
        longest_reply=MAX_LENGTH,
    )
