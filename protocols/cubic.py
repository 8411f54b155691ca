"""Cubic sensors on a UART, polled: CM1106 (CO₂), PM1006, PM1006K and PM1003, PM2008 and its family (dust).

Spec: Cubic, "CM1106 Single Beam NDIR CO2 Sensor Module", chapter UART; "PM1006 LED Particle Sensor Module"
and "LED Particle Sensor PM1006K", p. 7; "PM2008M-M Laser Particle Sensor Module", UART protocol. 9600 8N1;
the host speaks first, a sensor stands alone on its line.

    request   11 | length | command … | check                    length: of command and data
    reply     16 | length | command | data … | check
    check: what makes the sum of all octets zero, modulo 256; numbers big endian

    CM1106    11 01 01 ED           16 05 01 | CO₂ 2 | 2 | check
    PM1006    11 02 0B 01 E1        16 11 0B | 2 | PM2.5 2 | 12 | check
    PM1006K   11 02 0B 01 E1        16 11 0B | 2 | PM2.5 2 | 2 | PM1.0 2 | 2 | PM10 2 | 4 | check
    PM2008    11 02 0B 07 DB        16 35 0B | PM1.0 4 | PM2.5 4 | PM10 4 | the same three, TSI | particles
              larger than 0.3, 0.5, 1, 2.5, 5 and 10 µm, 4 each | 4 | check

PM2008, PM2009, PM2016, PM2105 and PM3015 answer alike. The first three concentrations are reckoned as a GRIMM
instrument reckons them, the second three as a TSI. What the four octets of the PM1006 behind each number
mean, its document does not say. A sensor of the PM2008 family measures as soon as it has power.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.keys import shown, unknown_keys
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request, Values
from protocols.toolkit.protocol import Fields, PolledProtocol
from protocols.toolkit.search import SearchFramer, Shape

_HOST, _SENSOR = 0x11, 0x16
_AROUND: Final = 3  # octets of a frame beside command and data
_MAX_DATA: Final = 0x35
MAX_LENGTH: Final = _AROUND + _MAX_DATA


class Quantity(NamedTuple):
    """A value of a sensor: its name, its unit, and where in the reply it stands."""

    name: str
    unit: str
    at: int
    length: int = 2


class Model(NamedTuple):
    """A sensor: what it is asked, and what it answers."""

    command: bytes
    length: int
    quantities: tuple[Quantity, ...]


_DUST, _COUNT = "µg/m³", "1/L"
_FOUR: Final = ("pm1_0", "pm2_5", "pm10", "pm1_0_tsi", "pm2_5_tsi", "pm10_tsi")
_COUNTED: Final = tuple(f"particles_{size}" for size in ("0_3", "0_5", "1_0", "2_5", "5_0", "10"))
MODELS: Final[Mapping[str, Model]] = {
    "cm1106": Model(b"\x01", 5, (Quantity("co2", "ppm", 3),)),
    "pm1006": Model(b"\x0b\x01", 17, (Quantity("pm2_5", _DUST, 5),)),
    "pm1006k": Model(
        b"\x0b\x01",
        17,
        (Quantity("pm2_5", _DUST, 5), Quantity("pm1_0", _DUST, 9), Quantity("pm10", _DUST, 13)),
    ),
    "pm2008": Model(
        b"\x0b\x07",
        53,
        tuple(
            Quantity(name, _DUST if name in _FOUR else _COUNT, 3 + 4 * number, 4)
            for number, name in enumerate(_FOUR + _COUNTED)
        ),
    ),
}
_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {"model": {"enum": list(MODELS), "description": "Which sensor it is."}},
    "required": ["model"],
}


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """A sensor: its model."""

    model: Model

    @property
    def address(self) -> str:
        """Return the one address of a line."""
        return Sensor.address

    @property
    def units(self) -> dict[str, str]:
        """Return the values of its model, each with its unit."""
        return {quantity.name: quantity.unit for quantity in self.model.quantities}


def parse_settings(table: Mapping[str, object]) -> SensorSettings:
    """Return the settings that a sensor's own keys mean.

    Raises:
        SettingsError: with every mistake.
    """
    problems = unknown_keys(table, ("model",))
    name = table.get("model")
    if not isinstance(name, str) or name not in MODELS:
        what = "is missing" if name is None else f"{shown(name)} is not a sensor known here"
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
                accepts=lambda frame: _is_reply(frame, model),
                reply_length=_AROUND + model.length,
                summary=f"cubic: {model.quantities[0].name}",
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        if frame is None:
            return PollResult(({},) * self._count, complete=False)
        return PollResult((_values(frame, self._model),) * self._count)


@dataclass(slots=True)
class SimulatedSensor:
    """A sensor that answers: the other side of the line.

    Attributes:
        model: which one it is.
        values: what it measures, by name.
    """

    model: Model
    values: Mapping[str, int]

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None to what is not its request."""
        if request.data != build(_HOST, self.model.command):
            return None
        data = bytearray(self.model.length)
        data[0] = self.model.command[0]
        for name, _, at, length in self.model.quantities:
            data[at - 2 : at - 2 + length] = self.values[name].to_bytes(length, "big")
        return build(_SENSOR, bytes(data))


def build(start: int, data: bytes) -> bytes:
    """Return a frame with this command and data, and its check."""
    octets = bytes((start, len(data))) + data
    return octets + bytes((-sum(octets) & 0xFF,))


def describe(frame: Frame) -> Fields:
    """Return the command and its data; of a reply the values too, of two sensors those that both have."""
    fields: Fields = {"command": frame.data[2], "data": frame.data[3:-1].hex()}
    model = next((model for model in MODELS.values() if _is_reply(frame, model)), None)
    return fields | (_values(frame, model) if model else {})


def _is_reply(frame: Frame, model: Model) -> bool:
    is_reply = frame.direction is Direction.REPLY
    return is_reply and (frame.data[1], frame.data[2]) == (model.length, model.command[0])


def _values(frame: Frame, model: Model) -> Values:
    return {
        name: int.from_bytes(frame.data[at : at + length], "big") for name, _, at, length in model.quantities
    }


def _extent(buffer: bytes, at: int) -> int:
    return _AROUND + buffer[at + 1]


def _flaw(frame: bytes) -> NoiseReason | None:
    return NoiseReason.CHECKSUM if sum(frame) & 0xFF else None


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[0] == _HOST else Direction.REPLY


_SHAPE: Final = Shape(  # only the lengths and commands that are known: the check is one octet
    head=re.compile(rb"\x11(?:\x01\x01|\x02\x0b[\x01\x07])|\x16(?:\x05\x01|[\x11\x35]\x0b)"),
    head_length=4,
    starts=bytes((_HOST, _SENSOR)),
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL: Final = PolledProtocol(
    name="cubic",
    title="Cubic CM1106, PM1006, PM2008",
    spec="Cubic CM1106, PM1006 and PM2008 data sheets, UART",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=_SCHEMA,
    settings=parse_settings,
    device=Sensor,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
