"""Nova dust sensors: SDS011, SDS018, SDS021 (PM2.5 and PM10), SDS198 (PM100).

Spec: "Laser Dust Sensor Control Protocol" V1.3 (Nova Fitness), and for the SDS198 its specification V1.2.
They push once a second; 9600 8N1. Each has an id of two octets, which every report carries.

    report    AA | C0 | PM2.5 2 | PM10 2 | id 2 | check | AB        masses in 0.1 µg/m³, low octet first
              AA | CF | reserved 2 | PM100 2 | id 2 | check | AB    SDS198, in µg/m³
    command   AA | B4 | command 1 | data 12 | id 2 | check | AB     id FFFF: to all
    answer    AA | C5 | command 1 | data 3 | id 2 | check | AB
    check: the sum of the octets between the second and itself, modulo 256; the second is not covered

Masses of zero are below what the sensor resolves (0.3 µg/m³): so it reports until it measures. They are no
values.
"""

from __future__ import annotations

import re
from typing import Final

from construct import Byte, Bytes, Const, Int16ul, Struct

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, Telegram
from protocols.toolkit.search import SearchFramer, Shape

_HEAD, _TAIL = b"\xaa", b"\xab"
REPORT: Final = "report" / Struct(
    "head" / Const(_HEAD),
    "order" / Const(b"\xc0"),
    "pm2_5" / Int16ul,
    "pm10" / Int16ul,
    "id" / Bytes(2),
    "check" / Byte,
    "tail" / Const(_TAIL),
)
PM100_REPORT: Final = "report of PM100" / Struct(
    "head" / Const(_HEAD),
    "order" / Const(b"\xcf"),
    "reserved" / Int16ul,
    "pm100" / Int16ul,
    "id" / Bytes(2),
    "check" / Byte,
    "tail" / Const(_TAIL),
)
COMMAND: Final = "command" / Struct(
    "head" / Const(_HEAD),
    "order" / Const(b"\xb4"),
    "command" / Byte,
    "data" / Bytes(12),
    "id" / Bytes(2),
    "check" / Byte,
    "tail" / Const(_TAIL),
)
ANSWER: Final = "answer" / Struct(
    "head" / Const(_HEAD),
    "order" / Const(b"\xc5"),
    "command" / Byte,
    "data" / Bytes(3),
    "id" / Bytes(2),
    "check" / Byte,
    "tail" / Const(_TAIL),
)
_LAYOUTS: Final = {0xC0: REPORT, 0xCF: PM100_REPORT, 0xB4: COMMAND, 0xC5: ANSWER}
_LENGTHS: Final = {kind: message.sizeof() for kind, message in _LAYOUTS.items()}
_COMMAND_ORDER: Final = 0xB4
MAX_LENGTH: Final = max(_LENGTHS.values())

KEYS: Final = PushingKeys(
    units={"pm2_5": "µg/m³", "pm10": "µg/m³", "pm100": "µg/m³"},
    identity=Identity(
        form=re.compile("[0-9a-f]{4}"),
        what="the sensor's id, four hexadecimal digits",
        example="a160",
        normal=lambda text: text.strip().lower(),
    ),
)


class StreamFramer(SearchFramer):
    """Framer of reports, commands and replies."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class ReportListener:
    """Reads the reports of all sensors on a line."""

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of a report; none of a command or its reply."""
        fields = _parsed(frame)
        values = _values(fields)
        if not values:
            return []
        return [Telegram(fields["id"].hex(), values if any(values.values()) else {})]


def describe(frame: Frame) -> Fields:
    """Return the id of a frame, and the masses or the command in it."""
    fields = _parsed(frame)
    description: Fields = {"id": fields["id"].hex()}
    if "command" in fields:
        description |= {"command": fields["command"], "data": fields["data"].hex()}
    return description | _values(fields)


def _parsed(frame: Frame) -> Fields:
    return layout.parse(_LAYOUTS[frame.data[1]], frame.data)


def _values(fields: Fields) -> Values:
    """Return the masses of a report, in µg/m³; none of any other frame."""
    if "pm100" in fields:
        return {"pm100": fields["pm100"]}
    if "pm2_5" in fields:
        return {"pm2_5": fields["pm2_5"] / 10, "pm10": fields["pm10"] / 10}
    return {}


def _extent(buffer: bytes, at: int) -> int:
    return _LENGTHS[buffer[at + 1]]


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if sum(frame[2:-2]) & 0xFF == frame[-2] else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[1] == _COMMAND_ORDER else Direction.REPLY


_SHAPE: Final = Shape(  # the tail belongs to the head: without it nothing is worth a look
    head=re.compile(rb"(?s)\xaa(?:[\xc0\xcf\xc5].{7}|\xb4.{16})\xab"),
    head_length=MAX_LENGTH,
    starts=_HEAD,
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL = PushingProtocol(
    name="sds011",
    title="Nova SDS011",
    spec="Nova Fitness Laser Dust Sensor Control Protocol V1.3, SDS198 specification V1.2",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=ReportListener,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
