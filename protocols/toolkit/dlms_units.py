"""The unit codes of DLMS/COSEM (IEC 62056-6-2, table of enumerated units), which SML shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# fmt: off
_FROM_1: Final = (
    "a", "mo", "wk", "d", "h", "min", "s", "°", "°C", "currency",
    "m", "m/s", "m³", "m³", "m³/h", "m³/h", "m³/d", "m³/d", "l", "kg",
    "N", "Nm", "Pa", "bar", "J", "J/h", "W", "VA", "var", "Wh",
    "VAh", "varh", "A", "C", "V", "V/m", "F", "Ω", "Ωm", "Wb",
    "T", "A/m", "H", "Hz", "1/Wh", "1/varh", "1/VAh", "V²h", "A²h", "kg/s",
    "S", "K", "1/V²h", "1/A²h", "1/m³", "%", "Ah",
)
# fmt: on
COUNT: Final = 255

UNITS: Final[Mapping[int, str]] = dict(enumerate(_FROM_1, 1)) | {
    60: "Wh/m³",
    61: "J/m³",
    62: "mol%",
    63: "g/m³",
    64: "Pa s",
    65: "J/kg",
    70: "dBm",
    71: "dBµV",
    72: "dB",
    COUNT: "",
}
"""Code → unit. Volumes stand twice: as measured, and converted to base conditions."""
