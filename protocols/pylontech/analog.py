"""3.5 Analog value: what a battery measures.

    request 42        info: the number of the battery
    reply, RTN 00     info: flag | battery | cells m | voltage 2 × m | thermometers n | temperature 2 × n |
                      current 2 | voltage 2 | remaining 2 | 2 or 4 | capacity 2 | cycles 2 |
                      remaining 3 | capacity 3                      these two behind a 4

Voltages are in mV, temperatures in 0.1 K, the current in 0.1 A, positive while charging; capacities in mAh:
FFFF in two octets means that they stand in three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from construct import Array, Byte, Int16sb, Int16ub, Int24ub, Optional, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.protocol import Fields

COMMAND: Final = 0x42
UNITS: Final[Mapping[str, str]] = {
    "voltage": "V",
    "current": "A",
    "state_of_charge": "%",
    "remaining_capacity": "Ah",
    "nominal_capacity": "Ah",
    "cycles": "",
    "temperatures": "°C",
    "cell_voltages": "V",
}
LAYOUT: Final = "analog value" / Struct(
    "flag" / Byte,
    "battery" / Byte,
    "cells" / Byte,
    "cell_voltages" / Array(this.cells, Int16ub),
    "thermometers" / Byte,
    "temperatures" / Array(this.thermometers, Int16ub),
    "current" / Int16sb,
    "voltage" / Int16ub,
    "remaining" / Int16ub,
    "items" / Byte,
    "total" / Int16ub,
    "cycles" / Int16ub,
    "remaining_long" / Optional(Int24ub),
    "total_long" / Optional(Int24ub),
)
_SHORTEST: Final = 15  # octets of an analog value without cells and thermometers
_LONG: Final = 4  # items, where the capacities stand in three octets
_ICE: Final = 2731
_NO_WORD: Final = 0xFFFF


def read(info: bytes) -> Fields:
    """Return what an analog value says; nothing if this is none, as its length tells."""
    if len(info) < _SHORTEST:
        return {}
    words = 2 * info[2]
    if len(info) < _SHORTEST + words:
        return {}
    words += 2 * info[3 + words]
    lengths = (_SHORTEST + words, _SHORTEST + words + 6)
    if len(info) not in lengths or (info[_SHORTEST + words - 5] == _LONG) != (len(info) == lengths[1]):
        return {}
    fields = layout.parse(LAYOUT, info)
    remaining, total = fields["remaining"], fields["total"]
    if fields["remaining_long"] is not None and _NO_WORD in (remaining, total):
        remaining, total = fields["remaining_long"], fields["total_long"]
    analog: Fields = {
        "battery": fields["battery"],
        "voltage": fields["voltage"] / 1000,
        "current": fields["current"] / 10,
        "cycles": fields["cycles"],
        "cell_voltages": [raw / 1000 for raw in fields["cell_voltages"]],
        "temperatures": [(raw - _ICE) / 10 for raw in fields["temperatures"]],
    }
    if _NO_WORD not in (remaining, total) and total:
        analog |= {"remaining_capacity": remaining / 1000, "nominal_capacity": total / 1000}
        analog["state_of_charge"] = round(100 * remaining / total, 1)
    return analog
