"""Winsen sensors that are polled with command 86: MH-Z19, MH-Z14, MH-Z16 (CO₂), ZE03 and relatives; 9600 8N1.

Of the six octets of the reply the first two are the concentration; the manual is silent about the others, and
so are we. Which gas it is and how many decimals it has no reply tells: `gas` and `decimals` say it, CO₂ in
whole ppm unless told. A sensor stands alone on its line: it has no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.keys import is_whole, shown, unknown_keys
from protocols.toolkit.obis import plain
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning
from protocols.winsen import frame as frames
from protocols.winsen.frame import GASES, LENGTH, READ_CONCENTRATION, REPLY, REQUEST, Gas, StreamFramer

CO2: Final = Gas("co2", "ppm")
_GASES: Final[Mapping[str, Gas]] = {gas.name: gas for gas in (CO2, *GASES.values())}
MAX_DECIMALS: Final = 3
_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "gas": {"enum": list(_GASES), "default": CO2.name, "description": "The gas it measures."},
        "decimals": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_DECIMALS,
            "default": 0,
            "description": "Decimals of the concentration: 1 for a ZE03 that resolves 0.1 ppm.",
        },
    },
    "required": [],
}


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """The settings of a sensor: its gas, and how many decimals the concentration has."""

    gas: Gas = CO2
    decimals: int = 0

    @property
    def address(self) -> str:
        """Return the one address of a line."""
        return Sensor.address

    @property
    def units(self) -> dict[str, str]:
        """Return its one value with its unit."""
        return {self.gas.name: self.gas.unit}


def parse_settings(table: Mapping[str, object]) -> SensorSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems = unknown_keys(table, ("gas", "decimals"))
    name, decimals = table.get("gas", CO2.name), table.get("decimals", 0)
    gas = _GASES.get(name) if isinstance(name, str) else None
    if gas is None:
        problems.append((("gas",), f"{shown(name)} is not a gas known here, use one of: {', '.join(_GASES)}"))
    if not is_whole(decimals, 0, MAX_DECIMALS):
        problems.append(
            (("decimals",), f"{shown(decimals)} is not a number of decimals, use 0–{MAX_DECIMALS}")
        )
    if gas is None or problems:
        raise SettingsError(problems)
    assert isinstance(decimals, int)
    return SensorSettings(gas, decimals)


class Sensor:
    """The one sensor on a line."""

    address = "1"

    def __init__(self, sensors: Sequence[SensorSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)

    def planned(self) -> list[Request]:
        """Return the one request of each poll."""
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
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        if frame is None:
            return PollResult(({},) * len(self._sensors), complete=False)
        raw = int.from_bytes(frame.data[2:4], "big")
        return PollResult(
            tuple({sensor.gas.name: plain(Decimal(raw).scaleb(-sensor.decimals))} for sensor in self._sensors)
        )


@dataclass(slots=True)
class SimulatedSensor:
    """A simulated sensor.

    Attributes:
        co2: the measured concentration, in ppm.
    """

    co2: int

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is not for the concentration."""
        if request.direction is not Direction.REQUEST or request.data[2] != READ_CONCENTRATION:
            return None
        data = self.co2.to_bytes(2, "big") + bytes(4)
        return frames.build(REPLY, command=READ_CONCENTRATION, data=data)


def _answers(frame: Frame) -> bool:
    return frame.direction is Direction.REPLY and frame.data[1] == READ_CONCENTRATION


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="winsen",
        lines=(LineSettings(9600, 8, "N", 1),),
        requests=lambda line: Sensor([parse_settings({})], line).planned(),
        fields_of=frames.describe,
        ranges={"co2": (0.0, 50_000.0)},
    ).scanning


PROTOCOL = PolledProtocol(
    name="winsen",
    title="Winsen MH-Z19, ZE03",
    spec="Winsen MH-Z19B manual V1.6, ZE03 manual V2.8",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: frames.describe,
    schema=_SCHEMA,
    settings=parse_settings,
    device=Sensor,
    longest=LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
