"""EN 13757-3: the meaning of a value information field (VIF) and its extensions (VIFE).

A VIF is a row of the primary table, or FB or FD, which name an extension table, with the row in the next
octet. The VIFE behind it are combinable (`vife`): each changes the name, the unit or the scale.

One name has one unit: prefixes and multiples of time are multiplied out (kWh are Wh, hours are s), and a
quantity in another unit has another name (`energy` in Wh, `energy_joule` in J). A code that the tables do not
have keeps its number as its name (`vif_fd7c`) and its value as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """The way in which the data of a quantity are read."""

    NUMBER = "number"
    UNSIGNED = "unsigned"  # bits, codes and identifications (types C and D)
    DATE = "date"
    DATE_TIME = "date and time"
    MANUFACTURER = "manufacturer"
    OPAQUE = "opaque"  # secrets, and what is no single value


@dataclass(frozen=True, slots=True)
class Quantity:
    """The quantity of a VIF: value = number × factor × 10^exponent, in `unit`."""

    name: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1
    kind: Kind = Kind.NUMBER


TIMES: Final = (1, 60, 3600, 86_400)  # s, min, h, d

# First code, how many, name, unit, exponent of the first, factor.
_PRIMARY: Final = (
    (0x00, 8, "energy", "Wh", -3, 1),
    (0x08, 8, "energy_joule", "J", 0, 1),
    (0x10, 8, "volume", "m³", -6, 1),
    (0x18, 8, "mass", "kg", -3, 1),
    (0x28, 8, "power", "W", -3, 1),
    (0x30, 8, "power_joule", "J/h", 0, 1),
    (0x38, 8, "volume_flow", "m³/h", -6, 1),
    (0x40, 8, "volume_flow", "m³/h", -7, 60),  # m³/min
    (0x48, 8, "volume_flow", "m³/h", -9, 3600),  # m³/s
    (0x50, 8, "mass_flow", "kg/h", -3, 1),
    (0x58, 4, "flow_temperature", "°C", -3, 1),
    (0x5C, 4, "return_temperature", "°C", -3, 1),
    (0x60, 4, "temperature_difference", "K", -3, 1),
    (0x64, 4, "external_temperature", "°C", -3, 1),
    (0x68, 4, "pressure", "bar", -3, 1),
    (0x6E, 1, "heat_cost_units", "", 0, 1),
)
_PRIMARY_TIMES: Final = (
    (0x20, "on_time"),
    (0x24, "operating_time"),
    (0x70, "averaging_duration"),
    (0x74, "actuality_duration"),
)
_PRIMARY_OTHERS: Final = {
    0x6C: Quantity("date", kind=Kind.DATE),
    0x6D: Quantity("date_time", kind=Kind.DATE_TIME),
    0x78: Quantity("fabrication_number", kind=Kind.UNSIGNED),
    0x79: Quantity("identification", kind=Kind.UNSIGNED),
    0x7A: Quantity("bus_address", kind=Kind.UNSIGNED),
}
_FB: Final = (
    (0x00, 2, "energy", "Wh", 5, 1),
    (0x02, 2, "reactive_energy", "varh", 3, 1),
    (0x04, 2, "apparent_energy", "VAh", 3, 1),
    (0x06, 1, "coefficient_of_performance", "", -1, 1),
    (0x08, 2, "energy_joule", "J", 8, 1),
    (0x0C, 4, "energy_calorie", "cal", 5, 1),
    (0x10, 2, "volume", "m³", 2, 1),
    (0x14, 4, "reactive_power", "var", 0, 1),
    (0x18, 2, "mass", "kg", 5, 1),
    (0x1A, 2, "relative_humidity", "%", -1, 1),
    (0x20, 1, "volume_cubic_feet", "ft³", 0, 1),
    (0x21, 1, "volume_cubic_feet", "ft³", -1, 1),
    (0x28, 2, "power", "W", 5, 1),
    (0x2A, 1, "phase_angle_voltage", "°", -1, 1),
    (0x2B, 1, "phase_angle_current", "°", -1, 1),
    (0x2C, 4, "frequency", "Hz", -3, 1),
    (0x30, 2, "power_joule", "J/h", 8, 1),
    (0x34, 4, "apparent_power", "VA", 0, 1),
    (0x58, 4, "flow_temperature_fahrenheit", "°F", -3, 1),
    (0x5C, 4, "return_temperature_fahrenheit", "°F", -3, 1),
    (0x60, 4, "temperature_difference_fahrenheit", "°F", -3, 1),
    (0x64, 4, "external_temperature_fahrenheit", "°F", -3, 1),
    (0x70, 4, "temperature_limit_fahrenheit", "°F", -3, 1),
    (0x74, 4, "temperature_limit", "°C", -3, 1),
    (0x78, 8, "power_cumulative_maximum", "W", -3, 1),
)
_FD: Final = (
    (0x00, 4, "credit", "", -3, 1),
    (0x04, 4, "debit", "", -3, 1),
    (0x28, 1, "storage_interval_months", "months", 0, 1),
    (0x29, 1, "storage_interval_years", "years", 0, 1),
    (0x31, 1, "tariff_duration", "s", 0, 60),
    (0x32, 1, "tariff_duration", "s", 0, 3600),
    (0x33, 1, "tariff_duration", "s", 0, 86_400),
    (0x38, 1, "tariff_period_months", "months", 0, 1),
    (0x39, 1, "tariff_period_years", "years", 0, 1),
    (0x3A, 1, "dimensionless", "", 0, 1),
    (0x40, 16, "voltage", "V", -9, 1),
    (0x50, 16, "current", "A", -12, 1),
    (0x68, 1, "duration_since_cumulation", "s", 0, 3600),
    (0x69, 1, "duration_since_cumulation", "s", 0, 86_400),
    (0x6A, 1, "duration_since_cumulation_months", "months", 0, 1),
    (0x6B, 1, "duration_since_cumulation_years", "years", 0, 1),
    (0x6C, 1, "battery_operating_time", "s", 0, 3600),
    (0x6D, 1, "battery_operating_time", "s", 0, 86_400),
    (0x6E, 1, "battery_operating_time_months", "months", 0, 1),
    (0x6F, 1, "battery_operating_time_years", "years", 0, 1),
    (0x71, 1, "rf_level", "dBm", 0, 1),
    (0x74, 1, "battery_remaining", "d", 0, 1),
)
_FD_TIMES: Final = (
    (0x24, "storage_interval"),
    (0x2C, "duration_since_readout"),
    (0x34, "tariff_period"),
    (0x3C, "transmission_period"),
)
_FD_UNSIGNED: Final = {
    0x08: ("access_number", ""),
    0x09: ("medium", ""),
    0x0B: ("parameter_set", ""),
    0x0C: ("model_version", ""),
    0x0D: ("hardware_version", ""),
    0x0E: ("firmware_version", ""),
    0x0F: ("software_version", ""),
    0x10: ("customer_location", ""),
    0x11: ("customer", ""),
    0x17: ("error_flags", ""),
    0x18: ("error_mask", ""),
    0x1A: ("digital_output", ""),
    0x1B: ("digital_input", ""),
    0x1C: ("baud_rate", "Bd"),
    0x1D: ("response_delay", "bit"),
    0x1E: ("retries", ""),
    0x1F: ("remote_control", ""),
    0x20: ("first_storage", ""),
    0x21: ("last_storage", ""),
    0x22: ("storage_block_size", ""),
    0x23: ("tariff_descriptor", ""),
    0x2A: ("operator_data", ""),
    0x2B: ("second", "s"),
    0x60: ("reset_counter", ""),
    0x61: ("cumulation_counter", ""),
    0x62: ("control_signal", ""),
    0x63: ("day_of_week", ""),
    0x64: ("week_number", ""),
    0x66: ("parameter_activation", ""),
    0x67: ("supplier_information", ""),
    0x75: ("stop_count", ""),
}
_FD_OTHERS: Final = {
    0x0A: Quantity("manufacturer_name", kind=Kind.MANUFACTURER),
    0x30: Quantity("tariff_start", kind=Kind.DATE_TIME),
    0x65: Quantity("day_change_time", kind=Kind.DATE_TIME),
    0x70: Quantity("battery_change", kind=Kind.DATE_TIME),
}
_FD_OPAQUE: Final = {
    0x12: "access_code_user",
    0x13: "access_code_operator",
    0x14: "access_code_system_operator",
    0x15: "access_code_developer",
    0x16: "password",
    0x19: "security_key",
    0x3B: "wireless_container",
    0x72: "daylight_saving",
    0x73: "listening_window",
    0x76: "manufacturer_container",
}
_FD_FD: Final = (
    (0x02, 1, "battery_remaining_months", "months", 0, 1),
    (0x03, 1, "battery_remaining_years", "years", 0, 1),
    (0x3E, 1, "moisture", "%", 0, 1),
)
_FIXED: Final = (
    (0x02, 9, "energy", "Wh", 0, 1),
    (0x0B, 9, "energy_joule", "J", 3, 1),
    (0x14, 9, "power", "W", 0, 1),
    (0x1D, 9, "power_joule", "J/h", 3, 1),
    (0x26, 9, "volume", "m³", -6, 1),
    (0x2F, 9, "volume_flow", "m³/h", -6, 1),
    (0x38, 1, "temperature", "°C", -3, 1),
    (0x39, 1, "heat_cost_units", "", 0, 1),
    (0x3F, 1, "counter", "", 0, 1),
)
_FIXED_OPAQUE: Final = {0x00: "clock", 0x01: "calendar"}  # digits of hours, minutes … in an unknown order
FIXED_STORED: Final = 0x3E  # the unit of the other counter, at a fixed date


def _rows(rows: tuple[tuple[int, int, str, str, int, int], ...]) -> Iterator[tuple[int, Quantity]]:
    for first, count, name, unit, exponent, factor in rows:
        for step in range(count):
            yield first + step, Quantity(name, unit, exponent + step, factor)


def _times(rows: tuple[tuple[int, str], ...]) -> Iterator[tuple[int, Quantity]]:
    for first, name in rows:
        for step, factor in enumerate(TIMES):
            yield first + step, Quantity(name, "s", factor=factor)


PRIMARY: Final[Mapping[int, Quantity]] = (
    dict(_rows(_PRIMARY)) | dict(_times(_PRIMARY_TIMES)) | _PRIMARY_OTHERS
)
FB: Final[Mapping[int, Quantity]] = dict(_rows(_FB))
FD: Final[Mapping[int, Quantity]] = (
    dict(_rows(_FD))
    | dict(_times(_FD_TIMES))
    | {code: Quantity(name, unit, kind=Kind.UNSIGNED) for code, (name, unit) in _FD_UNSIGNED.items()}
    | {code: Quantity(name, kind=Kind.OPAQUE) for code, name in _FD_OPAQUE.items()}
    | _FD_OTHERS
)
FD_FD: Final[Mapping[int, Quantity]] = dict(_rows(_FD_FD))
FIXED: Final[Mapping[int, Quantity]] = dict(_rows(_FIXED)) | {
    code: Quantity(name, kind=Kind.OPAQUE) for code, name in _FIXED_OPAQUE.items()
}
"""The units of the fixed data structure."""
