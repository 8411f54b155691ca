"""Kamstrup meters on their optical head (MULTICAL 302, 402, 403, 601, 602 …), polled: KMP; 1200 8N2.

Spec: Kamstrup, "KMP protocol description" for MULTICAL, 6.2.4 GetRegister; registers and units are numbered
as PyKMP lists them. The host asks for up to eight registers; a meter leaves out those it does not have.

    request   80 | address 3F | CID 10 | count n | register 2 × n | CRC 2 | 0D
    reply     40 | address 3F | CID 10 | (register 2 | unit | octets m | sign and exponent | mantissa m) × n |
              CRC 2 | 0D
    CRC: CRC-16/XMODEM from the address on, high octet first

Between start and 0D the octets 06 0D 1B 40 80 are sent as 1B and their complement; the CRC is reckoned
before that. Sign and exponent: bit 7 negates the number, bit 6 the power of ten in the other six bits. The
unit comes with each value: all of a quantity are brought to one unit, but joules get a name of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from fastcrc.crc16 import xmodem

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request, Values
from protocols.toolkit.protocol import Fields, Protocol, without_models
from protocols.toolkit.scaling_keys import unknown_key
from protocols.toolkit.search import SearchFramer, Shape

METER: Final = 0x3F
GET_SERIAL: Final = 0x02
GET_REGISTER: Final = 0x10
MAX_REGISTERS: Final = 8  # of one request
MAX_LENGTH: Final = 256

_TO_METER, _FROM_METER, _STOP, _STUFFING = 0x80, 0x40, 0x0D, 0x1B
_LEAST: Final = 4  # octets between start and stop: address, CID, CRC
_AROUND: Final = _LEAST + 2
_BEFORE_MANTISSA: Final = 5
_MOST_MANTISSA: Final = 8
_USUAL: Final = 9  # octets of a register in a reply, its mantissa in four
_REST_S: Final = 0.15  # in which a UART gathers 16 octets at 1200 baud before it hands them over
_EXACT: Final = 2**53  # whole numbers below it are the same as floats


class Quantity(NamedTuple):
    """A value that meters can give: its register and the unit it is brought to."""

    register: int
    unit: str
    is_usual: bool = False


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "energy": Quantity(60, "Wh", is_usual=True),
    "volume": Quantity(68, "m³", is_usual=True),
    "volume_flow": Quantity(74, "m³/h", is_usual=True),
    "power": Quantity(80, "W", is_usual=True),
    "flow_temperature": Quantity(86, "°C", is_usual=True),
    "return_temperature": Quantity(87, "°C", is_usual=True),
    "temperature_difference": Quantity(89, "K", is_usual=True),
    "info_code": Quantity(99, "", is_usual=True),
    "cooling_energy": Quantity(63, "Wh"),
    "volume_2": Quantity(69, "m³"),
    "mass": Quantity(72, "t"),
    "mass_2": Quantity(73, "t"),
    "volume_flow_2": Quantity(75, "m³/h"),
    "pulse_input_a": Quantity(84, "m³"),
    "pulse_input_b": Quantity(85, "m³"),
    "temperature_3": Quantity(88, "°C"),
    "pressure_1": Quantity(91, "bar"),
    "pressure_2": Quantity(92, "bar"),
    "operating_hours": Quantity(1004, "h"),
}
UNITS: Final[Mapping[int, tuple[str, int]]] = {  # ours, and the power of ten that leads to it
    0: ("", 0),
    1: ("Wh", 0),
    2: ("Wh", 3),
    3: ("Wh", 6),
    4: ("Wh", 9),
    5: ("J", 0),
    6: ("J", 3),
    7: ("J", 6),
    8: ("J", 9),
    21: ("W", 0),
    22: ("W", 3),
    23: ("W", 6),
    24: ("W", 9),
    37: ("°C", 0),
    38: ("K", 0),
    39: ("m³", -3),
    40: ("m³", 0),
    41: ("m³/h", -3),
    42: ("m³/h", 0),
    44: ("t", 0),
    46: ("h", 0),
    51: ("", 0),
    52: ("bar", 0),
    55: ("m³", 1),
    56: ("t", 1),
    57: ("J", 10),
}
_OF_JOULE: Final = "_joule"
_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "values": {
            "type": "array",
            "items": {"enum": list(QUANTITIES)},
            "minItems": 1,
            "uniqueItems": True,
            "description": "The values to read. Default: those that every heat meter has.",
        }
    },
    "required": [],
}


class Register(NamedTuple):
    """What a meter says of a register: mantissa × 10 to the exponent, in this unit."""

    unit: int
    mantissa: int
    exponent: int


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """A sensor: the values that are read from the meter."""

    values: tuple[str, ...]


def parse_settings(table: Mapping[str, Any]) -> MeterSettings:
    """Return the settings that a sensor's own keys mean.

    Raises:
        SettingsError: with every mistake.
    """
    problems: list[Problem] = [((key,), unknown_key(key, ("values",))) for key in table if key != "values"]
    values = table.get("values", [name for name, quantity in QUANTITIES.items() if quantity.is_usual])
    if not isinstance(values, list) or not values:
        problems.append((("values",), 'is no list of values, write for example ["energy", "volume"]'))
        values = []
    for index, name in enumerate(values):
        if not isinstance(name, str) or name not in QUANTITIES:
            close = get_close_matches(str(name).lower(), QUANTITIES, 3) or QUANTITIES
            problems.append((("values", index), f"{name!r} is no value, use {' or '.join(close)}"))
        elif name in values[:index]:
            problems.append((("values", index), f"{name!r} is there twice"))
    if problems:
        raise SettingsError(problems)
    return MeterSettings(tuple(values))


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Meter:
    """The meter under an optical head."""

    address = "1"

    def __init__(self, sensors: Sequence[MeterSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        names = dict.fromkeys(name for sensor in sensors for name in sensor.values)
        self._registers = [QUANTITIES[name].register for name in names]

    def planned(self) -> list[Request]:
        """Return the requests of each poll: one for every eight registers."""
        registers = self._registers
        return [
            _request(registers[at : at + MAX_REGISTERS]) for at in range(0, len(registers), MAX_REGISTERS)
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        registers: dict[int, Register] = {}
        is_complete = True
        for request in self.planned():
            frame = yield request
            if frame is None:
                is_complete = False
            else:
                registers |= _registers(frame) or {}
        values = tuple(_values(sensor.values, registers) for sensor in self._sensors)
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
        content = _content(request.data)
        if request.direction is not Direction.REQUEST or content[:2] != bytes((METER, GET_REGISTER)):
            return None
        reply = bytes((METER, GET_REGISTER))
        for number in _asked(content[2:-2]):
            if number in self.registers:
                reply += number.to_bytes(2, "big") + _encoded(self.registers[number])
        return build(_FROM_METER, reply)


def build(start: int, content: bytes) -> bytes:
    """Return the frame of a content, from the address to the last octet before the CRC."""
    stuffed = _SPECIAL.sub(
        lambda octet: bytes((_STUFFING, octet[0][0] ^ 0xFF)), content + xmodem(content).to_bytes(2, "big")
    )
    return bytes((start,)) + stuffed + bytes((_STOP,))


def describe(frame: Frame) -> Fields:
    """Return address, CID and data, and what these say: the registers asked or told, or a serial number."""
    content = _content(frame.data)
    data = content[2:-2]
    fields: Fields = {"address": content[0], "cid": content[1], "data": data.hex()}
    is_reply = frame.direction is Direction.REPLY
    if content[1] == GET_SERIAL and is_reply and len(data) == 4:
        return fields | {"serial": int.from_bytes(data, "big")}
    if content[1] == GET_REGISTER and not is_reply:
        return fields | {"registers": _asked(data)}
    registers = _registers(frame) or {}
    if registers:
        fields["values"] = {
            str(number): {"unit": told.unit, "value": _number(told)} for number, told in registers.items()
        }
    return fields


def _request(registers: Sequence[int]) -> Request:
    content = bytes((METER, GET_REGISTER, len(registers)))
    content += b"".join(number.to_bytes(2, "big") for number in registers)

    def accepts(frame: Frame) -> bool:
        told = _registers(frame)
        return told is not None and told.keys() <= set(registers)

    return Request(
        data=build(_TO_METER, content),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=_AROUND + _USUAL * len(registers),
        summary=f"kamstrup-kmp: registers {', '.join(map(str, registers))}",
        longest_reply=MAX_LENGTH,
        rest_s=_REST_S,
    )


def _values(names: Sequence[str], registers: Mapping[int, Register]) -> Values:
    """Return the values of these names; one in a unit of another quantity is left out."""
    values: Values = {}
    for name in names:
        quantity = QUANTITIES[name]
        told = registers.get(quantity.register)
        if told is None:
            continue
        unit, power = UNITS.get(told.unit, (None, 0))
        if unit == quantity.unit:
            values[name] = _number(told, power)
        elif unit == "J" and quantity.unit == "Wh":
            values[name + _OF_JOULE] = _number(told, power)
    return values


def _units_of(settings: MeterSettings) -> dict[str, str]:
    units = {name: QUANTITIES[name].unit for name in settings.values}
    return units | {name + _OF_JOULE: "J" for name, unit in units.items() if unit == "Wh"}


def _registers(frame: Frame) -> dict[int, Register] | None:
    """Return the registers in a reply of a meter; None if it is none."""
    content = _content(frame.data)
    if frame.direction is not Direction.REPLY or content[:2] != bytes((METER, GET_REGISTER)):
        return None
    data, registers = content[2:-2], {}
    while data:
        if len(data) < _BEFORE_MANTISSA:
            return None
        unit, octets, sign = data[2:_BEFORE_MANTISSA]
        end = _BEFORE_MANTISSA + octets
        if not 0 < octets <= _MOST_MANTISSA or len(data) < end:
            return None
        mantissa = int.from_bytes(data[_BEFORE_MANTISSA:end], "big")
        registers[int.from_bytes(data[:2], "big")] = Register(
            unit, -mantissa if sign & 0x80 else mantissa, -(sign & 0x3F) if sign & 0x40 else sign & 0x3F
        )
        data = data[end:]
    return registers


def _number(register: Register, power: int = 0) -> int | float:
    """Return the number, times ten to this power, with the shortest decimals that say it."""
    exponent = register.exponent + power
    if exponent >= 0:
        number: int = register.mantissa * 10**exponent
        if abs(number) < _EXACT:
            return number
    return float(f"{register.mantissa}e{exponent}")


def _encoded(register: Register) -> bytes:
    sign = abs(register.exponent) | (0x40 if register.exponent < 0 else 0)
    sign |= 0x80 if register.mantissa < 0 else 0
    return bytes((register.unit, 4, sign)) + abs(register.mantissa).to_bytes(4, "big")


def _asked(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(1, len(data) - 1, 2)]


def _content(frame: bytes) -> bytes:
    """Return what stands between start and stop as it was before it was stuffed, with the CRC."""
    return _STUFFED.sub(lambda pair: bytes((pair[0][1] ^ 0xFF,)), frame[1:-1])


def _extent(buffer: bytes, at: int) -> int | None:
    return _extent_from(buffer, at, at + 1)


def _extent_from(buffer: bytes, at: int, begin: int) -> int | None:
    end = _END.search(buffer, max(begin, at + 1), at + MAX_LENGTH)
    if end is None:
        return None if len(buffer) < at + MAX_LENGTH else 0
    return end.end() - at if end[0][0] == _STOP else 0


def _flaw(frame: bytes) -> str | None:
    if not _WHOLE.fullmatch(frame):
        return "escape"
    content = _content(frame)
    if len(content) < _LEAST:
        return "length"
    return "checksum" if xmodem(content) else None


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[0] == _TO_METER else Direction.REPLY


_SPECIAL: Final = re.compile(rb"[\x06\x0d\x1b\x40\x80]")
_STUFFED: Final = re.compile(rb"\x1b[\xf9\xf2\xe4\xbf\x7f]")
_END: Final = re.compile(rb"[\x06\x0d\x40\x80]")  # what stands in no frame but at its ends
_WHOLE: Final = re.compile(rb"[\x40\x80](?:[^\x1b]|\x1b[\xf9\xf2\xe4\xbf\x7f])*\x0d", re.DOTALL)
_SHAPE: Final = Shape(
    head=re.compile(rb"[\x40\x80]"),
    head_length=1,
    starts=bytes((_FROM_METER, _TO_METER)),
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
    resumed=_extent_from,
)

PROTOCOL: Final = Protocol(
    name="kamstrup-kmp",
    title="Kamstrup meters, KMP",
    spec="Kamstrup KMP protocol, GetRegister",
    line=LineSettings(1200, 8, "N", 2),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=_SCHEMA,
    settings=parse_settings,
    device=Meter,
    address_of=lambda settings: Meter.address,
    units_of=_units_of,
    reply_timeout_s=2.0,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
