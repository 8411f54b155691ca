"""Pylontech batteries on RS-485 (US2000, US3000, UP5000 and relatives), polled; 115200 8N1, older ones 9600.

Spec: Pylontech, "RS485-protocol-pylon-low-voltage" V3.3, 3.5 analog value. The host asks one battery.

    ~ | version 2 | address 2 | CID1 46 | CID2 or RTN | length 4 | info … | check 4 | CR

    all in hexadecimal digits, two for an octet; length: the digits of info in its low twelve bits, above them
    the sum of their three digits, negated; check: the sum of all characters between ~ and check, negated

    request 42        info: the number of the battery
    reply, RTN 00     info: flag | battery | cells m | voltage 2 × m | thermometers n | temperature 2 × n |
                      current 2 | voltage 2 | remaining 2 | 2 or 4 | capacity 2 | cycles 2 |
                      remaining 3 | capacity 3                      these two behind a 4

Voltages are in mV, temperatures in 0.1 K, the current in 0.1 A, positive while charging; capacities in mAh:
FFFF in two octets means that they stand in three. A reply does not say what it answers: its length does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from construct import Array, Byte, Int16sb, Int16ub, Int24ub, Optional, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.battery import BatteryKeys, BatterySettings
from protocols.toolkit.errors import DeviceRefusal, Problem, SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request, Values
from protocols.toolkit.protocol import Fields, Protocol, without_models
from protocols.toolkit.scaling_keys import is_whole
from protocols.toolkit.search import SearchFramer, Shape

GET_ANALOG: Final = 0x42
NORMAL: Final = 0x00
REFUSALS: Final[Mapping[int, str]] = {
    0x01: "wrong version",
    0x02: "wrong checksum",
    0x03: "wrong checksum of the length",
    0x04: "unknown command",
    0x05: "wrong format",
    0x06: "wrong data",
    0x90: "wrong address",
    0x91: "communication error",
}
FIRST_ADDRESS: Final = 2  # of the master battery, all switches off

_VERSION, _CID1 = 0x20, 0x46
_HEAD: Final = 13  # characters up to the length
_TAIL: Final = 5
_MAX_INFO: Final = 0x200
MAX_LENGTH: Final = _HEAD + _MAX_INFO + _TAIL
ANALOG: Final = "analog value" / Struct(
    "flag" / Byte,
    "battery" / Byte,
    "cells" / Byte,
    "cell_voltages" / Array(this.cells, Int16ub),
    "thermometers" / Byte,
    "temperatures" / Array(this.thermometers, Int16ub),
    "current" / Int16sb,
    "voltage" / Int16ub,
    "remaining" / Int16ub,
    "items" / Byte,
    "total" / Int16ub,
    "cycles" / Int16ub,
    "remaining_long" / Optional(Int24ub),
    "total_long" / Optional(Int24ub),
)
_SHORTEST: Final = 15  # octets of an analog value without cells and thermometers
_LONG: Final = 4  # items, where the capacities stand in three octets
_ICE: Final = 2731
_NO_WORD: Final = 0xFFFF

KEYS: Final = BatteryKeys(
    units={
        "voltage": "V",
        "current": "A",
        "state_of_charge": "%",
        "remaining_capacity": "Ah",
        "nominal_capacity": "Ah",
        "cycles": "",
        "temperatures": "°C",
        "cell_voltages": "V",
    },
    lists={"temperatures": 8, "cell_voltages": 24},
)
_ADDRESS: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": 255,
    "default": FIRST_ADDRESS,
    "description": "of the battery: 2 the master, 3 … the others behind it",
}
SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {"address": _ADDRESS, **KEYS.schema["properties"]},
    "required": [],
}


@dataclass(frozen=True, slots=True)
class PackSettings:
    """A sensor: which battery it is, and the values that are read from it."""

    address: int
    values: tuple[str, ...]


def parse_settings(table: Mapping[str, Any]) -> PackSettings:
    """Return the settings that a sensor's own keys mean.

    Raises:
        SettingsError: with every mistake.
    """
    address = table.get("address", FIRST_ADDRESS)
    problems: list[Problem] = []
    if not is_whole(address, 1, 255):
        problems.append((("address",), f"{address!r} is no address of a battery, use 1–255; the master is 2"))
    values: tuple[str, ...] = ()
    try:
        values = KEYS.parse({key: value for key, value in table.items() if key != "address"}).values
    except SettingsError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    return PackSettings(address, values)


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Battery:
    """The battery that serves sensors with one address."""

    def __init__(self, sensors: Sequence[PackSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._number = sensors[0].address

    @property
    def address(self) -> str:
        """Its number."""
        return str(self._number)

    def planned(self) -> list[Request]:
        """Return the one request of each poll."""
        number = self._number

        def accepts(frame: Frame) -> bool:
            return frame.direction is Direction.REPLY and _octets(frame)[1] == number

        return [
            Request(
                data=build(number, GET_ANALOG, bytes((number,))),
                framer=StreamFramer,
                accepts=accepts,
                reply_length=_HEAD + _TAIL,
                summary=f"battery {number}: analog value",
                longest_reply=MAX_LENGTH,
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        nothing: tuple[Values, ...] = ({},) * len(self._sensors)
        if frame is None:
            return PollResult(nothing, complete=False)
        code = _octets(frame)[3]
        if code != NORMAL:
            refusal = DeviceRefusal(_refusal(code), code=code, request="analog value")
            return PollResult(nothing, complete=False, refusals=(refusal,))
        told = describe(frame)
        return PollResult(tuple(KEYS.choose(told, sensor.values) for sensor in self._sensors))


@dataclass(slots=True)
class SimulatedBattery:
    """A battery that answers: the other side of the line.

    Attributes:
        address: its number.
        info: its analog value.
    """

    address: int
    info: bytes

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another battery, or is none."""
        octets = _octets(request)
        if request.direction is not Direction.REQUEST or octets[1] != self.address:
            return None
        if octets[3] != GET_ANALOG:
            return build(self.address, 0x04)
        return build(self.address, NORMAL, self.info)


def build(address: int, code: int, info: bytes = b"") -> bytes:
    """Return the frame of a request (`code` is CID2) or a reply (RTN)."""
    length = 2 * len(info)
    text = f"{_VERSION:02X}{address:02X}{_CID1:02X}{code:02X}{_length_check(length):X}{length:03X}"
    text += info.hex().upper()
    return f"~{text}{-sum(text.encode()) & 0xFFFF:04X}\r".encode()


def describe(frame: Frame) -> Fields:
    """Return version, address, code and info; of a reply with an analog value what it says."""
    octets = _octets(frame)
    is_request = frame.direction is Direction.REQUEST
    info = octets[6:-2]
    told: Fields = {
        "version": octets[0],
        "address": octets[1],
        ("cid2" if is_request else "rtn"): octets[3],
        "info": info.hex(),
    }
    if not is_request and octets[3] != NORMAL:
        return told | {"error": _refusal(octets[3])}
    return told if is_request else told | _analog(info)


def _analog(info: bytes) -> Fields:
    """What an analog value says; nothing if this is none, as its length tells."""
    if len(info) < _SHORTEST:
        return {}
    words = 2 * info[2]
    if len(info) < _SHORTEST + words:
        return {}
    words += 2 * info[3 + words]
    lengths = (_SHORTEST + words, _SHORTEST + words + 6)
    if len(info) not in lengths or (info[_SHORTEST + words - 5] == _LONG) != (len(info) == lengths[1]):
        return {}
    fields = layout.parse(ANALOG, info)
    remaining, total = fields["remaining"], fields["total"]
    if fields["remaining_long"] is not None and _NO_WORD in (remaining, total):
        remaining, total = fields["remaining_long"], fields["total_long"]
    told: Fields = {
        "battery": fields["battery"],
        "voltage": fields["voltage"] / 1000,
        "current": fields["current"] / 10,
        "cycles": fields["cycles"],
        "cell_voltages": [raw / 1000 for raw in fields["cell_voltages"]],
        "temperatures": [(raw - _ICE) / 10 for raw in fields["temperatures"]],
    }
    if _NO_WORD not in (remaining, total) and total:
        told |= {"remaining_capacity": remaining / 1000, "nominal_capacity": total / 1000}
        told["state_of_charge"] = round(100 * remaining / total, 1)
    return told


def _refusal(code: int) -> str:
    return REFUSALS.get(code, f"RTN {code:02X}, not in the document")


def _units_of(settings: PackSettings) -> dict[str, str]:
    return KEYS.units_of(BatterySettings(settings.values))


def _octets(frame: Frame) -> bytes:
    return bytes.fromhex(frame.data[1:-1].decode("ascii"))


def _length_check(length: int) -> int:
    return -((length >> 8) + (length >> 4 & 0xF) + (length & 0xF)) & 0xF


def _extent(buffer: bytes, at: int) -> int:
    field = int(buffer[at + 9 : at + _HEAD], 16)
    length = field & 0xFFF
    is_right = field >> 12 == _length_check(length) and length % 2 == 0 and length <= _MAX_INFO
    return _HEAD + length + _TAIL if is_right else 0


def _flaw(frame: bytes) -> str | None:
    if not _WHOLE.fullmatch(frame):
        return "digit"
    is_good = -sum(frame[1:-_TAIL]) & 0xFFFF == int(frame[-_TAIL:-1], 16)
    return None if is_good else "checksum"


def _direction(frame: bytes) -> Direction:
    code = int(frame[7:9], 16)
    is_reply = code == NORMAL or code in REFUSALS
    return Direction.REPLY if is_reply else Direction.REQUEST


_WHOLE = re.compile(rb"~[0-9A-F]+\r")
_SHAPE: Final = Shape(
    head=re.compile(rb"~[0-9A-F]{4}46[0-9A-F]{6}"),
    head_length=_HEAD,
    starts=b"~",
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL: Final = Protocol(
    name="pylontech",
    title="Pylontech batteries",
    spec="Pylontech RS485 protocol, low voltage, V3.3",
    line=LineSettings(115200, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=SCHEMA,
    settings=parse_settings,
    device=Battery,
    address_of=lambda settings: str(settings.address),
    units_of=_units_of,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
