"""JK (Jikong) battery management systems on a UART or RS-485, polled; 115200 8N1.

Spec: Jikong, "BMS RS485/UART communication protocol" V2.5 (GPS port), read all data. A host asks.

    4E 57 | length 2 | terminal 4 | command | source | transport | data … | record 4 | 68 | check 4

    length: octets of all but the first two; command 06: read all data; source 0 BMS, 3 computer
    transport: 0 request, 1 reply, 2 unasked; check: sum of all octets before it; all numbers big endian

The data of a reply are items, each behind its code: 79 the voltages of the cells, with their octets counted,
all others of a fixed length (`_LENGTHS`). A code that is not known here ends what can be read.

    80 81 82   temperatures of MOSFETs, box, battery; above 100 below zero: 105 is −5 °C
    84         current in 10 mA; the highest bit is set while charging (C0 = 1), or 10000 less what flows out

Quirk: boards of the kinds PB and inverter send another frame (55 AA EB 90), and only to who writes to them:
see `broadcast`. Current is told positive while charging, as of the other batteries here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from construct import Byte, Bytes, Const, Int16ub, Int32ub, Struct, this

from protocols.toolkit import layout
from protocols.toolkit import polling as dialogue
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult
from protocols.toolkit.protocol import Fields, PolledProtocol
from protocols.toolkit.scanning import Scanning
from protocols.toolkit.search import SearchFramer, Shape
from protocols.toolkit.value_list import ADDRESS, ValueKeys, ValueSettings

READ_ALL: Final = 0x06
_COMPUTER: Final = 0x03
_REQUEST, _REPLY = 0, 1

_START, _END = b"\x4e\x57", b"\x68"
LAYOUT: Final = "frame" / Struct(
    "start" / Const(_START),
    "length" / Int16ub,
    "terminal" / Bytes(4),
    "command" / Byte,
    "source" / Byte,
    "transport" / Byte,
    "data" / Bytes(this.length - 18),
    "record" / Bytes(4),
    "end" / Const(_END),
    "check" / Int32ub,
)
_BEFORE: Final = 2  # octets that the length does not count
_CHECK: Final = 4
_SHORTEST: Final = 18  # the length of a frame without data
MAX_LENGTH: Final = 512

_CELLS: Final = 0x79
_LENGTHS: Final = {  # by code, of those that have a fixed length
    **dict.fromkeys((0x85, 0x86, 0x9D, 0xA9, 0xAB, 0xAC, 0xAE, 0xAF, 0xB1, 0xB3, 0xB8, 0xC0), 1),
    **dict.fromkeys((0x80, 0x81, 0x82, 0x83, 0x84, 0x87, 0x8A, 0x8B, 0x8C, *range(0x8E, 0x9D)), 2),
    **dict.fromkeys((*range(0x9E, 0xA9), 0xAD, 0xB0), 2),
    **dict.fromkeys((0x89, 0xAA, 0xB5, 0xB6, 0xB9), 4),
    0xB2: 10,
    0xB4: 8,
    0xB7: 15,
    0xBA: 24,
}
_TEMPERATURES: Final = {0x80: "mosfet_temperature", 0x81: "box_temperature", 0x82: "temperature"}
_NUMBERS: Final = {
    0x85: "state_of_charge",
    0x87: "cycles",
    0x89: "cycled_capacity",
    0x8A: "cells",
    0x8B: "warnings",
    0xAA: "nominal_capacity",
}
_TEXTS: Final = {0xB4: "device_id", 0xB7: "software"}
_VOLTAGE, _CURRENT, _STATE, _MINUTES, _PROTOCOL = 0x83, 0x84, 0x8C, 0xB6, 0xC0
_CHARGING: Final = 0x8000

KEYS: Final = ValueKeys(
    units={
        "voltage": "V",
        "current": "A",
        "state_of_charge": "%",
        "nominal_capacity": "Ah",
        "cycled_capacity": "Ah",
        "cycles": "",
        "temperature": "°C",
        "box_temperature": "°C",
        "mosfet_temperature": "°C",
        "charge_enabled": "",
        "discharge_enabled": "",
        "balancing": "",
        "warnings": "",
        "cell_voltages": "V",
        "operating_time": "s",
        "device_id": "",
        "software": "",
    },
    lists={"cell_voltages": 32},
    unusual=("operating_time", "device_id", "software"),
)


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Bms:
    """The BMS on a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)

    def planned(self) -> list[dialogue.Request]:
        """Return the one request of each poll."""
        return [
            dialogue.Request(
                data=build(_REQUEST, b"\x00", source=_COMPUTER),
                framer=StreamFramer,
                accepts=_is_reply,
                reply_length=_BEFORE + _SHORTEST,
                summary="bms: all data",
                longest_reply=MAX_LENGTH,
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        if frame is None:
            return PollResult(({},) * len(self._sensors), complete=False)
        fields = describe(frame)
        return PollResult(tuple(KEYS.choose(fields, sensor.values) for sensor in self._sensors))


@dataclass(slots=True)
class SimulatedBms:
    """A BMS that answers: the other side of the line.

    Attributes:
        data: the items of its reply.
    """

    data: bytes

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None to what is no request for all data."""
        fields = layout.parse(LAYOUT, request.data)
        if fields["transport"] != _REQUEST or fields["command"] != READ_ALL:
            return None
        return build(_REPLY, self.data)


def build(transport: int, data: bytes, source: int = 0) -> bytes:
    """Return the frame of a request or a reply of all data."""
    octets = layout.build(
        LAYOUT,
        length=_SHORTEST + len(data),
        terminal=bytes(4),
        command=READ_ALL,
        source=source,
        transport=transport,
        data=data,
        record=bytes(4),
        check=0,
    )
    return octets[:-_CHECK] + sum(octets[:-_CHECK]).to_bytes(_CHECK, "big")


def describe(frame: Frame) -> Fields:
    """Return command, source and transport; of a reply what its items say, too."""
    parsed = layout.parse(LAYOUT, frame.data)
    fields: Fields = {name: parsed[name] for name in ("command", "source", "transport")}
    fields["data"] = parsed["data"].hex()
    if parsed["transport"] != _REQUEST and parsed["command"] == READ_ALL:
        items = dict(_items(parsed["data"]))
        for code, octets in items.items():
            fields |= _meant(code, octets, items)
    return fields


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each code with its octets, as far as the codes are known and the data are whole."""
    at = 0
    while at + 1 < len(data):
        code, at = data[at], at + 1
        if code == _CELLS:
            length, at = data[at], at + 1
        else:
            length = _LENGTHS.get(code, 0)
        if not length or at + length > len(data):
            return
        yield code, data[at : at + length]
        at += length


def _meant(code: int, octets: bytes, items: dict[int, bytes]) -> dict[str, Any]:
    number = int.from_bytes(octets, "big")
    if code == _CELLS:
        words = (octets[at + 1 : at + 3] for at in range(0, len(octets) - 2, 3))
        return {"cell_voltages": [int.from_bytes(word, "big") / 1000 for word in words]}
    if code in _TEMPERATURES:
        return {_TEMPERATURES[code]: number if number <= 100 else 100 - number}
    if code in _NUMBERS:
        return {_NUMBERS[code]: number}
    if code in _TEXTS:
        text = _text(octets)
        return {_TEXTS[code]: text} if text else {}
    if code == _VOLTAGE:
        return {"voltage": number / 100}
    if code == _CURRENT:
        return {"current": _current(number, has_sign=items.get(_PROTOCOL) == b"\x01")}
    if code == _STATE:
        bits = ("charge_enabled", "discharge_enabled", "balancing")
        return {name: bool(number >> bit & 1) for bit, name in enumerate(bits)}
    if code == _MINUTES:
        return {"operating_time": 60 * number}
    return {}


def _current(raw: int, *, has_sign: bool) -> float:
    if not has_sign:
        return (10000 - raw) / 100
    return (raw & ~_CHARGING) / 100 if raw & _CHARGING else -raw / 100


def _text(octets: bytes) -> str:
    """Return the printable ASCII characters of a text, without padding around it."""
    return "".join(char for char in octets.decode("ascii", "ignore") if char.isprintable()).strip(" _")


def _is_reply(frame: Frame) -> bool:
    return frame.direction is Direction.REPLY and frame.data[8] == READ_ALL


def _extent(buffer: bytes, at: int) -> int:
    length = int.from_bytes(buffer[at + 2 : at + 4], "big")
    return _BEFORE + length if _SHORTEST <= length <= MAX_LENGTH - _BEFORE else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if frame[-_CHECK - 1 : -_CHECK] != _END:
        return NoiseReason.END
    is_good = sum(frame[:-_CHECK]) == int.from_bytes(frame[-_CHECK:], "big")
    return None if is_good else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[10] == _REQUEST else Direction.REPLY


_SHAPE: Final = Shape(
    head=re.compile(rb"(?s)\x4e\x57[\x00\x01]."),
    head_length=4,
    starts=_START[:1],
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="jk-bms",
        lines=(LineSettings(115200, 8, "N", 1),),
        requests=lambda line: Bms([KEYS.parse({})], line).planned(),
        fields_of=describe,
        ranges={"voltage": (1.0, 1000.0), "state_of_charge": (0.0, 100.0)},
        identity={"serial": "device_id", "version": "software"},
    ).scanning


PROTOCOL: Final = PolledProtocol(
    name="jk-bms",
    title="JK BMS",
    spec="Jikong BMS RS485/UART communication protocol V2.5",
    line=LineSettings(115200, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=Bms,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
