"""NMEA 0183: XDR, the sentence of any transducers: kind, value, unit and name of each.

A transducer is called by its kind and name, temperature_engine; by its kind and a number if it has no name,
temperature_1. Those that would be called alike are numbered from the second on: temperature_engine_2.

Quirks: a Vaisala WXT530 numbers its transducers from 0 for each kind, and sends wind speed as kind S, rain as
V, R and Z, which the standard has otherwise or not (WXT530 series user guide, transducer table).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, count
from typing import Final

from protocols.nmea0183.amounts import METRES_PER_SECOND, pressure, speed, temperature
from protocols.nmea0183.sentence import Sentence, decimal

_KINDS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {  # kind → its name, and its units
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
    "V": ("volume", {}),  # M: cubic metres, of a WXT530 millimetres of rain
    "Z": ("duration", {"S": "s"}),
}
_OTHER_KIND: Final = "transducer"
CONVERTED: Final[Mapping[str, tuple[str, Callable[[Decimal | None, str], Decimal | None]]]] = {
    "temperature": ("°C", temperature),
    "pressure": ("hPa", pressure),
    "speed": ("m/s", speed),
}
"""Kinds that are told in one unit, whichever they are sent in; without one of theirs they tell nothing."""


@dataclass(frozen=True, slots=True)
class Transducer:
    """A transducer of an XDR: our name for it, its value or None, and the unit of the value or ""."""

    name: str
    value: Decimal | None
    unit: str


def transducers(sentence: Sentence) -> Iterator[Transducer]:
    """Yield the transducers of an XDR, each of a whole group of four fields: kind, value, unit, name."""
    used_names: set[str] = set()
    for kind, amount, unit, name in zip(*[iter(sentence.fields)] * 4, strict=False):
        kind_name, units = _KINDS.get(kind, (f"{_OTHER_KIND}_{kind}", {}))
        if kind == "S" and unit in METRES_PER_SECOND:
            kind_name = "speed"
        value_name = _name(kind_name, name, used_names)
        used_names.add(value_name)
        value = decimal(amount)
        if kind_name in CONVERTED:
            converted_unit, convert = CONVERTED[kind_name]
            yield Transducer(value_name, convert(value, unit), converted_unit)
        else:
            yield Transducer(value_name, value, units.get(unit, unit))


def _name(kind: str, name: str, used_names: Container[str]) -> str:
    """Return our name for a transducer with this name, or with none; it is not among `used_names`."""
    kind, name = (re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") for text in (kind, name))
    stem = f"{kind}_{name}" if name else kind
    numbered = (f"{stem}_{number}" for number in count(2 if name else 1))
    return next(
        candidate for candidate in chain([stem] if name else [], numbered) if candidate not in used_names
    )


NAMES: Final = re.compile(
    rf"({'|'.join((*(name for name, _ in _KINDS.values()), 'speed', _OTHER_KIND))})(_[a-z0-9]+)+"
)
"""The form of a transducer's name."""
