"""OBIS codes: what a meter calls its values, and what we call the usual ones.

Spec: IEC 62056-61 (electricity) and EN 13757-1 (gas, water, heat).

    A-B:C.D.E*F      medium - channel : quantity . kind of value . tariff * billing period
    1-0:1.8.2*255    electricity: active energy drawn, tariff 2, now

Meters leave out what goes without saying: A-B (electricity, no channel), *255 (now), now and then E. C and D
are letters in general codes: C.1.0, F.F. A billing period stands behind & where it was closed by hand.

Here are the values that meters are read for; all others go by their code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

NOW: Final = 255
_NOT_USED: Final = 255  # in group E

ELECTRICITY: Final = 1
HEAT: Final = 6
GAS: Final = 7
COLD_WATER: Final = 8
HOT_WATER: Final = 9

MAX_TARIFF: Final = 63
_TARIFFED = (6, 8)  # D: a maximum, an energy
_LETTERS = {"C": 96, "F": 97, "L": 98, "P": 99}
_NUMBERS = {number: letter for letter, number in _LETTERS.items()}
_GROUP = r"(\d{1,3}|[CFLP])"
_CODE = re.compile(rf"(?:(\d{{1,3}})-(\d{{1,3}}):)?{_GROUP}\.{_GROUP}(?:\.(\d{{1,3}}))?(?:[*&](\d{{1,3}}))?")
_NUMBER = re.compile(r" *([+-]?\d{1,16}(?:[.,]\d{1,12})?) *")


class Code(NamedTuple):
    """An OBIS code in its six groups; None where the meter leaves a group out."""

    a: int | None
    b: int | None
    c: int
    d: int
    e: int | None
    f: int = NOW

    def __str__(self) -> str:
        """Return the code as it is written: the groups that are present, the billing period if not now."""
        medium = "" if self.a is None else f"{self.a}-{self.b}:"
        c, d = ((_NUMBERS.get(group, group) if self.a is None else group) for group in (self.c, self.d))
        tariff = "" if self.e is None else f".{self.e}"
        period = "" if self.f == NOW else f"*{self.f}"
        return f"{medium}{c}.{d}{tariff}{period}"


class Quantity(NamedTuple):
    """A quantity: our name for it, and the unit of its values."""

    name: str
    unit: str


def parse(text: str) -> Code | None:
    """Return the code in a text; None if it is none."""
    match = _CODE.fullmatch(text)
    if match is None:
        return None
    a, b, c, d, e, f = (_LETTERS.get(group) or int(group) if group else None for group in match.groups())
    return None if c is None or d is None else Code(a, b, c, d, e, NOW if f is None else f)


def tariff_of(code: Code) -> int:
    """Return the tariff that group E stands for; 0, the total, where it is left out or 255, "not used"."""
    return 0 if code.e in (None, _NOT_USED) else code.e or 0


def quantity(code: Code) -> Quantity | None:
    """Return the quantity of a code, whatever its channel; None if it is not a usual one."""
    if code.f != NOW:
        return None
    medium = ELECTRICITY if code.a is None else code.a
    tariff = tariff_of(code)
    known_quantity = QUANTITIES.get((medium, code.c, code.d, tariff))
    if known_quantity is None and medium == ELECTRICITY and code.d in _TARIFFED and tariff <= MAX_TARIFF:
        total = QUANTITIES.get((medium, code.c, code.d, 0))
        known_quantity = total and Quantity(f"{total.name}_t{tariff}", total.unit)
    return known_quantity


def unit_of(name: str) -> str | None:
    """Return the unit of the value of this name, "" if it has none; None if there is no such value."""
    total, _, tariff = name.rpartition("_t")
    is_tariff = total in WITH_TARIFFS and tariff.isdecimal() and 1 <= int(tariff) <= MAX_TARIFF
    return UNITS.get(total if is_tariff else name)


def number(text: str) -> Decimal | None:
    """Return the number in a text, with a decimal point or comma; None if it is none."""
    match = _NUMBER.fullmatch(text)
    return match and Decimal(match[1].replace(",", "."))


def in_unit(number: Decimal, unit: str, target: str) -> int | float | None:
    """Return the amount in another unit; None if the units differ by more than a power of ten.

    Whole numbers stay whole, and no digit is made up: 2.027 kW are 2027 W.
    """
    base, power = _UNITS.get(unit, (unit, 0))
    target_base, target_power = _UNITS.get(target, (target, 0))
    return plain(number.scaleb(power - target_power)) if base == target_base else None


def plain(number: Decimal) -> int | float:
    """Return a decimal as a value: an int if it has no decimals."""
    exponent = number.as_tuple().exponent
    return float(number) if isinstance(exponent, int) and exponent < 0 else int(number)


@dataclass(frozen=True, slots=True)
class _Flow:
    """The flow that group C counts, in one direction: active, reactive or apparent."""

    name: str
    unit: str
    power: str  # its name at a moment


_FLOWS: Final[Mapping[int, _Flow]] = {
    1: _Flow("import", "W", "import_power"),
    2: _Flow("export", "W", "export_power"),
    3: _Flow("reactive_import", "var", "reactive_import_power"),
    4: _Flow("reactive_export", "var", "reactive_export_power"),
    5: _Flow("reactive_quadrant_1", "var", "reactive_quadrant_1_power"),
    6: _Flow("reactive_quadrant_2", "var", "reactive_quadrant_2_power"),
    7: _Flow("reactive_quadrant_3", "var", "reactive_quadrant_3_power"),
    8: _Flow("reactive_quadrant_4", "var", "reactive_quadrant_4_power"),
    9: _Flow("apparent_import", "VA", "apparent_power"),
    10: _Flow("apparent_export", "VA", "apparent_export_power"),
    15: _Flow("total", "W", "total_power"),  # both directions added
    16: _Flow("net", "W", "active_power"),  # import less export
}
_MOMENTS: Final[Mapping[int, Quantity]] = {
    11: Quantity("current", "A"),
    12: Quantity("voltage", "V"),
    13: Quantity("power_factor", ""),
    14: Quantity("frequency", "Hz"),
}
_MEANS: Final = {11: 4, 12: 24}  # C → D of the mean over the running measurement period that meters send
_ANGLES: Final[Mapping[int, str]] = {  # E of 81.7.E: which one, against which
    1: "voltage_angle_l2",
    2: "voltage_angle_l3",
    4: "phase_angle_l1",
    15: "phase_angle_l2",
    26: "phase_angle_l3",
}
_PHASES: Final = {0: "", 20: "_l1", 40: "_l2", 60: "_l3"}  # what is added to C
_OF_OTHERS: Final[Mapping[tuple[int, int, int, int], Quantity]] = {
    (HEAT, 1, 0, 0): Quantity("energy", "kWh"),
    (HEAT, 2, 0, 0): Quantity("volume", "m³"),
    (HEAT, 8, 0, 0): Quantity("power", "W"),
    (HEAT, 9, 0, 0): Quantity("flow", "m³/h"),
    (HEAT, 10, 0, 0): Quantity("flow_temperature", "°C"),
    (HEAT, 11, 0, 0): Quantity("return_temperature", "°C"),
    (HEAT, 12, 0, 0): Quantity("temperature_difference", "K"),
    (GAS, 3, 0, 0): Quantity("volume", "m³"),  # as measured, not converted to base conditions
    (COLD_WATER, 1, 0, 0): Quantity("volume", "m³"),
    (COLD_WATER, 2, 0, 0): Quantity("flow", "m³/h"),
    (HOT_WATER, 1, 0, 0): Quantity("volume", "m³"),
    (HOT_WATER, 2, 0, 0): Quantity("flow", "m³/h"),
}


def _flow_quantities() -> Iterator[tuple[tuple[int, int], Quantity]]:
    """Yield groups C and D with their quantity, for all flows and their phases."""
    for shift, phase in _PHASES.items():
        for c, flow in _FLOWS.items():
            yield (c + shift, 4), Quantity(f"{flow.name}_demand{phase}", flow.unit)
            yield (c + shift, 6), Quantity(f"{flow.name}_demand_max{phase}", flow.unit)
            yield (c + shift, 7), Quantity(f"{flow.power}{phase}", flow.unit)
            yield (c + shift, 8), Quantity(f"{flow.name}_energy{phase}", f"k{flow.unit}h")


def _electricity() -> Iterator[tuple[tuple[int, int, int], Quantity]]:
    for (c, d), flow_quantity in _flow_quantities():
        yield (c, d, 0), flow_quantity
    for shift, phase in _PHASES.items():
        for c, (name, unit) in _MOMENTS.items():
            yield (c + shift, 7, 0), Quantity(name + phase, unit)
            if c in _MEANS:
                yield (c + shift, _MEANS[c], 0), Quantity(f"{name}_mean{phase}", unit)
        if phase:
            yield (12 + shift, 32, 0), Quantity(f"voltage_sags{phase}", "")
            yield (12 + shift, 36, 0), Quantity(f"voltage_swells{phase}", "")
    yield (90, 7, 0), Quantity("total_current", "A")
    yield (91, 7, 0), Quantity("neutral_current", "A")
    for e, name in _ANGLES.items():
        yield (81, 7, e), Quantity(name, "°")


QUANTITIES: Final[Mapping[tuple[int, int, int, int], Quantity]] = {
    **{(ELECTRICITY, *groups): electrical for groups, electrical in _electricity()},
    **_OF_OTHERS,
}
"""Groups A, C, D, E → quantity: for maxima and energies the total; a tariff has `_t1` … behind its name."""

UNITS: Final[Mapping[str, str]] = dict(QUANTITIES.values())
"""Every name with its unit, but for the tariffs."""

WITH_TARIFFS: Final = frozenset(
    tariffed.name for (a, _, d, _), tariffed in QUANTITIES.items() if a == ELECTRICITY and d in _TARIFFED
)
"""The names that may have `_t1` … behind them."""

SELECTABLE: Final = re.compile(
    rf"({'|'.join(sorted(WITH_TARIFFS))})_t([1-9]|[1-5]\d|6[0-3])"
    r"|\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(\*\d{1,3})?"
)
"""What can be selected beside `UNITS` where a meter sends whole codes: a tariff's value, or a code."""

_SPELLINGS: Final[Mapping[str, Sequence[str]]] = {  # meters do not agree on how a var is written
    "var": ("var", "Var", "VAr", "VAR"),
    "varh": ("varh", "Varh", "VArh", "VARh", "VARH"),
    "VA": ("VA", "va"),
    "VAh": ("VAh", "vah", "VAH"),
    "W": ("W",),
    "Wh": ("Wh", "WH"),
    "J": ("J",),
    "V": ("V",),
    "A": ("A",),
    "Hz": ("Hz",),
}
_UNITS: Final[Mapping[str, tuple[str, int]]] = {  # unit → the unit without its prefix, and the power of ten
    f"{prefix}{spelling}": (base, power)
    for base, spellings in _SPELLINGS.items()
    for spelling in spellings
    for prefix, power in {"m": -3, "": 0, "k": 3, "K": 3, "M": 6, "G": 9}.items()
} | {
    "m3": ("m³", 0),
    "m3/h": ("m³/h", 0),
    "l": ("m³", -3),
    "l/h": ("m³/h", -3),
    "C": ("°C", 0),
    "deg": ("°", 0),
}
