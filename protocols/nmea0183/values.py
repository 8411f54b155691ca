"""NMEA 0183: the values that each sentence tells.

Values are taken from these; other sentences, and those with "!" that encapsulate others (AIS), give none:

    MWV  wind angle and speed, apparent (R) or true (T); V: the device mistrusts them
    VWR  apparent wind, VWT true wind, to the left or right of the bow     MWD  wind direction and speed
    MDA  air and water, humidity, pressure, true wind     MTA  air temperature     MTW  water temperature
    MHU  humidity and dew point     MMB  pressure         XDR  any transducers (`transducers`)
    RMC  position, speed and course   GLL  position       GGA  the fix      VTG  course and speed
    HDT  HDM  HDG  heading            ROT  rate of turn   VHW  heading and speed through the water
    DBT  DPT  depth of the water below the transducer

Apparent wind is what the device feels, true wind is reckoned without the motion of the vehicle; on a mast
that does not move they are one, and most devices there tell R.

Quirk: a Vaisala WMT700 that cannot measure leaves the fields empty and says V (WMT700 series user guide).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from protocols.nmea0183.amounts import pressure, speed, temperature
from protocols.nmea0183.sentence import Sentence
from protocols.nmea0183.transducers import transducers
from protocols.toolkit.obis import plain
from protocols.toolkit.polling import Values

_VALID_MODES: Final = ("A", "D", "F", "P", "R")  # autonomous, differential, float RTK, precise, RTK
_CENTIMETRES: Final = Decimal("1e-7")  # of a degree of latitude

UNITS: Final[Mapping[str, str]] = {
    "apparent_wind_angle": "°",  # MWV R, to the mark on the device
    "apparent_wind_speed": "m/s",
    "true_wind_angle": "°",  # MWV T, to the mark on the device
    "true_wind_speed": "m/s",  # MWV T, MDA
    "wind_direction": "°",  # MDA, MWD: to true north
    "wind_direction_magnetic": "°",
    "pressure": "hPa",
    "air_temperature": "°C",
    "water_temperature": "°C",
    "humidity": "%",
    "absolute_humidity": "g/m³",
    "dew_point": "°C",
    "latitude": "°",  # south is negative
    "longitude": "°",  # west is negative
    "speed": "m/s",  # over ground
    "course": "°",  # to true north
    "course_magnetic": "°",
    "heading": "°",  # to true north
    "heading_magnetic": "°",
    "rate_of_turn": "°/min",  # to port is negative
    "water_speed": "m/s",
    "depth": "m",
    "altitude": "m",
    "fix_quality": "",  # 1 GNSS, 2 differential, 4 and 5 RTK, 6 estimated …
    "satellites": "",
    "hdop": "",
}


def has_values(sentence: Sentence) -> bool:
    """Return whether values are taken from sentences of this type."""
    return sentence.type in _VALUES


def position(sentence: Sentence, first: int) -> Values:
    """Return latitude and longitude of four fields of a sentence, as far as they are there, in degrees."""
    return {name: plain(value) for name, value in _position(sentence, first) if value is not None}


def values(sentence: Sentence) -> Values:
    """Return the values of a sentence; none if the device itself marks them as invalid."""
    candidates = _VALUES.get(sentence.type, _nothing)(sentence)
    return {name: plain(value) for name, value in candidates if value is not None}


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


def _mwd(sentence: Sentence) -> Found:
    yield "wind_direction", sentence.number(1)
    yield "wind_direction_magnetic", sentence.number(3)
    knots, metres = sentence.number(5), sentence.number(7)
    yield "true_wind_speed", speed(knots, "N") if metres is None else metres


def _vwr(sentence: Sentence) -> Found:
    yield from _wind_to_the_bow(sentence, "apparent")


def _vwt(sentence: Sentence) -> Found:
    yield from _wind_to_the_bow(sentence, "true")


def _wind_to_the_bow(sentence: Sentence, kind: str) -> Found:
    """Yield the wind of a VWR or VWT, its angle as MWV has it: clockwise from the bow, 0–360°."""
    angle, side = sentence.number(1), sentence.text(2).upper()
    if angle is not None and angle <= 180 and side in ("L", "R"):
        yield f"{kind}_wind_angle", (360 - angle) % 360 if side == "L" else angle
    yield f"{kind}_wind_speed", _first_speed(sentence, (3, "N"), (5, "M"), (7, "K"))


def _mta(sentence: Sentence) -> Found:
    yield "air_temperature", temperature(sentence.number(1), sentence.text(2))


def _mtw(sentence: Sentence) -> Found:
    yield "water_temperature", temperature(sentence.number(1), sentence.text(2))


def _mhu(sentence: Sentence) -> Found:
    yield "humidity", sentence.number(1)
    yield "absolute_humidity", sentence.number(2)
    yield "dew_point", temperature(sentence.number(3), sentence.text(4))


def _mmb(sentence: Sentence) -> Found:
    inches, bars = sentence.number(1), sentence.number(3)
    yield "pressure", pressure(inches, "I") if bars is None else pressure(bars, "B")


def _hdt(sentence: Sentence) -> Found:
    yield "heading", sentence.number(1)


def _hdm(sentence: Sentence) -> Found:
    yield "heading_magnetic", sentence.number(1)


def _hdg(sentence: Sentence) -> Found:
    """Yield the sensor's heading corrected for deviation, and that for variation where both are known.

    A deviation that is left out is taken as corrected already; without a variation there is no true heading.
    """
    sensed = sentence.number(1)
    if sensed is None:
        return
    magnetic = _turned(sensed, _eastward(sentence, 2) or Decimal(0))
    variation = _eastward(sentence, 4)
    yield "heading_magnetic", magnetic
    if variation is not None:
        yield "heading", _turned(magnetic, variation)


def _turned(heading: Decimal, degrees: Decimal) -> Decimal:
    """Return a heading turned clockwise, in 0–360°; the remainder of a Decimal has the sign of the number."""
    return (heading + degrees + 360) % 360


def _eastward(sentence: Sentence, number: int) -> Decimal | None:
    """Return an angle and its side, E or W, as degrees to the east."""
    angle, side = sentence.number(number), sentence.text(number + 1).upper()
    if angle is None or side not in ("E", "W"):
        return None
    return angle if side == "E" else -angle


def _rot(sentence: Sentence) -> Found:
    if sentence.text(2).upper() == "A":
        yield "rate_of_turn", sentence.number(1)


def _vtg(sentence: Sentence) -> Found:
    """Yield course and speed; before version 2 there were no letters between the numbers."""
    if sentence.text(9).upper() == "N":  # the mode indicator of version 2.3: not valid
        return
    has_letters = sentence.text(2).upper() == "T"
    yield "course", sentence.number(1)
    yield "course_magnetic", sentence.number(3 if has_letters else 2)
    knots, kilometres = (5, 7) if has_letters else (3, 4)
    yield "speed", _first_speed(sentence, (knots, "N"), (kilometres, "K"))


def _vhw(sentence: Sentence) -> Found:
    yield "heading", sentence.number(1)
    yield "heading_magnetic", sentence.number(3)
    yield "water_speed", _first_speed(sentence, (5, "N"), (7, "K"))


def _dbt(sentence: Sentence) -> Found:
    yield "depth", sentence.number(3)


def _dpt(sentence: Sentence) -> Found:
    yield "depth", sentence.number(1)


def _first_speed(sentence: Sentence, *places: tuple[int, str]) -> Decimal | None:
    """Return the speed of the first of these fields that holds a number, each in its unit, in m/s."""
    amounts = ((sentence.number(number), unit) for number, unit in places)
    return next((speed(amount, unit) for amount, unit in amounts if amount is not None), None)


def _gll(sentence: Sentence) -> Found:
    if sentence.text(6).upper() in ("A", ""):  # version 1 had no status
        yield from _position(sentence, 1)


def _rmc(sentence: Sentence) -> Found:
    status, mode = sentence.text(2).upper(), sentence.text(12).upper()
    is_valid = status in ("A", "D") if status else mode in _VALID_MODES  # D, differential, of older receivers
    if is_valid:
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
    "VWR": _vwr,
    "VWT": _vwt,
    "MWD": _mwd,
    "MDA": _mda,
    "MTA": _mta,
    "MTW": _mtw,
    "MHU": _mhu,
    "MMB": _mmb,
    "XDR": _xdr,
    "RMC": _rmc,
    "GLL": _gll,
    "GGA": _gga,
    "VTG": _vtg,
    "HDT": _hdt,
    "HDM": _hdm,
    "HDG": _hdg,
    "ROT": _rot,
    "VHW": _vhw,
    "DBT": _dbt,
    "DPT": _dpt,
}


def _position(sentence: Sentence, first: int) -> Found:
    """Yield latitude and longitude of four fields, in degrees."""
    for name, limit, sides in (("latitude", 90, "NS"), ("longitude", 180, "EW")):
        number, side = sentence.number(first), sentence.text(first + 1).upper()
        first += 2
        if number is None or number < 0 or not side or side not in sides:
            continue
        degrees, minutes = divmod(number, 100)
        angle = (degrees + minutes / 60).quantize(_CENTIMETRES)
        if minutes < 60 and angle <= limit:
            yield name, angle if side == sides[0] else -angle
