"""Whether a value can be, for its unit: what no sensor measures is a mistake in the settings. Pure.

A wrong word order, type or address seldom fails: it gives a number. Such a number is often far from what its
unit can be, and a wrong word order makes floats of nearly any exponent: 1.6e-23 V, 6552.3 °C, 3.3 MHz where
the net has 50 Hz. The limits are wide on purpose, wider than any device: a doubt about a true value is worse
than none. A value in doubt is published as it was read; a doubt is said, and never acted on.
"""

from __future__ import annotations

from typing import Final

from protocols.toolkit.polling import Value

SMALLEST, LARGEST = 1e-9, 1e12
"""The magnitudes of a float that is not 0; floats made of other octets are spread over 1e-38 to 1e38."""

Range = tuple[float, float]

_POSSIBLE: Final[dict[str, Range]] = {
    "V": (-1e6, 1e6),  # the highest transmission voltages
    "A": (-1e6, 1e6),
    "W": (-1e11, 1e11),  # more than the largest power station
    "VA": (-1e11, 1e11),
    "var": (-1e11, 1e11),
    "Wh": (-4e12, 4e12),  # 32 bits of kWh are full at 4.3e12 Wh
    "VAh": (-4e12, 4e12),
    "varh": (-4e12, 4e12),
    "Ah": (-1e9, 1e9),
    "Hz": (-20e3, 20e3),  # a drive that turns the other way may say so with a sign
    "Pa": (-1.1e5, 1e10),
    "bar": (-1.1, 1e5),
    "°C": (-273.15, 3000.0),  # tungsten-rhenium thermocouples end at 2315 °C
    "°F": (-460.0, 5500.0),
    "K": (-500.0, 10_000.0),  # a difference may be negative; a heat meter without a sensor says 9999.99
    "%": (-500.0, 500.0),  # harmonic distortion of a current exceeds 100 %
    "°": (-720.0, 720.0),
    "ppm": (-1000.0, 1e6),
    "ppb": (-1e6, 1e9),
    "pH": (-3.0, 18.0),
    "m/s": (-1000.0, 1000.0),
    "lx": (-10.0, 1e6),
}
_LIKELY: Final[dict[str, Range]] = {
    "V": (0.01, 1e5),
    "A": (0.001, 1e4),
    "Hz": (0.1, 1000.0),
    "°C": (-60.0, 1000.0),
    "%": (-100.0, 120.0),
    "°": (-360.0, 360.0),
}
_LIKELY_MAGNITUDES: Final = (1e-3, 1e9)
_PREFIXES: Final = {"n": 1e-9, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9}
_SCALED: Final = frozenset({"V", "A", "W", "VA", "var", "Wh", "VAh", "varh", "Ah", "Hz", "Pa", "bar"})


def is_possible(value: Value, unit: str) -> bool:
    """Return whether a value can be, for its unit as the site has it ("kWh"); a text or a truth value can."""
    if isinstance(value, (str, bool)):
        return True
    if isinstance(value, float) and value and not SMALLEST <= abs(value) <= LARGEST:
        return False
    return _lies_in(value, unit, _POSSIBLE)


def is_likely(value: Value, unit: str) -> bool:
    """Return whether a value is what sensors with this unit usually tell: narrower than `is_possible`."""
    if isinstance(value, (str, bool)) or not is_possible(value, unit):
        return False
    if unit in _LIKELY:
        return _lies_in(value, unit, _LIKELY)
    return _LIKELY_MAGNITUDES[0] <= abs(value) <= _LIKELY_MAGNITUDES[1]


def _lies_in(value: float, unit: str, ranges: dict[str, Range]) -> bool:
    """Return whether a value lies in the range of its unit; it does in a unit without one."""
    factor = 1.0
    if unit not in ranges and unit[:1] in _PREFIXES and unit[1:] in _SCALED:
        factor, unit = _PREFIXES[unit[0]], unit[1:]
    low, high = ranges.get(unit, (-float("inf"), float("inf")))
    return low <= value * factor <= high
