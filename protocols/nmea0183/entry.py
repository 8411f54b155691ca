"""NMEA 0183: what each sentence tells, and the catalogue's entry. The device speaks unasked, 4800 8N1.

Values are taken from these; other sentences, and those with "!" that encapsulate others (AIS), give none:

    MWV  wind angle and speed, apparent (R) or true (T); V: the device mistrusts them
    MDA  air and water, humidity, pressure, true wind     RMC  position, speed and course
    XDR  any transducers (`transducers`)                  GGA  the fix

Apparent wind is what the device feels, true wind is reckoned without the motion of the vehicle; on a mast
that does not move they are one, and most devices there tell R.

Quirk: a Vaisala WMT700 that cannot measure leaves the fields empty and says V (WMT700 series user guide).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from protocols import Fields, Protocol, without_models
from protocols.dialogue import LineSettings, Values
from protocols.framing import Frame
from protocols.listening import ListeningKeys, ListeningSettings, Telegram, address_of
from protocols.nmea0183.amounts import pressure, speed
from protocols.nmea0183.sentence import MAX_LENGTH, Sentence, StreamFramer, parse
from protocols.nmea0183.transducers import CONVERTED, NAMES, transducers
from protocols.obis import plain

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


def values(sentence: Sentence) -> Values:
    """What a sentence tells; nothing if the device mistrusts it."""
    found = _VALUES.get(sentence.type, _nothing)(sentence)
    return {name: plain(value) for name, value in found if value is not None}


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
    units = UNITS if sentence.type != "XDR" else {found.name: found.unit for found in transducers(sentence)}
    return fields | {"values": told, "units": {name: units[name] for name in told if units.get(name)}}


Found = Iterator[tuple[str, Decimal | None]]


def _nothing(sentence: Sentence) -> Found:
    return iter(())


def _mwv(sentence: Sentence) -> Found:
    if sentence.text(5) == "A" and sentence.text(2) in ("R", "T"):
        kind = "true" if sentence.text(2) == "T" else "apparent"
        yield f"{kind}_wind_angle", sentence.number(1)
        yield f"{kind}_wind_speed", speed(sentence.number(3), sentence.text(4))


def _mda(sentence: Sentence) -> Found:
    inches, bars = sentence.number(1), sentence.number(3)
    yield "pressure", pressure(inches, "I") if bars is None else pressure(bars, "B")
    yield "air_temperature", sentence.number(5)
    yield "water_temperature", sentence.number(7)
    yield "humidity", sentence.number(9)
    yield "dew_point", sentence.number(11)
    yield "wind_direction", sentence.number(13)
    yield "wind_direction_magnetic", sentence.number(15)
    knots, metres = sentence.number(17), sentence.number(19)
    yield "true_wind_speed", speed(knots, "N") if metres is None else metres


def _rmc(sentence: Sentence) -> Found:
    if sentence.text(2) == "A":
        yield from _position(sentence, 3)
        yield "speed", speed(sentence.number(7), "N")
        yield "course", sentence.number(8)


def _gga(sentence: Sentence) -> Found:
    if sentence.text(6) not in ("", "0"):
        yield from _position(sentence, 2)
        yield "fix_quality", sentence.number(6)
        yield "satellites", sentence.number(7)
        yield "hdop", sentence.number(8)
        yield "altitude", sentence.number(9)


def _xdr(sentence: Sentence) -> Found:
    for transducer in transducers(sentence):
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


_KEYS: Final = ListeningKeys(
    units=UNITS,
    others=NAMES,
)


def _units_of(settings: ListeningSettings) -> dict[str, str]:
    """Of a transducer the unit is known before it speaks if its kind is told in one."""
    units = _KEYS.units_of(settings)
    ours = {name: CONVERTED.get(name.partition("_")[0], ("", None))[0] for name in units}
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
