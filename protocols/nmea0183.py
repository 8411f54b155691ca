"""NMEA 0183: weather stations, anemometers and satellite receivers.

Spec: NMEA 0183, published as IEC 61162-1. The device speaks unasked, as a rule once a second; 4800 8N1.

    $WIMWV,045,R,011.63,N,A*09CRLF
    $ | talker WI | sentence MWV | , field … | * check | CR LF

check: exclusive or of all between $ and *, two hex digits, now and then small ones. A field may be empty: the
device has no such value. Fields are separated by commas, "$", "!" and "*" stand in none.

Values are taken from these; other sentences, and those with "!" that encapsulate others (AIS), give none:

    MWV  wind angle and speed, apparent (R) or true (T); V: the device mistrusts them
    MDA  air and water, humidity, pressure, true wind           RMC  position, speed and course
    XDR  any transducers: kind, value, unit and name of each    GGA  the fix

Apparent wind is what the device feels, true wind is reckoned without the motion of the vehicle; on a mast
that does not move they are one, and most devices there tell R.

A transducer is called by its kind and name, temperature_engine; by its kind and a number if it has no name,
temperature_1. Those that would be called alike are numbered from the second on: temperature_engine_2.

A sentence without a check is not believed: before version 3 some devices sent such, but then a single flipped
bit, in "*", lets any other pass. The 82 characters that the standard allows are exceeded by real receivers.

Quirks: a Vaisala WXT530 numbers its transducers from 0 for each kind, and sends wind speed as kind S, rain as
V, R and Z, which the standard has otherwise or not (WXT530 series user guide, transducer table). A Vaisala
WMT700 that cannot measure leaves the fields empty and says V (WMT700 series user guide, NMEA MWV).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, count
from typing import Final

from protocols import Fields, Protocol, without_models
from protocols.checksum import CHECKSUMS
from protocols.dialogue import LineSettings, Values
from protocols.framing import Direction, Frame
from protocols.listening import ListeningKeys, ListeningSettings, Telegram, address_of
from protocols.obis import plain
from protocols.search import SearchFramer, Shape

MAX_LENGTH: Final = 1024

_CHECK: Final = CHECKSUMS["xor8"].of
_HEAD = re.compile(rb"[$!][A-Z][A-Z0-9]{2}")
_END = re.compile(rb"[^ -~]|[$!]")
_LINE_END = re.compile(rb"\r?\n")
_SENTENCE = re.compile(rb"[$!]([^*]*)\*([0-9A-Fa-f]{2})\r?\n")
_NUMBER = re.compile(r"[+-]?(?=\.?\d)\d{0,12}(?:\.\d{0,12})?")

_METRES_PER_SECOND: Final = {  # K, M, N, S of a wind speed
    "K": Decimal(1000) / 3600,
    "M": Decimal(1),
    "N": Decimal(1852) / 3600,
    "S": Decimal("0.44704"),
}
_HECTOPASCALS: Final = {  # of a pressure; the conventional columns of mercury as in NIST SP 811
    "B": Decimal(1000),
    "H": Decimal(1),
    "I": Decimal("33.86389"),
    "M": Decimal("1.333224"),
    "P": Decimal("0.01"),
}
_MILLIMETRES: Final = Decimal("0.001")
_HUNDREDTHS: Final = Decimal("0.01")
_CENTIMETRES: Final = Decimal("1e-7")  # of a degree of latitude

UNITS: Final[Mapping[str, str]] = {
    "apparent_wind_angle": "°",  # MWV R, to the mark on the device
    "apparent_wind_speed": "m/s",
    "true_wind_angle": "°",  # MWV T, to the mark on the device
    "true_wind_speed": "m/s",  # MWV T, MDA
    "wind_direction": "°",  # MDA, to true north
    "wind_direction_magnetic": "°",
    "pressure": "hPa",
    "air_temperature": "°C",
    "water_temperature": "°C",
    "humidity": "%",
    "dew_point": "°C",
    "latitude": "°",  # south is negative
    "longitude": "°",  # west is negative
    "speed": "m/s",
    "course": "°",
    "altitude": "m",
    "fix_quality": "",  # 1 GNSS, 2 differential, 4 and 5 RTK, 6 estimated …
    "satellites": "",
    "hdop": "",
}
_KINDS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {  # XDR: kind → its name, and its units as sent
    "A": ("angle", {"D": "°"}),
    "C": ("temperature", {}),
    "D": ("displacement", {"M": "m"}),
    "F": ("frequency", {"H": "Hz"}),
    "G": ("generic", {"P": "%"}),
    "H": ("humidity", {"P": "%"}),
    "I": ("current", {"A": "A"}),
    "L": ("salinity", {"S": "ppt"}),
    "N": ("force", {"N": "N"}),
    "P": ("pressure", {}),
    "R": ("flow", {"L": "l/s"}),
    "S": ("switch", {}),
    "T": ("tachometer", {"R": "1/min"}),
    "U": ("voltage", {"V": "V"}),
    "V": ("volume", {"M": "m³"}),
    "Z": ("duration", {"S": "s"}),
}
_OTHER_KIND: Final = "transducer"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What stands between the start and the check.

    Attributes:
        talker: two letters; P… is a maker's own sentence.
        type: the sentence: MWV.
        fields: as they are sent, "" where empty.
    """

    talker: str
    type: str
    fields: tuple[str, ...]

    def text(self, number: int) -> str:
        """The field of this number, from 1 on; "" if there are not as many."""
        return self.fields[number - 1] if number <= len(self.fields) else ""

    def number(self, number: int) -> Decimal | None:
        """The same as a number; None if it is none."""
        return _decimal(self.text(number))


def parse(data: bytes) -> Sentence:
    """The sentence in a frame."""
    address, *fields = data[1:].rpartition(b"*")[0].decode("ascii").split(",")
    return Sentence(address[:2], address[2:], tuple(fields))


def build(talker: str, sentence: str, fields: Sequence[str], start: str = "$") -> bytes:
    """The frame of a sentence."""
    body = ",".join((talker + sentence, *fields))
    return f"{start}{body}*{_CHECK(body.encode('ascii')):02X}\r\n".encode("ascii")


def values(sentence: Sentence) -> Values:
    """What a sentence tells; nothing if the device mistrusts it."""
    found = _VALUES.get(sentence.type, _nothing)(sentence)
    return {name: plain(value) for name, value in found if value is not None}


class StreamFramer(SearchFramer):
    """Finds sentences."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class SentenceListener:
    """Hears a line with one device."""

    def hear(self, frame: Frame) -> Sequence[Telegram]:
        """What the sentence tells, if it is one of those that values are taken from."""
        sentence = parse(frame.data)
        return [Telegram("", values(sentence))] if sentence.type in _VALUES else []


def describe(frame: Frame) -> Fields:
    """Talker, sentence and fields as sent, the position in degrees, and the values with their units."""
    sentence = parse(frame.data)
    fields: Fields = {"talker": sentence.talker, "type": sentence.type, "fields": list(sentence.fields)}
    if sentence.type == "RMC":
        fields["status"] = sentence.text(2)
        fields |= {name: plain(value) for name, value in _position(sentence, 3) if value is not None}
    told = values(sentence)
    if not told:
        return fields
    units = UNITS if sentence.type != "XDR" else {found.name: found.unit for found in _transducers(sentence)}
    return fields | {"values": told, "units": {name: units[name] for name in told if units.get(name)}}


Found = Iterator[tuple[str, Decimal | None]]


def _nothing(sentence: Sentence) -> Found:
    return iter(())


def _mwv(sentence: Sentence) -> Found:
    if sentence.text(5) == "A" and sentence.text(2) in ("R", "T"):
        kind = "true" if sentence.text(2) == "T" else "apparent"
        yield f"{kind}_wind_angle", sentence.number(1)
        yield f"{kind}_wind_speed", _speed(sentence.number(3), sentence.text(4))


def _mda(sentence: Sentence) -> Found:
    inches, bars = sentence.number(1), sentence.number(3)
    yield "pressure", _pressure(inches, "I") if bars is None else _pressure(bars, "B")
    yield "air_temperature", sentence.number(5)
    yield "water_temperature", sentence.number(7)
    yield "humidity", sentence.number(9)
    yield "dew_point", sentence.number(11)
    yield "wind_direction", sentence.number(13)
    yield "wind_direction_magnetic", sentence.number(15)
    knots, metres = sentence.number(17), sentence.number(19)
    yield "true_wind_speed", _speed(knots, "N") if metres is None else metres


def _rmc(sentence: Sentence) -> Found:
    if sentence.text(2) == "A":
        yield from _position(sentence, 3)
        yield "speed", _speed(sentence.number(7), "N")
        yield "course", sentence.number(8)


def _gga(sentence: Sentence) -> Found:
    if sentence.text(6) not in ("", "0"):
        yield from _position(sentence, 2)
        yield "fix_quality", sentence.number(6)
        yield "satellites", sentence.number(7)
        yield "hdop", sentence.number(8)
        yield "altitude", sentence.number(9)


def _xdr(sentence: Sentence) -> Found:
    for transducer in _transducers(sentence):
        yield transducer.name, transducer.value


_VALUES: Final[Mapping[str, Callable[[Sentence], Found]]] = {
    "MWV": _mwv,
    "MDA": _mda,
    "XDR": _xdr,
    "RMC": _rmc,
    "GGA": _gga,
}


def _position(sentence: Sentence, first: int) -> Found:
    """Latitude and longitude of four fields, in degrees."""
    for name, limit, sides in (("latitude", 90, "NS"), ("longitude", 180, "EW")):
        written, side = sentence.number(first), sentence.text(first + 1)
        first += 2
        if written is None or written < 0 or not side or side not in sides:
            continue
        degrees, minutes = divmod(written, 100)
        angle = (degrees + minutes / 60).quantize(_CENTIMETRES)
        if minutes < 60 and angle <= limit:
            yield name, angle if side == sides[0] else -angle


def _speed(amount: Decimal | None, unit: str) -> Decimal | None:
    """A speed in metres per second, to the millimetre where it was reckoned."""
    factor = _METRES_PER_SECOND.get(unit)
    if amount is None or factor is None:
        return None
    return amount if factor == 1 else (amount * factor).quantize(_MILLIMETRES)


def _pressure(amount: Decimal | None, unit: str) -> Decimal | None:
    """A pressure in hPa, to the pascal where it was reckoned."""
    factor = _HECTOPASCALS.get(unit)
    if amount is None or factor is None:
        return None
    return (amount * factor).quantize(_HUNDREDTHS) if unit in "IM" else amount * factor


def _temperature(amount: Decimal | None, unit: str) -> Decimal | None:
    """A temperature in °C, to the hundredth where it was reckoned."""
    if amount is None or unit not in ("C", "F", "K"):
        return None
    if unit == "F":
        return ((amount - 32) * 5 / 9).quantize(_HUNDREDTHS)
    return amount if unit == "C" else amount - Decimal("273.15")


_CONVERTED: Final[Mapping[str, tuple[str, Callable[[Decimal | None, str], Decimal | None]]]] = {
    "temperature": ("°C", _temperature),
    "pressure": ("hPa", _pressure),
    "speed": ("m/s", _speed),
}
"""Kinds that are told in one unit, whichever they are sent in; without one of theirs they tell nothing."""


@dataclass(frozen=True, slots=True)
class _Transducer:
    name: str
    value: Decimal | None
    unit: str


def _transducers(sentence: Sentence) -> Iterator[_Transducer]:
    """Those of an XDR, each of a whole group of four fields: kind, value, unit, name."""
    taken: set[str] = set()
    for kind, written, unit, name in zip(*[iter(sentence.fields)] * 4, strict=False):
        kind_name, units = _KINDS.get(kind, (f"{_OTHER_KIND}_{kind}", {}))
        if kind == "S" and unit in _METRES_PER_SECOND:
            kind_name = "speed"
        called = _name(kind_name, name, taken)
        taken.add(called)
        value = _decimal(written)
        if kind_name in _CONVERTED:
            ours, converted = _CONVERTED[kind_name]
            yield _Transducer(called, converted(value, unit), ours)
        else:
            yield _Transducer(called, value, units.get(unit, unit))


def _name(kind: str, name: str, taken: Container[str]) -> str:
    """What a transducer is called that has this name, or none, beside others."""
    kind, name = (re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") for text in (kind, name))
    stem = f"{kind}_{name}" if name else kind
    numbered = (f"{stem}_{number}" for number in count(2 if name else 1))
    return next(called for called in chain([stem] if name else [], numbered) if called not in taken)


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _extent(buffer: bytes, at: int, heard: int = 0) -> int | None:
    """Octets of the sentence that begins here; among the first `heard` its end is not, but for a CR."""
    end = _END.search(buffer, max(at, heard - 2) + 1, at + MAX_LENGTH - 1)
    if end is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    line_end = _LINE_END.match(buffer, end.start())
    if line_end:
        return line_end.end() - at
    return None if end[0] == b"\r" and end.end() == len(buffer) else 0


def _flaw(data: bytes) -> str | None:
    match = _SENTENCE.fullmatch(data)
    return None if match and _CHECK(match[1]) == int(match[2], 16) else "checksum"


def _direction(data: bytes) -> Direction:
    return Direction.REPLY


_SHAPE: Final = Shape(_HEAD, 4, b"$!", MAX_LENGTH, _extent, _flaw, _direction, resumed=_extent)
_KEYS: Final = ListeningKeys(
    units=UNITS,
    others=re.compile(
        rf"({'|'.join((*(name for name, _ in _KINDS.values()), 'speed', _OTHER_KIND))})(_[a-z0-9]+)+"
    ),
)


def _units_of(settings: ListeningSettings) -> dict[str, str]:
    """Of a transducer the unit is known before it speaks if its kind is told in one."""
    units = _KEYS.units_of(settings)
    ours = {name: _CONVERTED.get(name.partition("_")[0], ("", None))[0] for name in units}
    return {name: unit or ours[name] for name, unit in units.items()}


PROTOCOL = Protocol(
    name="nmea0183",
    title="NMEA 0183",
    spec="NMEA 0183, IEC 61162-1",
    line=LineSettings(4800),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=_KEYS.schema,
    settings=_KEYS.parse,
    device=None,
    listener=SentenceListener,
    address_of=address_of,
    units_of=_units_of,
    longest=MAX_LENGTH,
)
