"""Winsen's frame: nine octets, and how they are found in a stream (MH-Z19B manual V1.6, ZE08-CH2O manual).

    request   FF | 01 | command | data 5 | check                  01: the sensor's number, always that
    reply     FF | command | data 6 | check
    report    FF | gas | unit | decimals | concentration 2 | full scale 2 | check      unasked

    check: what makes the sum of all octets but FF zero, modulo 256; numbers big endian

A reply and a report are told apart by their second octet: commands are 78 and above, gases below.
"""

from __future__ import annotations

import re
from typing import Any, Final

from construct import Byte, Bytes, Const, Construct, Int16ub, Struct

from protocols import Fields, layout
from protocols.framing import Direction, Frame
from protocols.search import SearchFramer, Shape

READ_CONCENTRATION: Final = 0x86
FORMALDEHYDE: Final = 0x17

_START, _SENSOR = b"\xff", b"\x01"
_FIRST_COMMAND: Final = 0x78
REQUEST: Final = "request" / Struct(
    "start" / Const(_START),
    "sensor" / Const(_SENSOR),
    "command" / Byte,
    "data" / Bytes(5),
    "check" / Byte,
)
REPLY: Final = "reply" / Struct(
    "start" / Const(_START),
    "command" / Byte,
    "data" / Bytes(6),
    "check" / Byte,
)
REPORT: Final = "report" / Struct(
    "start" / Const(_START),
    "gas_type" / Byte,
    "unit_code" / Byte,
    "decimals" / Byte,
    "concentration_raw" / Int16ub,
    "full_scale" / Int16ub,
    "check" / Byte,
)
LENGTH: Final = REPLY.sizeof()

_COMMANDS = rb"[\x78\x79\x86-\x88\x99\xa7]"
_HEAD = re.compile(
    rb"\xff(?:\x01%b|%b[\x00-\xff]|[\x02-\x4f][\x02-\x08][\x00-\x03])" % (_COMMANDS, _COMMANDS), re.DOTALL
)
_HEAD_LENGTH = 4


def build(declared: Construct[Any, Any], **fields: object) -> bytes:
    """A request or reply with these fields and its check."""
    octets = layout.build(declared, **fields, check=0)[:-1]
    return octets + bytes((_check(octets),))


def describe(frame: Frame) -> Fields:
    """Command and data, or gas and concentration."""
    if frame.direction is Direction.REQUEST:
        fields = layout.parse(REQUEST, frame.data)
        return {"command": fields["command"], "data": fields["data"].hex()}
    if frame.data[1] < _FIRST_COMMAND:
        fields = layout.parse(REPORT, frame.data)
        told = {name: fields[name] for name in ("gas_type", "unit_code", "decimals", "concentration_raw")}
        return told | {"full_scale": fields["full_scale"]}
    fields = layout.parse(REPLY, frame.data)
    told = {"command": fields["command"], "data": fields["data"].hex()}
    if fields["command"] == READ_CONCENTRATION:
        told["co2"] = int.from_bytes(fields["data"][:2], "big")
    return told


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _check(octets: bytes) -> int:
    return -sum(octets[1:]) & 0xFF


def _extent(buffer: bytes, at: int) -> int:
    return LENGTH


def _flaw(frame: bytes) -> str | None:
    return None if sum(frame) & 0xFF == _START[0] else "checksum"  # what follows FF makes zero


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame.startswith(_START + _SENSOR) else Direction.REPLY


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=_START,
    longest=LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
