"""NMEA 0183: speeds, pressures and temperatures in our units, whichever they are sent in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

METRES_PER_SECOND: Final[Mapping[str, Decimal]] = {  # K, M, N, S of a wind speed
    "K": Decimal(1000) / 3600,
    "M": Decimal(1),
    "N": Decimal(1852) / 3600,
    "S": Decimal("0.44704"),
}
_HECTOPASCALS: Final[
    Mapping[str, Decimal]
] = {  # of a pressure; the conventional columns of mercury as in NIST SP 811
    "B": Decimal(1000),
    "H": Decimal(1),
    "I": Decimal("33.86389"),
    "M": Decimal("1.333224"),
    "P": Decimal("0.01"),
}
_MILLIMETRES: Final = Decimal("0.001")
_HUNDREDTHS: Final = Decimal("0.01")


def speed(amount: Decimal | None, unit: str) -> Decimal | None:
    """Return a speed in m/s, to the millimetre where it is converted; None without amount or known unit."""
    factor = METRES_PER_SECOND.get(unit)
    if amount is None or factor is None:
        return None
    return amount if factor == 1 else (amount * factor).quantize(_MILLIMETRES)


def pressure(amount: Decimal | None, unit: str) -> Decimal | None:
    """Return a pressure in hPa, to the pascal where it is converted; None without amount or known unit."""
    factor = _HECTOPASCALS.get(unit)
    if amount is None or factor is None:
        return None
    return (amount * factor).quantize(_HUNDREDTHS) if unit in "IM" else amount * factor


def temperature(amount: Decimal | None, unit: str) -> Decimal | None:
    """Return a temperature in °C, from °F to the hundredth; None without amount or known unit."""
    if amount is None or unit not in ("C", "F", "K"):
        return None
    if unit == "F":
        return ((amount - 32) * 5 / 9).quantize(_HUNDREDTHS)
    return amount if unit == "C" else amount - Decimal("273.15")
