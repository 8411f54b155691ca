"""A sensor that answers: the other side of the line, for tests and for practice.

It builds its replies with the declarations that the parser parses with, and keeps the order of its modes:

    asleep ──wake-up──▶ idle ──start──▶ measuring
           ◀──sleep───      ◀──stop────
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from protocols.shdlc import frame as frames
from protocols.shdlc.frame import Miso, Mosi
from protocols.shdlc.models import (
    DEVICE_INFORMATION,
    NOT_ALLOWED,
    READ_MEASURED_VALUES,
    SLEEP,
    START_MEASUREMENT,
    STOP_MEASUREMENT,
    WAKE_UP,
    Format,
    Model,
)
from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Address, Dialect

WRONG_LENGTH = 0x01
UNKNOWN_COMMAND = 0x02
NOT_A_PARAMETER = 0x04


class Mode(Enum):
    """The operating mode of a sensor."""

    ASLEEP = "asleep"
    IDLE = "idle"
    MEASURING = "measuring"


_NEXT: Mapping[tuple[Mode, int], Mode] = {
    (Mode.IDLE, START_MEASUREMENT): Mode.MEASURING,
    (Mode.MEASURING, STOP_MEASUREMENT): Mode.IDLE,
    (Mode.IDLE, SLEEP): Mode.ASLEEP,
    (Mode.ASLEEP, WAKE_UP): Mode.IDLE,
    (Mode.IDLE, WAKE_UP): Mode.IDLE,
}
_COMMANDS = {command for _, command in _NEXT}


@dataclass(slots=True)
class SimulatedSensor:
    """A simulated sensor.

    Attributes:
        model: the model of the sensor.
        values: the measured values by name.
        address: the address on its line.
        serial: the serial number.
        mode: the operating mode.
        has_news: False: there is no new measurement since the last one was read.
        has_fault: an error flag of its status register is set.
        is_active: asleep, it hears: something pulled its line low.
    """

    model: Model
    values: dict[str, float] = field(default_factory=dict)
    address: int = 0
    serial: str = "8E4A6A5B11D0C3B2"
    mode: Mode = Mode.IDLE
    has_news: bool = True
    has_fault: bool = False
    is_active: bool = False
    _form: Format | None = None

    def pull_low(self) -> None:
        """Wake the interface, as any octet on the line does."""
        self.is_active = True

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another sensor, or this one sleeps."""
        message = frames.request(request)
        if message is None or message.address != self.address:
            return None
        if self.mode is Mode.ASLEEP and not (self.is_active and message.command == WAKE_UP):
            self.is_active = True
            return None
        self.is_active = False
        error, data = self._execute(message)
        state = error | frames.ERROR_FLAG * self.has_fault
        return frames.build(Miso(self.address, message.command, state, data))

    def _execute(self, message: Mosi) -> tuple[int, bytes]:
        """Execute a command; return its error code, or 0, and the data of the reply."""
        if message.command == READ_MEASURED_VALUES:
            return self._read(message.data)
        if message.command == DEVICE_INFORMATION:
            return self._inform(message.data)
        if message.command in (SLEEP, WAKE_UP) and not self.model.sleeps:
            return UNKNOWN_COMMAND, b""
        if (self.mode, message.command) in _NEXT:
            return self._change(message), b""
        return (NOT_ALLOWED if message.command in _COMMANDS else UNKNOWN_COMMAND), b""

    def _change(self, message: Mosi) -> int:
        if message.command == START_MEASUREMENT:
            form = next((form for form in self.model.formats.values() if form.start == message.data), None)
            if form is None:
                return NOT_A_PARAMETER
            self._form = form
        elif message.data:
            return WRONG_LENGTH
        self.mode = _NEXT[self.mode, message.command]
        return 0

    def _read(self, data: bytes) -> tuple[int, bytes]:
        if data != self.model.read:
            return NOT_A_PARAMETER, b""
        if self._form is None or self.mode is not Mode.MEASURING:
            return NOT_ALLOWED, b""
        return 0, self.model.encode(self.values, self._form) if self.has_news else b""

    def _inform(self, data: bytes) -> tuple[int, bytes]:
        if data != self.model.serial:
            return NOT_A_PARAMETER, b""
        return 0, self.serial.encode() + b"\0"


def _address(frame: Frame) -> int:
    return frames.content(frame.data)[0]


def _concerns(request: Frame, address: Address) -> bool:
    return _address(request) == address


def _refused(request: Frame, code: int) -> bytes:
    address, command, *_ = frames.content(request.data)
    return frames.build(Miso(address, command, code))


def _misaddressed(reply: Frame) -> bytes:
    message = frames.reply(reply)
    assert message is not None, "a sensor replies"
    return frames.build(Miso(message.address ^ 1, message.command, message.state, message.data))


def _damaged(reply: bytes) -> bytes:
    octets = frames.content(reply)
    return frames.enclosed(octets[:-1] + bytes((octets[-1] ^ 0xFF,)))


DIALECT = Dialect(
    framer=frames.StreamFramer,
    address=_address,
    concerns=_concerns,
    message=lambda frame: frames.content(frame.data)[:-1],
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=_damaged,
)
