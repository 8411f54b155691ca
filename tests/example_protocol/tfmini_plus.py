"""Benewake TFmini Plus: distance by time of flight, for levels and gates.

Spec: "TFmini Plus data sheet" SJ-GU-TFmini-Plus-01 A00, standard data format. It pushes, 100 times a
second as delivered; 115200 8N1.

    59 59 | distance 2 | strength 2 | temperature 2 | check        low octet first
    check: the sum of all octets before it, modulo 256

The distance is in cm, the temperature, of the chip, in 1/8 °C above -256 °C.
"""

from __future__ import annotations

import re
from typing import Final

from construct import Byte, Const, Int16ul, Struct

from protocols.toolkit import (
    Fields,
    Frame,
    LineSettings,
    NoiseReason,
    PushingKeys,
    PushingProtocol,
    SearchFramer,
    Shape,
    Telegram,
    Values,
    layout,
)

_HEAD: Final = b"\x59\x59"
LAYOUT: Final = "frame" / Struct(
    "head" / Const(_HEAD),
    "distance" / Int16ul,
    "strength" / Int16ul,
    "temperature" / Int16ul,
    "check" / Byte,
)
LENGTH: Final = LAYOUT.sizeof()
KEYS: Final = PushingKeys({"distance": "cm", "strength": "", "temperature": "°C"})


class FrameListener:
    """Reads the frames of the one sensor on a line."""

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of a frame."""
        return [Telegram("", _values(frame))]


def describe(frame: Frame) -> Fields:
    """Return the fields, the temperature in °C."""
    return {**_values(frame)}


def _values(frame: Frame) -> Values:
    fields = layout.parse(LAYOUT, frame.data)
    return {
        "distance": fields["distance"],
        "strength": fields["strength"],
        "temperature": fields["temperature"] / 8 - 256,
    }


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if sum(frame[:-1]) & 0xFF == frame[-1] else NoiseReason.CHECKSUM


_SHAPE: Final = Shape(
    head=re.compile(_HEAD),
    head_length=len(_HEAD),
    starts=_HEAD[:1],
    longest=LENGTH,
    extent=lambda buffer, at: LENGTH,
    flaw=_flaw,
)

PROTOCOL = PushingProtocol(
    name="tfmini-plus",
    title="Benewake TFmini Plus",
    spec="TFmini Plus data sheet SJ-GU-TFmini-Plus-01 A00",
    line=LineSettings(115200),
    framer=lambda: SearchFramer(_SHAPE),
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=FrameListener,
    longest=LENGTH,
)
