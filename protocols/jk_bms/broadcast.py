"""JK (Jikong) inverter batteries (PB1A16S, PB2A16S …) on the RS-485 line that joins them; 115200 8N1.

Spec: Jikong, "BMS RS485 Modbus" V1.1 (the requests); the frame as syssi/esphome-jk-bms describes it in
docs/protocol-design-ble.md, JK02_32S. The battery whose switches say 0 is the master: it asks the others in
turn, for ever, and so does an inverter or a display in its place. The bridge only listens.

    request   address | 10 | 16 | kind | 00 01 | 02 | 00 00 | CRC 2       kind 20 cells, 1E settings, 1C about
    answer    55 AA EB 90 | type | counter | 293 octets … | check         type 2, 1, 3; always 300 octets
    reply     address | 10 | 16 | kind | 00 01 | CRC 2                    directly behind the answer

    check: the sum of all octets before it, modulo 256; numbers little endian

The request is formally one that writes a register, which the bridge does to no device; what it brings is
heard wherever somebody else asks for it. An answer does not say whose it is: the request before it does.
Where none was heard (a tap on the battery's side alone), it is of the one battery on the line.

Current is positive while charging. The frame has three more thermometers, about whose numbers its
descriptions disagree: they are left out. So are the passwords in an answer of type 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from construct import Array, Byte, Bytes, Const, Int16sl, Int16ub, Int16ul, Int32sl, Int32ul, Struct
from fastcrc.crc16 import modbus

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, Telegram
from protocols.toolkit.search import SearchFramer, Shape

CELLS, SETTINGS, ABOUT = 2, 1, 3  # the types of an answer
KINDS: Final[Mapping[int, int]] = {CELLS: 0x20, SETTINGS: 0x1E, ABOUT: 0x1C}
ANSWER_LENGTH: Final = 300

_START: Final = b"\x55\xaa\xeb\x90"
_TYPE_AT: Final = 4
_ADDRESSES: Final = range(16)
_MOST_CELLS: Final = 32
_COLDEST, _HOTTEST = -60, 200  # °C; beyond them a thermometer is not there
CELL_INFO: Final = "cell information" / Struct(
    "start" / Const(_START),
    "type" / Const(CELLS, Byte),
    "counter" / Byte,
    "cell_voltages" / Array(_MOST_CELLS, Int16ul),
    "enabled_cells" / Int32ul,
    "statistics" / Bytes(6),
    "cell_resistances" / Array(_MOST_CELLS, Int16ul),
    "mosfet_temperature" / Int16sl,
    "wire_warnings" / Int32ul,
    "voltage" / Int32ul,
    "power" / Int32ul,
    "current" / Int32sl,
    "temperatures" / Array(2, Int16sl),
    "errors" / Int16ub,
    "reserved" / Bytes(2),
    "balance_current" / Int16sl,
    "balancing" / Byte,
    "state_of_charge" / Byte,
    "remaining_capacity" / Int32ul,
    "nominal_capacity" / Int32ul,
    "cycles" / Int32ul,
    "cycled_capacity" / Int32ul,
    "state_of_health" / Byte,
    "precharge" / Byte,
    "user_alarm" / Bytes(2),
    "operating_time" / Int32ul,
    "charging" / Byte,
    "discharging" / Byte,
    "rest" / Bytes(99),
    "check" / Byte,
)
_TEXTS: Final = {  # of an answer of type 3: where they stand, from and to
    "model": (6, 22),
    "hardware": (22, 30),
    "software": (30, 38),
    "name": (46, 62),
    "serial": (86, 97),
}
KEYS: Final = PushingKeys(
    units={
        "voltage": "V",
        "current": "A",
        "state_of_charge": "%",
        "state_of_health": "%",
        "remaining_capacity": "Ah",
        "nominal_capacity": "Ah",
        "cycled_capacity": "Ah",
        "cycles": "",
        "mosfet_temperature": "°C",
        "temperature_1": "°C",
        "temperature_2": "°C",
        "charge_enabled": "",
        "discharge_enabled": "",
        "balancing": "",
        "balance_current": "A",
        "errors": "",
        "operating_time": "s",
        **{f"cell_voltage_{number}": "V" for number in range(1, _MOST_CELLS + 1)},
    },
    identity=Identity(
        form=re.compile(r"\d|1[0-5]"),
        what="the battery's address, as its switches say, 0–15",
        example="1",
        is_optional=True,
    ),
)


class StreamFramer(SearchFramer):
    """Finds requests, answers and replies."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class BatteryListener:
    """Hears the batteries of a line; an answer is of the battery that was asked for it directly before."""

    def __init__(self) -> None:
        self._asked = b""  # the request before this frame

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of an answer about the cells; none of any other frame.

        Raises:
            DecodeError: it makes no sense.
        """
        request, self._asked = self._asked, frame.data
        if not frame.data.startswith(_START) or frame.data[_TYPE_AT] != CELLS:
            return []
        values = _values(layout.parse(CELL_INFO, frame.data))
        if request in _REQUESTS and request[3] == KINDS[CELLS]:
            return [Telegram(str(request[0]), values, also=("",))]
        return [Telegram("", values)]


def request(address: int, kind: int) -> bytes:
    """Return the frame by which a master asks."""
    return _with_crc(bytes((address, 0x10, 0x16, kind, 0, 1, 2, 0, 0)))


def reply(address: int, kind: int) -> bytes:
    """Return the frame that follows an answer."""
    return _with_crc(bytes((address, 0x10, 0x16, kind, 0, 1)))


def build(**fields: Any) -> bytes:
    """Return the answer about the cells with these fields of its layout; those not named are 0."""
    empty = CELL_INFO.parse(_START + bytes((CELLS,)) + bytes(ANSWER_LENGTH - _TYPE_AT - 1))
    octets = layout.build(CELL_INFO, **{**empty, **fields})
    return octets[:-1] + bytes((sum(octets[:-1]) & 0xFF,))


def describe(frame: Frame) -> Fields:
    """Return what a frame is; of an answer what it says."""
    data = frame.data
    if not data.startswith(_START):
        name = "request" if data in _REQUESTS else "reply"
        return {"frame": name, "address": data[0], "kind": f"{data[3]:02X}"}
    fields: Fields = {"frame": "answer", "type": data[_TYPE_AT], "counter": data[_TYPE_AT + 1]}
    if data[_TYPE_AT] == CELLS:
        return fields | _values(layout.parse(CELL_INFO, data))
    if data[_TYPE_AT] == ABOUT:
        fields |= {name: _text(data[begin:end]) for name, (begin, end) in _TEXTS.items()}
    return fields


def _values(fields: Mapping[str, Any]) -> Values:
    values: Values = {
        "voltage": fields["voltage"] / 1000,
        "current": fields["current"] / 1000,
        "state_of_charge": fields["state_of_charge"],
        "state_of_health": fields["state_of_health"],
        "remaining_capacity": fields["remaining_capacity"] / 1000,
        "nominal_capacity": fields["nominal_capacity"] / 1000,
        "cycled_capacity": fields["cycled_capacity"] / 1000,
        "cycles": fields["cycles"],
        "charge_enabled": bool(fields["charging"]),
        "discharge_enabled": bool(fields["discharging"]),
        "balancing": bool(fields["balancing"]),
        "balance_current": fields["balance_current"] / 1000,
        "errors": fields["errors"],
        "operating_time": fields["operating_time"],
    }
    return values | dict(_temperatures(fields)) | dict(_cells(fields))


def _temperatures(fields: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Return the thermometers that are there."""
    names = ("mosfet_temperature", "temperature_1", "temperature_2")
    for name, raw in zip(names, (fields["mosfet_temperature"], *fields["temperatures"]), strict=True):
        if _COLDEST <= raw / 10 <= _HOTTEST:
            yield name, raw / 10


def _cells(fields: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Return the voltages of the cells that are there."""
    for at, raw in enumerate(fields["cell_voltages"]):
        if fields["enabled_cells"] >> at & 1:
            yield f"cell_voltage_{at + 1}", raw / 1000


def _text(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("ascii", "replace")


def _with_crc(octets: bytes) -> bytes:
    return octets + modbus(octets).to_bytes(2, "little")


def _extent(buffer: bytes, at: int) -> int:
    if buffer[at] == _START[0]:
        return ANSWER_LENGTH
    return _REPLY_LENGTH if buffer[at : at + _REPLY_LENGTH] in _REPLIES else _REQUEST_LENGTH


def _flaw(frame: bytes) -> NoiseReason | None:
    if frame[0] != _START[0]:
        return None if frame in _REPLIES or frame in _REQUESTS else NoiseReason.CHECKSUM
    if frame.find(_START, 1) > 0:
        return NoiseReason.CUT
    return None if sum(frame[:-1]) & 0xFF == frame[-1] else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame in _REQUESTS else Direction.REPLY


_REQUESTS: Final = frozenset(request(address, kind) for address in _ADDRESSES for kind in KINDS.values())
_REPLIES: Final = frozenset(reply(address, kind) for address in _ADDRESSES for kind in KINDS.values())
_REQUEST_LENGTH, _REPLY_LENGTH = 11, 8
_SHAPE: Final = Shape(
    head=re.compile(rb"(?s)\x55\xaa\xeb\x90[\x01-\x03]|[\x00-\x0f]\x10\x16[\x1c\x1e\x20]\x00\x01.."),
    head_length=_REPLY_LENGTH,
    starts=_START[:1] + bytes(_ADDRESSES),
    longest=ANSWER_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL: Final = PushingProtocol(
    name="jk-bms-push",
    title="JK BMS, batteries joined by RS-485",
    spec='Jikong "BMS RS485 Modbus" V1.1; frame JK02_32S',
    line=LineSettings(115200, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=BatteryListener,
    longest=ANSWER_LENGTH,
    bytesizes=frozenset({8}),
)
