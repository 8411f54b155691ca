"""Sensirion's sensors that speak SHDLC: what each must be told to measure, and how its values are written.

    SPS30          datasheet V2.0 (June 2023) §4.3, §5.3: ten floats, or ten unsigned words, as it was started
    SFA30          three signed words: formaldehyde × 5, humidity × 100, temperature × 200
    SVM40          three signed words: VOC index × 10, humidity × 100, temperature × 200
    SVM41          four signed words: humidity × 100, temperature × 200, VOC index × 10, NOx index × 10

The SPS30 follows its datasheet; the others follow what Sensirion's own drivers send and take
(sensirion-shdlc-sfa3x 0.1.0, sensirion-shdlc-svm40 0.3.0, sensirion-shdlc-svm41 0.1.0).
All numbers are big endian. 7FFF, beyond what any of the signed words can measure, is no value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from construct import Construct, Float32b, Int16sb, Int16ub, Struct

from protocols.toolkit import layout
from protocols.toolkit.polling import Value, Values

START_MEASUREMENT: Final = 0x00
STOP_MEASUREMENT: Final = 0x01
READ_MEASURED_VALUES: Final = 0x03
SLEEP: Final = 0x10
WAKE_UP: Final = 0x11
DEVICE_INFORMATION: Final = 0xD0
READ_VERSION: Final = 0xD1

NOT_ALLOWED: Final = 0x43  # in the current state: idle, or measuring already
NO_DATA: Final = 0x20

_NO_VALUE = 0x7FFF


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that a sensor measures.

    Attributes:
        name: our name for it.
        unit: the unit of the value, or "".
        divide: a word divided by this is the value.
    """

    name: str
    unit: str
    divide: int = 1


@dataclass(frozen=True, slots=True)
class Format:
    """A format in which a sensor reports its values.

    Attributes:
        start: data of the command that starts the measurement in this format.
        number: the layout of each number.
        declared: the layout of the reply.
    """

    start: bytes
    number: Construct[Any, Any]
    declared: Construct[Any, Any]


@dataclass(frozen=True, slots=True)
class Model:
    """A model of sensor.

    Attributes:
        name: the name in site.toml.
        quantities: its quantities, in the order of its reply.
        formats: its formats by their names in site.toml, the usual one first.
        read: data of the command that reads the measured values.
        serial: data of the command that reads the serial number.
        begins_with_zeros: it answers with zeros until the first measurement is done.
        sleeps: it has a mode in which it hears nothing but its wake-up sequence.
    """

    name: str
    quantities: tuple[Quantity, ...]
    formats: Mapping[str, Format]
    read: bytes
    serial: bytes
    begins_with_zeros: bool = False
    sleeps: bool = False

    def values(self, data: bytes) -> Values | None:
        """Return the measured values of a reply in any of its formats; None if its length fits none."""
        for form in self.formats.values():
            if layout.size(form.declared) == len(data):
                break
        else:
            return None
        if self.begins_with_zeros and not any(data):
            return {}
        fields = layout.parse(form.declared, data)
        values = {
            quantity.name: _value(quantity, form.number, fields[quantity.name])
            for quantity in self.quantities
        }
        return {name: value for name, value in values.items() if value is not None}

    def encode(self, values: Mapping[str, float], form: Format) -> bytes:
        """Return the data of a reply with these values: the inverse of `values`."""
        if form.number is Float32b:
            return layout.build(form.declared, **values)
        words = {
            quantity.name: round(values[quantity.name] * quantity.divide) for quantity in self.quantities
        }
        return layout.build(form.declared, **words)


def _value(quantity: Quantity, number: Construct[Any, Any], raw: Any) -> Value | None:
    if number is Float32b:
        return layout.shortest_float32(struct.pack(">f", raw)) if math.isfinite(raw) else None
    if number is Int16sb and raw == _NO_VALUE:
        return None
    return int(raw) if quantity.divide == 1 else raw / quantity.divide


def _format(start: bytes, number: Construct[Any, Any], quantities: tuple[Quantity, ...]) -> Format:
    return Format(
        start, number, "measured values" / Struct(*(quantity.name / number for quantity in quantities))
    )


def _word_model(
    name: str,
    quantities: tuple[Quantity, ...],
    read: bytes,
    serial: bytes,
    *,
    begins_with_zeros: bool,
) -> Model:
    """Return the model of a sensor whose only format is words."""
    formats = {"integer": _format(b"\x00", Int16sb, quantities)}
    return Model(name, quantities, formats, read, serial, begins_with_zeros)


_HUMIDITY = Quantity("humidity", "%", 100)
_TEMPERATURE = Quantity("temperature", "°C", 200)
_VOC = Quantity("voc_index", "", 10)

_NOX = Quantity("nox_index", "", 10)
_SPS30 = (
    Quantity("pm1_0", "µg/m³"),
    Quantity("pm2_5", "µg/m³"),
    Quantity("pm4_0", "µg/m³"),
    Quantity("pm10", "µg/m³"),
    Quantity("particles_0_5", "1/cm³"),
    Quantity("particles_1_0", "1/cm³"),
    Quantity("particles_2_5", "1/cm³"),
    Quantity("particles_4_0", "1/cm³"),
    Quantity("particles_10", "1/cm³"),
    Quantity("typical_particle_size", "µm", 1000),  # a word is in nm, a float in µm
)

MODELS: Final[Mapping[str, Model]] = {
    model.name: model
    for model in (
        Model(
            "sps30",
            _SPS30,
            {
                "float": _format(b"\x01\x03", Float32b, _SPS30),
                "integer": _format(b"\x01\x05", Int16ub, _SPS30),
            },
            read=b"",
            serial=b"\x03",
            sleeps=True,
        ),
        _word_model(
            "sfa30",
            (Quantity("formaldehyde", "ppb", 5), _HUMIDITY, _TEMPERATURE),
            read=b"\x02",
            serial=b"\x06",
            begins_with_zeros=False,
        ),
        _word_model(
            "svm40", (_VOC, _HUMIDITY, _TEMPERATURE), read=b"\x0a", serial=b"\x03", begins_with_zeros=True
        ),
        _word_model(
            "svm41",
            (_HUMIDITY, _TEMPERATURE, _VOC, _NOX),
            read=b"\x10",
            serial=b"\x03",
            begins_with_zeros=True,
        ),
    )
}

_ERRORS: Final[Mapping[int, str]] = {  # SPS30 §5.2 table 6; NO_DATA and 7F: sensirion-shdlc-sfa3x
    0x01: "wrong length of the data",
    0x02: "unknown command",
    0x03: "no access right",
    0x04: "parameter not allowed",
    NO_DATA: "no measured values yet",
    0x28: "internal function argument out of range",
    NOT_ALLOWED: "not allowed in the current state",
    0x7F: "error without a code",
}


def error_name(code: int) -> str:
    """Return the name of an error code of a reply."""
    return _ERRORS.get(code, f"error 0x{code:02X}, not in the datasheet")
