"""The registers that are read, and the units they are brought to.

The unit comes with each value: all of a quantity are brought to one, but joules get a name of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from protocols.kamstrup_kmp.registers import Register
from protocols.toolkit.polling import Values


class Quantity(NamedTuple):
    """A value that meters can give: its register and the unit it is brought to."""

    register: int
    unit: str
    is_usual: bool = False


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "energy": Quantity(60, "Wh", is_usual=True),
    "volume": Quantity(68, "m³", is_usual=True),
    "volume_flow": Quantity(74, "m³/h", is_usual=True),
    "power": Quantity(80, "W", is_usual=True),
    "flow_temperature": Quantity(86, "°C", is_usual=True),
    "return_temperature": Quantity(87, "°C", is_usual=True),
    "temperature_difference": Quantity(89, "K", is_usual=True),
    "info_code": Quantity(99, "", is_usual=True),
    "cooling_energy": Quantity(63, "Wh"),
    "volume_2": Quantity(69, "m³"),
    "mass": Quantity(72, "t"),
    "mass_2": Quantity(73, "t"),
    "volume_flow_2": Quantity(75, "m³/h"),
    "pulse_input_a": Quantity(84, "m³"),
    "pulse_input_b": Quantity(85, "m³"),
    "temperature_3": Quantity(88, "°C"),
    "pressure_1": Quantity(91, "bar"),
    "pressure_2": Quantity(92, "bar"),
    "operating_hours": Quantity(1004, "h"),
}
UNITS: Final[Mapping[int, tuple[str, int]]] = {  # ours, and the power of ten that leads to it
    0: ("", 0),
    1: ("Wh", 0),
    2: ("Wh", 3),
    3: ("Wh", 6),
    4: ("Wh", 9),
    5: ("J", 0),
    6: ("J", 3),
    7: ("J", 6),
    8: ("J", 9),
    21: ("W", 0),
    22: ("W", 3),
    23: ("W", 6),
    24: ("W", 9),
    37: ("°C", 0),
    38: ("K", 0),
    39: ("m³", -3),
    40: ("m³", 0),
    41: ("m³/h", -3),
    42: ("m³/h", 0),
    44: ("t", 0),
    46: ("h", 0),
    51: ("", 0),
    52: ("bar", 0),
    55: ("m³", 1),
    56: ("t", 1),
    57: ("J", 10),
}
_OF_JOULE: Final = "_joule"


def values_of(names: Sequence[str], registers: Mapping[int, Register]) -> Values:
    """Return the values of these names; one in a unit of another quantity is left out."""
    values: Values = {}
    for name in names:
        quantity = QUANTITIES[name]
        register = registers.get(quantity.register)
        if register is None:
            continue
        unit, power = UNITS.get(register.unit, (None, 0))
        if unit == quantity.unit:
            values[name] = register.number(power)
        elif unit == "J" and quantity.unit == "Wh":
            values[name + _OF_JOULE] = register.number(power)
    return values


def units_of(names: Sequence[str]) -> dict[str, str]:
    """Return the unit of each value that these quantities may bring, or ""."""
    units = {name: QUANTITIES[name].unit for name in names}
    return units | {name + _OF_JOULE: "J" for name, unit in units.items() if unit == "Wh"}
