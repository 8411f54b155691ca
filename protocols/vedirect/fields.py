"""VE.Direct text: the fields of a block, as the protocol's table of fields has them.

A value is a whole number in a small unit (mV, mA, ‰), ON or OFF, a number in hexadecimal digits, or a text.
"---" means that the device has no value, −1 that a time to go has no end: no value either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protocols.toolkit.polling import Value, Values

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}|0x[0-9A-Fa-f]{1,16}")
_SWITCH: Final = {"ON": True, "OFF": False}
_TEXT = 0  # as a divisor
_ENDLESS = "-1"


@dataclass(frozen=True, slots=True)
class Field:
    """A value that a device sends.

    Attributes:
        name: the key under which the value is published.
        unit: the unit of the value, or "".
        divide: the number on the wire is the value times this; 0: it is a text.
    """

    name: str
    unit: str = ""
    divide: int = 1

    def value(self, text: str) -> Value | None:
        """Return the value in a text; None if there is none."""
        if self.divide == _TEXT:
            return text or None
        if text in _SWITCH:
            return _SWITCH[text]
        if not _NUMBER.fullmatch(text) or (self.unit == "min" and text == _ENDLESS):
            return None
        number = int(text, 16 if text.startswith("0x") else 10)
        return number if self.divide == 1 else number / self.divide


FIELDS: Final[Mapping[str, Field]] = {
    "V": Field("voltage", "V", 1000),
    "V2": Field("voltage_2", "V", 1000),
    "V3": Field("voltage_3", "V", 1000),
    "VS": Field("auxiliary_voltage", "V", 1000),
    "VM": Field("midpoint_voltage", "V", 1000),
    "DM": Field("midpoint_deviation", "%", 10),
    "VPV": Field("panel_voltage", "V", 1000),
    "PPV": Field("panel_power", "W"),
    "I": Field("current", "A", 1000),
    "I2": Field("current_2", "A", 1000),
    "I3": Field("current_3", "A", 1000),
    "IL": Field("load_current", "A", 1000),
    "LOAD": Field("load"),
    "T": Field("temperature", "°C"),
    "P": Field("power", "W"),
    "CE": Field("consumed_charge", "Ah", 1000),
    "SOC": Field("state_of_charge", "%", 10),
    "TTG": Field("time_to_go", "min"),
    "Alarm": Field("alarm"),
    "Relay": Field("relay"),
    "AR": Field("alarm_reason"),
    "OR": Field("off_reason"),
    "WARN": Field("warning_reason"),
    "H1": Field("deepest_discharge", "Ah", 1000),
    "H2": Field("last_discharge", "Ah", 1000),
    "H3": Field("average_discharge", "Ah", 1000),
    "H4": Field("charge_cycles"),
    "H5": Field("full_discharges"),
    "H6": Field("drawn_charge", "Ah", 1000),
    "H7": Field("min_voltage", "V", 1000),
    "H8": Field("max_voltage", "V", 1000),
    "H9": Field("since_full_charge", "s"),
    "H10": Field("synchronizations"),
    "H11": Field("low_voltage_alarms"),
    "H12": Field("high_voltage_alarms"),
    "H13": Field("low_auxiliary_voltage_alarms"),
    "H14": Field("high_auxiliary_voltage_alarms"),
    "H15": Field("min_auxiliary_voltage", "V", 1000),
    "H16": Field("max_auxiliary_voltage", "V", 1000),
    "H17": Field("discharged_energy", "kWh", 100),
    "H18": Field("charged_energy", "kWh", 100),
    "H19": Field("yield_total", "kWh", 100),
    "H20": Field("yield_today", "kWh", 100),
    "H21": Field("max_power_today", "W"),
    "H22": Field("yield_yesterday", "kWh", 100),
    "H23": Field("max_power_yesterday", "W"),
    "ERR": Field("error"),
    "CS": Field("state"),
    "MPPT": Field("tracker_mode"),
    "MODE": Field("mode"),
    "MON": Field("monitor_mode"),
    "AC_OUT_V": Field("ac_output_voltage", "V", 100),
    "AC_OUT_I": Field("ac_output_current", "A", 10),
    "AC_OUT_S": Field("ac_output_power", "VA"),
    "DC_IN_V": Field("dc_input_voltage", "V", 100),
    "DC_IN_I": Field("dc_input_current", "A", 10),
    "DC_IN_P": Field("dc_input_power", "W"),
    "HSDS": Field("day_number"),
    "PID": Field("product_id", divide=_TEXT),
    "SER#": Field("serial_number", divide=_TEXT),
    "FW": Field("firmware", divide=_TEXT),
    "FWE": Field("firmware", divide=_TEXT),
    "BMV": Field("model", divide=_TEXT),
}
"""Label → its value. `decode` shows other labels too, but they are no values."""

UNITS: Final[Mapping[str, str]] = {field.name: field.unit for field in FIELDS.values()}


def values_of(block: Mapping[str, str]) -> Values:
    """Return the values of a block's fields, by the names under which they are published."""
    values: Values = {}
    for label, text in block.items():
        value = FIELDS[label].value(text) if label in FIELDS else None
        if value is not None:
            values[FIELDS[label].name] = value
    return values
