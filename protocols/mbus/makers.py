"""The VIF and VIFE that manufacturers define themselves, after FF, as far as they publish them.

    FF | quantity | …          as VIF: the quantity of the data (D9: frequency in 0.01 Hz)
    VIF | FF | detail | …      as VIFE: the phase of the quantity that the VIF names (81: L1)

The standard leaves all that follows an FF to the maker. ABB uses one octet and goes on with the standard's
own VIFE, the last of which tells whether there is a value at all (15: no data available).

ABB (A41–A44, B21–B24, DELTAplus): "B23/B24 User Manual" 2CMC485003M0201 and "A43/A44 User Manual"
2CMC48001M0201, chapter "Communication with M-Bus". What is counted stands in the unit number there: 0 and 1
are active import and export, 2 and 3 reactive, 4 and 5 apparent, each in the unit of its kind.

Codes of other makers after FF keep their numbers as their name (`voltage_manufacturer_01`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocols.mbus.vif import Kind, Quantity
from protocols.mbus.vife import Modifier


@dataclass(frozen=True, slots=True)
class Maker:
    """The codes of one manufacturer.

    Attributes:
        quantities: code after the VIF FF → its quantity.
        details: code after the VIFE FF → its effect.
        kinds: subunit → quantity → the quantity that is counted there instead.
    """

    quantities: Mapping[int, Quantity]
    details: Mapping[int, Modifier]
    kinds: Mapping[int, Mapping[str, Quantity]] = field(default_factory=dict)


_ABB_SCALED: Final = (  # first of eight codes, name, unit, exponent of the first
    (0x40, "phase_angle_voltage", "°", -3),
    (0x48, "phase_angle_current", "°", -3),
    (0x50, "phase_angle_power", "°", -3),
    (0x58, "frequency", "Hz", -3),
    (0x60, "power_factor", "", -3),
)
_ABB_NUMBERS: Final = {
    0x13: "active_tariff",
    0x17: "current_quadrant",
    0x18: "power_fails",
    0x20: "current_transformer_numerator",
    0x21: "voltage_transformer_numerator",
    0x22: "current_transformer_denominator",
    0x23: "voltage_transformer_denominator",
    0x26: "error_flags",
    0x27: "warning_flags",
    0x28: "information_flags",
    0x29: "alarm_flags",
    0x2A: "type_designation",
    0x2D: "measuring_elements",
    0x71: "energy_resets",
}
_ABB_DETAILS: Final = {  # L3–L2 and L1–L3 have the standard's names of the same voltages
    0x00: "",
    0x01: "l1",
    0x02: "l2",
    0x03: "l3",
    0x04: "neutral",
    0x05: "l1_l2",
    0x06: "l2_l3",
    0x07: "l3_l1",
    0x72: "resettable",
}
_REACTIVE: Final = {
    "energy": Quantity("reactive_energy", "varh"),
    "power": Quantity("reactive_power", "var"),
}
_APPARENT: Final = {
    "energy": Quantity("apparent_energy", "VAh"),
    "power": Quantity("apparent_power", "VA"),
}


def _abb_quantities() -> Iterator[tuple[int, Quantity]]:
    for first, name, unit, exponent in _ABB_SCALED:
        for step in range(8):
            yield first + step, Quantity(name, unit, exponent + step)
    for code, name in _ABB_NUMBERS.items():
        yield code, Quantity(name, kind=Kind.UNSIGNED)


MAKERS: Final[Mapping[str, Maker]] = {
    "ABB": Maker(
        dict(_abb_quantities()),
        {code: Modifier(suffix) for code, suffix in _ABB_DETAILS.items()},
        {2: _REACTIVE, 3: _REACTIVE, 4: _APPARENT, 5: _APPARENT},
    )
}
"""By the three letters of the manufacturer."""
UNKNOWN: Final = Maker({}, {})
QUANTITIES: Final = tuple(quantity for maker in MAKERS.values() for quantity in maker.quantities.values())
DETAILS: Final = tuple(
    detail for maker in MAKERS.values() for detail in maker.details.values() if detail.suffix
)
