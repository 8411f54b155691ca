"""EN 13757-3: the combinable VIFE, which modify the quantity that a VIF names.

FC goes before those of a second table, whose codes are written 7Cxx here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.mbus.vif import TIMES, Kind, Quantity

SECOND_TABLE: Final = 0x7C
MANUFACTURER: Final = 0x7F


@dataclass(frozen=True, slots=True)
class Modifier:
    """The effect of a combinable VIFE.

    Attributes:
        suffix: added to the name.
        per: added to the unit: "/h".
        quantity: replaces the quantity: a date, a duration or a count of the same thing.
        exponent: added to that of the quantity.
        is_unsigned: the data are unsigned.
        error: why there is no value, or "".
    """

    suffix: str = ""
    per: str = ""
    quantity: Quantity | None = None
    exponent: int = 0
    is_unsigned: bool = False
    error: str = ""


_ERRORS: Final = {
    0x01: "too many DIFE",
    0x02: "storage number not implemented",
    0x03: "unit number not implemented",
    0x04: "tariff number not implemented",
    0x05: "function not implemented",
    0x06: "data class not implemented",
    0x07: "data size not implemented",
    0x0B: "too many VIFE",
    0x0C: "illegal VIF group",
    0x0D: "illegal VIF exponent",
    0x0E: "VIF and DIF do not match",
    0x0F: "unimplemented action",
    0x15: "no data available",
    0x16: "data overflow",
    0x17: "data underflow",
    0x18: "data error",
    0x1C: "premature end of record",
}
_NOT_READ: Final = {  # codes that change the meaning of the data in a way that is not supported
    0x13: "an inverse compact profile",
    0x1E: "a compact profile with registers",
    0x1F: "a compact profile",
    0x3D: "in a unit that is not metric",
    0x3F: "an OBIS declaration",
    0x78: "with an additive constant",
    0x79: "with an additive constant",
    0x7A: "with an additive constant",
    0x7B: "with an additive constant",
    0x7C0D: "in a unit that is not metric",
}
_PER: Final = {
    0x20: ("per_second", "/s"),
    0x21: ("per_minute", "/min"),
    0x22: ("per_hour", "/h"),
    0x23: ("per_day", "/d"),
    0x24: ("per_week", "/week"),
    0x25: ("per_month", "/month"),
    0x26: ("per_year", "/year"),
    0x27: ("per_revolution", "/revolution"),
    0x28: ("per_input_pulse_0", "/pulse"),
    0x29: ("per_input_pulse_1", "/pulse"),
    0x2A: ("per_output_pulse_0", "/pulse"),
    0x2B: ("per_output_pulse_1", "/pulse"),
    0x2C: ("per_litre", "/l"),
    0x2D: ("per_cubic_metre", "/m³"),
    0x2E: ("per_kilogram", "/kg"),
    0x2F: ("per_kelvin", "/K"),
    0x30: ("per_kwh", "/kWh"),
    0x31: ("per_gigajoule", "/GJ"),
    0x32: ("per_kilowatt", "/kW"),
    0x33: ("per_kelvin_litre", "/(K·l)"),
    0x34: ("per_volt", "/V"),
    0x35: ("per_ampere", "/A"),
    0x36: ("times_second", "·s"),
    0x37: ("times_second_per_volt", "·s/V"),
    0x38: ("times_second_per_ampere", "·s/A"),
}
_SUFFIXES: Final = {
    0x12: "average",
    0x3A: "uncorrected",
    0x3B: "positive",
    0x3C: "negative",
    0x3E: "base_conditions",
    0x40: "lower_limit",
    0x48: "upper_limit",
    0x68: "during_lower_limit_exceed",
    0x69: "leakage",
    0x6C: "during_upper_limit_exceed",
    0x6D: "overflow",
    0x7E: "future",
    0x7C01: "l1",
    0x7C02: "l2",
    0x7C03: "l3",
    0x7C04: "neutral",
    0x7C05: "l1_l2",
    0x7C06: "l2_l3",
    0x7C07: "l3_l1",
    0x7C08: "q1",
    0x7C09: "q2",
    0x7C0A: "q3",
    0x7C0B: "q4",
    0x7C0C: "import_minus_export",
    0x7C0E: "secondary_sensor",
    0x7C0F: "high_resolution",
    0x7C10: "absolute",
    0x7C14: "to_meter",
    0x7C15: "from_meter",
}
_DATE: Final = Quantity("", kind=Kind.DATE_TIME)
_COUNT: Final = Quantity("", kind=Kind.UNSIGNED)
_FIRST_OR_LAST, _BEGIN_OR_END = {0: "first", 0x04: "last"}, {0: "begin", 0x01: "end"}
_LIMITS: Final = {0: "lower_limit", 0x08: "upper_limit"}


def _limits() -> Iterator[tuple[int, Modifier]]:
    """Yield the codes of limits.

    E100 u001: how often a limit was exceeded, E100 uf1b: from and until when, E101 ufnn: for how long.
    """
    for u, limit in _LIMITS.items():
        yield 0x41 | u, Modifier(f"{limit}_exceeds", quantity=_COUNT)
        for f, occurrence in _FIRST_OR_LAST.items():
            for b, end in _BEGIN_OR_END.items():
                yield 0x42 | u | f | b, Modifier(f"{limit}_{occurrence}_{end}", quantity=_DATE)
            for nn, factor in enumerate(TIMES):
                duration = Quantity("", "s", factor=factor)
                yield 0x50 | u | f | nn, Modifier(f"{limit}_{occurrence}_duration", quantity=duration)


def _events() -> Iterator[tuple[int, Modifier]]:
    """Yield the codes of events.

    E110 0fnn: for how long, E110 1f1b: from and until when; 39 and FC 13 likewise.
    """
    for f, occurrence in _FIRST_OR_LAST.items():
        for b, end in _BEGIN_OR_END.items():
            yield 0x6A | f | b, Modifier(f"{occurrence}_{end}", quantity=_DATE)
        for nn, factor in enumerate(TIMES):
            yield 0x60 | f | nn, Modifier(f"{occurrence}_duration", quantity=Quantity("", "s", factor=factor))
    yield 0x39, Modifier("start", quantity=_DATE)
    yield 0x7C13, Modifier("end", quantity=_DATE)


COMBINABLE: Final[Mapping[int, Modifier]] = (
    {0x00: Modifier(), 0x1D: Modifier(), 0x7D: Modifier(exponent=3)}
    | {0x70 + nnn: Modifier(exponent=nnn - 6) for nnn in range(8)}
    | {0x14: Modifier("relative_deviation", quantity=Quantity(""))}
    | {code: Modifier(error=error) for code, error in (_ERRORS | _NOT_READ).items()}
    | {code: Modifier(suffix, per=per) for code, (suffix, per) in _PER.items()}
    | {code: Modifier(suffix) for code, suffix in _SUFFIXES.items()}
    | {code: Modifier(is_unsigned=True) for code in (0x7C11, 0x7C12)}
    | dict(_limits())
    | dict(_events())
)
BY_SUFFIX: Final[Mapping[str, Modifier]] = {
    modifier.suffix: modifier for modifier in COMBINABLE.values() if modifier.suffix
}


def modifier(code: int) -> Modifier:
    """Return the effect of a combinable VIFE; an unknown code becomes a suffix with its number."""
    return COMBINABLE.get(code) or Modifier(f"vife_{code:02x}")
