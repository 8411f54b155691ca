"""Plantower particle sensors: PMS5003, its relatives T, S and ST, PMS1003, PMS3003, PMS7003, PMSA003.

Spec: "PMS5003 series data manual" V2.3 and "PMS5003ST series data manual" V2.6 (Plantower), appendix on the
active mode. They push, about once a second; 9600 8N1.

    report    42 4D | length 2 | data1 2 | data2 2 | … | check 2     length: of all that follows it
    command   42 4D | command 1 | data 2 | check 2                   switches modes; answered by a report of
                                                                     length 4: command, data
    check: the sum of all octets before it; all numbers big endian

    length   model                 data1–6   data7–12                            then
    20       PMS3003               masses    reserved
    28       PMS5003, 7003, A003   masses    six counts                          reserved
             PMS5003T              masses    four counts, temperature, humidity  reserved
             PMS5003S              masses    six counts                          formaldehyde
    36       PMS5003ST             masses    six counts                          formaldehyde, temperature,
                                                                                 humidity, reserved

A mass is in µg/m³, first of standard particles (CF=1), then under atmospheric conditions; a count is of the
particles beyond a diameter in 0.1 L of air. Which of the models with length 28 speaks no report tells: the
listener tells what the words would mean in each of them, and the sensor's model says which it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from construct import Array, Byte, Const, Int16ub, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.keys import close_words, shown, unknown_keys
from protocols.toolkit.polling import LineSettings, Value, Values
from protocols.toolkit.protocol import Fields, Models, PushingProtocol
from protocols.toolkit.pushing import ALIAS, PushingKeys, PushingSettings, Telegram
from protocols.toolkit.scanning import Find, Scanning
from protocols.toolkit.search import SearchFramer, Shape

_START: Final = b"\x42\x4d"
REPORT: Final = "report" / Struct(
    "start" / Const(_START),
    "length" / Int16ub,
    "data" / Array(this.length // 2 - 1, Int16ub),
    "check" / Int16ub,
)
COMMAND: Final = "command" / Struct(
    "start" / Const(_START),
    "command" / Byte,
    "data" / Int16ub,
    "check" / Int16ub,
)
_HEAD = re.compile(rb"\x42\x4d(?:\x00[\x04\x14\x1c\x24]|[\xe1\xe2\xe4]\x00)")
_HEAD_LENGTH = 4
_COMMAND_LENGTH: Final = COMMAND.sizeof()
_ANSWER: Final = 4  # length of the answer to a command
_CHECK: Final = 2
MAX_LENGTH: Final = _HEAD_LENGTH + 0x24

_MASSES = ("pm1_0_cf1", "pm2_5_cf1", "pm10_cf1", "pm1_0", "pm2_5", "pm10")
_COUNTS = (
    "particles_0_3",
    "particles_0_5",
    "particles_1_0",
    "particles_2_5",
    "particles_5_0",
    "particles_10",
)
_ALL_COUNTED = _MASSES + _COUNTS

MODELS: Final[Mapping[str, Sequence[str]]] = {  # what data1, data2 … are
    "pms5003": _ALL_COUNTED,
    "pms5003t": (*_MASSES, *_COUNTS[:4], "temperature", "humidity"),
    "pms5003s": (*_ALL_COUNTED, "formaldehyde"),
    "pms5003st": (*_ALL_COUNTED, "formaldehyde", "temperature", "humidity"),
    "pms1003": _ALL_COUNTED,
    "pms3003": _MASSES,
    "pms7003": _ALL_COUNTED,
    "pmsa003": _ALL_COUNTED,
}
DEFAULT: Final = "pms5003"
_SHORT, _USUAL = 20, 28
_BY_LENGTH: Final = {20: ("pms3003",), 28: ("pms5003", "pms5003t", "pms5003s"), 36: ("pms5003st",)}

UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_MASSES, "µg/m³"),
    **dict.fromkeys(_COUNTS, "1/0.1L"),
    "formaldehyde": "µg/m³",
    "temperature": "°C",
    "humidity": "%",
}


class StreamFramer(SearchFramer):
    """Framer of reports and commands."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Describer:
    """Describes frames; the values are those of `model`, if None of the usual model with such a report."""

    def __init__(self, model: str | None = None) -> None:
        self._names = None if model is None else MODELS[model]

    def __call__(self, frame: Frame) -> Fields:
        """Return command and data of a frame, or the words of a report and the values in them."""
        if frame.direction is Direction.REQUEST:
            fields = layout.parse(COMMAND, frame.data)
            return {"command": fields["command"], "data": fields["data"]}
        report = layout.parse(REPORT, frame.data)
        fields = {"length": report["length"], "words": report["data"]}
        if report["length"] == _ANSWER:
            return fields
        names = self._names or MODELS[_BY_LENGTH[report["length"]][0]]
        return fields | _values(names, report["data"])


class ReportListener:
    """Reads the reports of the one sensor on a line."""

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of a report, with its values in each model of that length; none of a reply."""
        if frame.direction is Direction.REQUEST:
            return []
        report = layout.parse(REPORT, frame.data)
        values: Values = {}
        for model in reversed(_BY_LENGTH.get(report["length"], ())):
            values |= _values(MODELS[model], report["data"])
        return [Telegram("", values)] if values else []


@dataclass(frozen=True, slots=True)
class SensorSettings(PushingSettings):
    """A sensor's own keys, and the name of its model."""

    model: str = DEFAULT


def parse_settings(keys: Mapping[str, object]) -> SensorSettings:
    """Return the settings of a sensor: all values of its model, or the ones chosen by `values`.

    Raises:
        SettingsError: with every mistake.
    """
    value_keys = {key: keys[key] for key in ("values", ALIAS) if key in keys}
    problems = unknown_keys({key: keys[key] for key in keys if key != ALIAS}, ("model", "values"))
    name = keys.get("model", DEFAULT)
    model = name if isinstance(name, str) and name in MODELS else None
    if model is None:
        close = close_words(str(name).lower(), MODELS, 3) or MODELS
        message = f"{shown(name)} is not a Plantower sensor known here, use {' or '.join(close)}"
        problems.append((("model",), message))
    known_values = {value: UNITS[value] for value in MODELS[model]} if model else UNITS
    settings = PushingSettings("")
    try:
        settings = PushingKeys(known_values).parse(value_keys)
    except SettingsError as error:
        problems += error.problems
    if model is None or problems:
        raise SettingsError(problems)
    return SensorSettings("", settings.values or tuple(MODELS[model]), settings.units, model)


def conflicts(sensors: Sequence[SensorSettings]) -> list[Problem]:
    """Return the problems of sensors whose model differs from the first one's: a line has a single sensor."""
    return [
        (
            (place, "model"),
            f"{settings.model} contradicts {sensors[0].model} of sensor[1]: on such a line is one sensor, "
            "write the same model in all or give each a bus of its own",
        )
        for place, settings in enumerate(sensors)
        if settings.model != sensors[0].model
    ]


def _values(names: Sequence[str], words: Sequence[int]) -> Values:
    return {name: _value(name, word) for name, word in zip(names, words, strict=False)}


def _value(name: str, word: int) -> Value:
    if name == "temperature":
        return (word - 0x10000 if word & 0x8000 else word) / 10
    return word / 10 if name == "humidity" else word


def _extent(buffer: bytes, at: int) -> int:
    is_report = buffer[at + 2] == 0
    return _HEAD_LENGTH + buffer[at + 3] if is_report else _COMMAND_LENGTH


def _flaw(frame: bytes) -> NoiseReason | None:
    return None if sum(frame[:-_CHECK]) == int.from_bytes(frame[-_CHECK:], "big") else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[2] else Direction.REPLY


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=_START[:1],
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
_KEYS: Final = PushingKeys(UNITS)


def model_of(frames: Sequence[Frame]) -> str | None:
    """Return the model whose reports frames are; "" if several have such reports, None if they are none.

    Masses grow with the size that they include, counts shrink with the size beyond which they count. Another
    maker's reports, which have the same frame, are zero where counts stand here.
    """
    reports = [layout.parse(REPORT, frame.data) for frame in frames if frame.direction is Direction.REPLY]
    reports = [report for report in reports if report["length"] != _ANSWER]
    lengths = {report["length"] for report in reports}
    if len(lengths) != 1:
        return None
    words = [report["data"] for report in reports]
    if not all(_grows(each[:3]) and _grows(each[3:6]) for each in words):
        return None
    (length,) = lengths
    if length == _SHORT:
        return "pms3003"
    if not all(_grows(each[6:10][::-1]) for each in words) or not any(any(each[6:10]) for each in words):
        return None
    if length != _USUAL:
        return "pms5003st"
    are_counts = all(_grows(each[6:12][::-1]) for each in words)
    return "" if are_counts else "pms5003t"


def _grows(words: Sequence[int]) -> bool:
    return list(words) == sorted(words)


def _scanning() -> Scanning:
    from protocols.toolkit.senders import senders  # a service never searches

    def passive(frames: Sequence[Frame]) -> Sequence[Find]:
        model = model_of(frames)
        if model is None:
            return ()
        return senders(PROTOCOL, frames, lambda _: {"model": model} if model else {})

    return Scanning(lines=(LineSettings(9600, 8, "N", 1),), passive=passive)


PROTOCOL = PushingProtocol(
    name="plantower",
    title="Plantower PMSx003",
    spec="Plantower PMS5003 series data manual V2.3, PMS5003ST series data manual V2.6",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=Describer,
    schema={
        "properties": {
            "model": {"enum": list(MODELS), "default": DEFAULT, "description": "Which sensor it is."},
            **_KEYS.schema["properties"],
        },
        "required": [],
    },
    settings=parse_settings,
    listener=ReportListener,
    conflicts=conflicts,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
    models=Models(names=lambda: tuple(MODELS), describer=Describer),
)
