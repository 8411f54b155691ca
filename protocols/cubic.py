"""Cubic sensors on a UART, polled: CM1106 (CO₂), PM1006 and PM1003 (PM2.5, as in IKEA's VINDRIKTNING).

Spec: Cubic, "CM1106 Single Beam NDIR CO2 Sensor Module", chapter UART, and "PM1006 LED Particle Sensor
Module", p. 7. 9600 8N1; the host speaks first, a sensor stands alone on its line.

    request   11 | length | command … | check                    length: of command and data
    reply     16 | length | command | data … | check
    check: what makes the sum of all octets zero, modulo 256; numbers big endian

    CM1106    11 01 01 ED           16 05 01 | CO₂ 2 | 2 | check
    PM1006    11 02 0B 01 E1        16 11 0B | 2 | PM2.5 2 | 12 | check
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from protocols import Fields, Protocol, without_models
from protocols.dialogue import Dialogue, LineSettings, PollResult, Request
from protocols.errors import Problem, SettingsError
from protocols.framing import Direction, Frame
from protocols.meaning_keys import unknown_key
from protocols.search import SearchFramer, Shape

_HOST, _SENSOR = 0x11, 0x16
_AROUND: Final = 3  # octets of a frame beside command and data
_MAX_DATA: Final = 0x20
MAX_LENGTH: Final = _AROUND + _MAX_DATA


class Model(NamedTuple):
    """A sensor: what it is asked, and where in the reply its value stands."""

    command: bytes
    length: int
    at: int
    value: str
    unit: str


MODELS: Final[Mapping[str, Model]] = {
    "cm1106": Model(b"\x01", 5, 3, "co2", "ppm"),
    "pm1006": Model(b"\x0b\x01", 17, 5, "pm2_5", "µg/m³"),
}
_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {"model": {"enum": list(MODELS), "description": "Which sensor it is."}},
    "required": ["model"],
}


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """A sensor: its model."""

    model: Model


def parse_settings(table: Mapping[str, Any]) -> SensorSettings:
    """Return the settings that a sensor's own keys mean.

    Raises:
        SettingsError: with every mistake.
    """
    problems: list[Problem] = [((key,), unknown_key(key, ("model",))) for key in sorted({*table} - {"model"})]
    name = table.get("model")
    if not isinstance(name, str) or name not in MODELS:
        what = "is missing" if name is None else f"{name!r} is no sensor known here"
        problems.append((("model",), f"{what}, use one of: {', '.join(MODELS)}"))
    if problems:
        raise SettingsError(problems)
    return SensorSettings(MODELS[str(name)])


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Sensor:
    """The sensor on a line."""

    address = "1"

    def __init__(self, sensors: Sequence[SensorSettings], line: LineSettings) -> None:
        self._count = len(sensors)
        self._model = sensors[0].model

    def planned(self) -> list[Request]:
        """Return the one request of each poll."""
        model = self._model
        return [
            Request(
                data=build(_HOST, model.command),
                framer=StreamFramer,
                accepts=lambda frame: model.value in _values(frame),
                reply_length=_AROUND + model.length,
                summary=f"cubic: {model.value}",
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        if frame is None:
            return PollResult(({},) * self._count, complete=False)
        return PollResult((_values(frame),) * self._count)


@dataclass(slots=True)
class SimulatedSensor:
    """A sensor that answers: the other side of the line.

    Attributes:
        model: which one it is.
        value: what it measures.
    """

    model: Model
    value: int

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None to what is not its request."""
        if request.data != build(_HOST, self.model.command):
            return None
        data = bytearray(self.model.length)
        data[0] = self.model.command[0]
        data[self.model.at - 2 : self.model.at] = self.value.to_bytes(2, "big")
        return build(_SENSOR, bytes(data))


def build(start: int, data: bytes) -> bytes:
    """Return a frame with this command and data, and its check."""
    octets = bytes((start, len(data))) + data
    return octets + bytes((-sum(octets) & 0xFF,))


def describe(frame: Frame) -> Fields:
    """Return the command and its data; of a reply the value too."""
    return {"command": frame.data[2], "data": frame.data[3:-1].hex()} | _values(frame)


def _values(frame: Frame) -> dict[str, int | float | str | bool]:
    data = frame.data
    if frame.direction is Direction.REPLY:
        for model in MODELS.values():
            if (data[1], data[2]) == (model.length, model.command[0]):
                return {model.value: int.from_bytes(data[model.at : model.at + 2], "big")}
    return {}


def _units_of(settings: SensorSettings) -> dict[str, str]:
    return {settings.model.value: settings.model.unit}


def _extent(buffer: bytes, at: int) -> int:
    return _AROUND + buffer[at + 1]


def _flaw(frame: bytes) -> str | None:
    return "checksum" if sum(frame) & 0xFF else None


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[0] == _HOST else Direction.REPLY


_SHAPE: Final = Shape(  # only the lengths and commands that are known: the check is one octet
    head=re.compile(rb"\x11(?:\x01\x01|\x02\x0b\x01)|\x16(?:\x05\x01|\x11\x0b)"),
    head_length=4,
    starts=bytes((_HOST, _SENSOR)),
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL: Final = Protocol(
    name="cubic",
    title="Cubic CM1106, PM1006",
    spec="Cubic CM1106 and PM1006 data sheets, UART",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=_SCHEMA,
    settings=parse_settings,
    device=Sensor,
    address_of=lambda settings: Sensor.address,
    units_of=_units_of,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
