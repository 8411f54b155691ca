"""Winsen's frame: nine octets, and how they are found in a stream (MH-Z19B manual V1.6, ZE08-CH2O manual).

    request   FF | 01 | command | data 5 | check                  01: the sensor's number, always that
    reply     FF | command | data 6 | check
    report    FF | gas | unit | decimals | concentration 2 | full scale 2 | check      unasked

    check: what makes the sum of all octets but FF zero, modulo 256; numbers big endian

A reply and a report are told apart by their second octet: commands are 78 and above, gases below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from construct import Byte, Bytes, Const, Construct, Int16ub, Struct

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.obis import plain
from protocols.toolkit.protocol import Fields
from protocols.toolkit.search import SearchFramer, Shape

READ_CONCENTRATION: Final = 0x86


class Gas(NamedTuple):
    """A gas: the name of its value, and the unit that it is reported in."""

    name: str
    unit: str


GASES: Final[Mapping[int, Gas]] = {  # by the code in a report (ZE03 manual V2.8, ZE07-CO, ZE08-CH2O, ZE25-O3)
    0x02: Gas("ammonia", "ppm"),
    0x03: Gas("hydrogen_sulfide", "ppm"),
    0x04: Gas("carbon_monoxide", "ppm"),
    0x05: Gas("oxygen", "%"),
    0x06: Gas("hydrogen", "ppm"),
    0x17: Gas("formaldehyde", "ppb"),
    0x2A: Gas("ozone", "ppm"),
    0x2B: Gas("sulfur_dioxide", "ppm"),
    0x2C: Gas("nitrogen_dioxide", "ppm"),
    0x2E: Gas("hydrogen_chloride", "ppm"),
    0x2F: Gas("hydrogen_cyanide", "ppm"),
    0x31: Gas("chlorine", "ppm"),
    0x33: Gas("hydrogen_fluoride", "ppm"),
    0x34: Gas("ethylene_oxide", "ppm"),
    0x45: Gas("phosphine", "ppm"),
}
_UNITS: Final = {0x03: ("ppm", 0), 0x04: ("ppm", -3), 0x05: ("%", 0)}  # unit code → unit and power of ten

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


def build(structure: Construct[Any, Any], **fields: object) -> bytes:
    """Return a request or reply with these fields and its checksum."""
    octets = layout.build(structure, **fields, check=0)[:-1]
    return octets + bytes((_check(octets),))


def concentration(fields: Mapping[str, Any]) -> tuple[Gas, int | float] | None:
    """Return the gas of a report and how much of it, in the gas's unit; None where either is unknown."""
    gas, unit = GASES.get(fields["gas_type"]), _UNITS.get(fields["unit_code"])
    if gas is None or unit is None:
        return None
    base, power = ("ppm", -3) if gas.unit == "ppb" else (gas.unit, 0)
    if unit[0] != base:
        return None
    amount = Decimal(fields["concentration_raw"]).scaleb(unit[1] - power - fields["decimals"])
    return gas, plain(amount.normalize() if amount == amount.to_integral() else amount)


def describe(frame: Frame) -> Fields:
    """Return command and data of a frame, or gas and concentration of a report.

    A reply to 86 does not tell its gas: it is called CO₂, which most sensors that are asked measure.
    """
    if frame.direction is Direction.REQUEST:
        fields = layout.parse(REQUEST, frame.data)
        return {"command": fields["command"], "data": fields["data"].hex()}
    if frame.data[1] < _FIRST_COMMAND:
        fields = layout.parse(REPORT, frame.data)
        description = {
            name: fields[name] for name in ("gas_type", "unit_code", "decimals", "concentration_raw")
        }
        description["full_scale"] = fields["full_scale"]
        measured = concentration(fields)
        return description | ({measured[0].name: measured[1]} if measured else {})
    fields = layout.parse(REPLY, frame.data)
    description = {"command": fields["command"], "data": fields["data"].hex()}
    if fields["command"] == READ_CONCENTRATION:
        description["co2"] = int.from_bytes(fields["data"][:2], "big")
    return description


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _check(octets: bytes) -> int:
    return -sum(octets[1:]) & 0xFF


def _extent(buffer: bytes, at: int) -> int:
    return LENGTH


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if sum(frame) & 0xFF == _START[0] else NoiseReason.CHECKSUM  # what follows FF makes zero


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
