"""Winsen MH-Z19 and relatives (MH-Z14, MH-Z16): carbon dioxide, asked for with command 86; 9600 8N1.

Of the six octets of the reply the first two are the concentration in ppm; the manual is silent about the
others, and so are we. A sensor stands alone on its line: it has no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocols import Protocol, without_models
from protocols.dialogue import Dialogue, LineSettings, PollResult, Request
from protocols.errors import SettingsError
from protocols.framing import Direction, Frame
from protocols.winsen import frame as frames
from protocols.winsen.frame import LENGTH, READ_CONCENTRATION, REPLY, REQUEST, StreamFramer

_UNITS = {"co2": "ppm"}


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """A sensor; it has no keys of its own."""


def parse_settings(table: Mapping[str, Any]) -> SensorSettings:
    """A sensor's own keys: none.

    Raises:
        SettingsError: with every key.
    """
    if table:
        raise SettingsError([((key,), "is no key here: this sensor has none of its own") for key in table])
    return SensorSettings()


class Sensor:
    """The sensor on a line."""

    address = "1"

    def __init__(self, sensors: Sequence[SensorSettings], line: LineSettings) -> None:
        self._sensors = len(sensors)

    def planned(self) -> list[Request]:
        """The one request of each poll."""
        return [
            Request(
                data=frames.build(REQUEST, command=READ_CONCENTRATION, data=bytes(5)),
                framer=StreamFramer,
                accepts=_answers,
                reply_length=LENGTH,
                summary="winsen: concentration",
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Starts one poll."""
        (request,) = self.planned()
        frame = yield request
        if frame is None:
            return PollResult(({},) * self._sensors, complete=False)
        return PollResult(({"co2": frames.describe(frame)["co2"]},) * self._sensors)


@dataclass(slots=True)
class SimulatedSensor:
    """A sensor that answers: the other side of the line.

    Attributes:
        co2: what it measures, in ppm.
    """

    co2: int

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply; None to what is no request for the concentration."""
        if request.direction is not Direction.REQUEST or request.data[2] != READ_CONCENTRATION:
            return None
        data = self.co2.to_bytes(2, "big") + bytes(4)
        return frames.build(REPLY, command=READ_CONCENTRATION, data=data)


def _answers(frame: Frame) -> bool:
    return frame.direction is Direction.REPLY and frame.data[1] == READ_CONCENTRATION


def _address_of(settings: SensorSettings) -> str:
    return Sensor.address


def _units_of(settings: SensorSettings) -> dict[str, str]:
    return dict(_UNITS)


PROTOCOL = Protocol(
    name="winsen",
    title="Winsen MH-Z19",
    spec="Winsen MH-Z19B manual V1.6",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: frames.describe),
    schema={"properties": {}, "required": []},
    settings=parse_settings,
    device=Sensor,
    address_of=_address_of,
    units_of=_units_of,
    longest=LENGTH,
    bytesizes=frozenset({8}),
)
