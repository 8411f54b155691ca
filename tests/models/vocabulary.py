"""One vocabulary for the keys of all models: what a value is called, its unit, and what it means.

    python -m tests.models.vocabulary       writes docs/keys.md from it

A key is a name of the list, with what tells it from its brothers behind it: a phase (`_l1`), two phases
(`_l12`), a tariff (`_t1`), a number (`_1`) or a word of PARTS (`battery_`, `max_`) before it. The other
protocols have keys of their own, from their specifications; where one has a name of this list it has its
unit, but for EXCEPTIONS. A new model takes the name that is here; a name that is missing is added here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PAGE: Final = Path("docs/keys.md")
_BEGIN: Final = "| key | unit | meaning |"

VOCABULARY: Final[Mapping[str, tuple[str, str]]] = {
    "absolute_humidity": ("g/m³", "of the air"),
    "active_power": ("W", "all phases; positive is drawn, of an inverter what it gives"),
    "air_flow": ("m³/h", "in a duct or through a fan"),
    "air_velocity": ("m/s", "in a duct or a room"),
    "alarm": ("", "a code or a state of the device"),
    "alarm_status": ("", "whether there is an alarm"),
    "alarms": ("", "bits, as the maker numbers them"),
    "apparent_power": ("VA", ""),
    "balancing": ("", "whether cells are balanced"),
    "battery_level_status": ("", "of the battery, as the maker numbers it"),
    "battery_power": ("W", "positive while it is charged"),
    "battery_status": ("", "of the battery, as the maker numbers it"),
    "battery_voltage": ("V", ""),
    "baud_code": ("", "the device's own number for its speed"),
    "buzzer": ("", "whether it sounds"),
    "carbon_monoxide": ("ppm", ""),
    "cell_voltage": ("V", "of the cell with that number"),
    "cell_voltage_difference": ("V", "between the highest and the lowest cell"),
    "cells": ("", "their number"),
    "channel": ("V", "of a voltage input with that number"),
    "charge_current": ("A", "into the battery"),
    "charge_enabled": ("", ""),
    "charge_energy": ("kWh", "into the battery"),
    "charge_energy_today": ("kWh", "into the battery since midnight"),
    "charge_power": ("W", "into the battery, never negative"),
    "charging_status": ("", "of a vehicle, as the maker numbers it"),
    "co2": ("ppm", ""),
    "co2_average": ("ppm", "over a time of the device"),
    "coil_temperature": ("°C", "of the heat exchanger of a fan coil"),
    "compressor_frequency": ("Hz", ""),
    "compressor_status": ("", "whether it runs"),
    "condenser_temperature": ("°C", ""),
    "conductivity": ("µS/cm", ""),
    "cp_status": ("", "of the control pilot of a charger"),
    "current": ("A", "of a battery: positive while it is charged"),
    "cycles": ("", "of charging"),
    "dc_link_voltage": ("V", "of a drive"),
    "device_address": ("", "the unit address that the device has"),
    "dew_or_frost_point": ("°C", "of the air; below 0 °C over ice"),
    "dew_or_frost_point_at_1_atm": ("°C", "at 1 atm instead of the pressure there"),
    "dew_point": ("°C", "of the air, over water"),
    "dew_point_at_1_atm": ("°C", "at 1 atm instead of the pressure there"),
    "dew_point_difference": ("°C", "temperature minus dew point"),
    "differential_pressure": ("Pa", "of the air between two points"),
    "discharge_enabled": ("", ""),
    "discharge_energy": ("kWh", "out of the battery"),
    "discharge_energy_today": ("kWh", "out of the battery since midnight"),
    "discharge_power": ("W", "out of the battery, never negative"),
    "discharge_temperature": ("°C", "of the gas behind the compressor"),
    "dissolved_oxygen": ("mg/L", "in water"),
    "dissolved_solids": ("mg/L", ""),
    "distance": ("mm", ""),
    "energy_flow": ("GJ/h", "heat in a liquid"),
    "energy_today": ("kWh", "given since midnight"),
    "engine_speed": ("rpm", ""),
    "engine_temperature": ("°C", ""),
    "engine_temperature_low": ("°C", "of a second sensor, with a lower range"),
    "enthalpy": ("kJ/kg", "of the air"),
    "error_status": ("", "the last error, as the maker numbers it"),
    "evaporator_temperature": ("°C", ""),
    "exchanger_efficiency": ("%", "of a heat exchanger"),
    "exchanger_extract_temperature": ("°C", "of the air from the rooms, at the exchanger"),
    "export_energy": ("kWh", "delivered to the grid"),
    "export_energy_today": ("kWh", "delivered to the grid since midnight"),
    "export_power": ("W", "delivered to the grid, never negative"),
    "extract_air_flow": ("m³/h", "of the air from the rooms"),
    "extract_air_humidity": ("%", "of the air from the rooms"),
    "extract_air_temperature": ("°C", "of the air from the rooms"),
    "extract_fan_level": ("%", "of the full speed"),
    "fan_level_status": ("", "as the maker numbers it"),
    "fan_speed": ("rpm", ""),
    "fan_status": ("", "whether it runs"),
    "filter_clogging": ("%", "of an air filter"),
    "flow": ("m³/h", "of a liquid"),
    "flow_temperature": ("°C", "of the water that goes out"),
    "frequency": ("Hz", "of the grid"),
    "frost_point": ("°C", "of the air, over ice"),
    "fuel_level": ("%", ""),
    "gas_flow": ("m³/h", "of a gas, as the device is set"),
    "general_status": ("", "a second state of the device, as the maker numbers it"),
    "heater_energy": ("kWh", "into an electrical heater"),
    "heater_power": ("W", "of an electrical heater"),
    "high_voltage_alarm": ("", ""),
    "hot_water_temperature": ("°C", "of the tank"),
    "humidity": ("%", "relative, of the air"),
    "illuminance": ("lx", ""),
    "import_energy": ("kWh", "drawn from the grid"),
    "import_energy_today": ("kWh", "drawn from the grid since midnight"),
    "import_power": ("W", "drawn from the grid, never negative"),
    "input": ("", "of an input with that number; its unit follows from how it is set"),
    "inverter_frequency": ("Hz", "of the inverter's own output"),
    "inverter_voltage": ("V", "of the inverter's own output"),
    "irradiance": ("W/m²", "of the sun"),
    "line_voltage": ("V", "between two phases"),
    "load_current": ("A", ""),
    "load_power": ("W", "of all that draws behind the inverter"),
    "load_status": ("", "of the output for loads"),
    "load_voltage": ("V", ""),
    "lock_status": ("", "whether the device is locked"),
    "low_voltage_alarm": ("", ""),
    "mass_flow": ("kg/h", "of a gas"),
    "methane": ("ppm", "of the gas, by volume"),
    "mixing_ratio": ("g/kg", "of water to dry air"),
    "mode_status": ("", "what the device does, as the maker numbers it"),
    "moisture": ("%", "of the soil, by volume"),
    "motor_current": ("A", ""),
    "motor_frequency": ("Hz", ""),
    "motor_power": ("%", "of the nominal power"),
    "motor_speed": ("rpm", ""),
    "motor_torque": ("%", "of the nominal torque"),
    "motor_voltage": ("V", ""),
    "nitrogen": ("mg/kg", "in the soil"),
    "noise": ("dB", ""),
    "oil_pressure": ("kPa", ""),
    "on_battery_time": ("s", "since the mains failed"),
    "outdoor_air_temperature": ("°C", "of the air that comes in"),
    "outdoor_temperature": ("°C", ""),
    "overheat_temperature": ("°C", "of the electrical heater"),
    "oxygen_saturation": ("%", "dissolved in water"),
    "par": ("µmol/m²s", "photosynthetically active radiation"),
    "permittivity": ("", "relative"),
    "ph": ("", ""),
    "phase_angle": ("°", "between current and voltage"),
    "phosphorus": ("mg/kg", "in the soil"),
    "pm1": ("µg/m³", "particles up to 1 µm"),
    "pm10": ("µg/m³", "particles up to 10 µm"),
    "pm2_5": ("µg/m³", "particles up to 2.5 µm"),
    "potassium": ("mg/kg", "in the soil"),
    "power": ("W", "of a device with direct current"),
    "power_factor": ("", "negative where the source has a sign for it"),
    "precipitation": ("", "whether rain or snow falls"),
    "pressure": ("hPa", "of the air"),
    "pv_current": ("A", "of one string: `pv1_current`"),
    "pv_power": ("W", "of all strings, or of one: `pv1_power`"),
    "pv_voltage": ("V", "of one string: `pv1_voltage`"),
    "rain_intensity": ("mm/h", ""),
    "rainfall": ("mm", "counted by the device, not since a time of day"),
    "ratio": ("", ""),
    "reactive_export_energy": ("kvarh", "delivered"),
    "reactive_import_energy": ("kvarh", "drawn"),
    "reactive_power": ("var", ""),
    "reactive_total_energy": ("kvarh", "both directions, as the device adds them"),
    "recent_rain": ("mm", "as the device counts it"),
    "relay": ("", "whether it is closed"),
    "remaining_capacity": ("Ah", ""),
    "return_temperature": ("°C", "of the water that comes back"),
    "room_air_temperature": ("°C", ""),
    "runtime": ("min", "that a battery will last"),
    "salinity": ("mg/L", ""),
    "sensor_temperature": ("°C", "of the sensor itself"),
    "session_energy": ("kWh", "since the vehicle came"),
    "setpoint": ("°C", "in force at the moment"),
    "snow": ("", "whether it is snow that falls"),
    "sound_speed": ("m/s", "in the liquid"),
    "standard_flow": ("m³/h", "of a gas, at standard conditions"),
    "state_of_charge": ("%", ""),
    "state_of_health": ("%", "of the battery"),
    "status": ("", "a state of the device, as the maker numbers it"),
    "suction_temperature": ("°C", "of the gas before the compressor"),
    "supply_air_flow": ("m³/h", "of the air to the rooms"),
    "supply_air_temperature": ("°C", "of the air to the rooms"),
    "supply_fan_level": ("%", "of the full speed"),
    "supply_voltage": ("V", "of the device itself"),
    "temperature": ("°C", "what the device is there for; otherwise its own"),
    "temperature_aux": ("°C", "of an additional sensor"),
    "temperature_difference": ("K", "flow minus return"),
    "thd": ("%", "total harmonic distortion of the voltage"),
    "thermometers": ("", "their number"),
    "total_energy": ("kWh", "both directions, as the device adds them; of an inverter all it ever gave"),
    "tvoc": ("ppb", "volatile organic compounds, as their sum"),
    "unfiltered_temperature": ("°C", "what the device is there for, as it is at the moment"),
    "uv_index": ("", ""),
    "vapour_pressure": ("mbar", "of water in the air"),
    "velocity": ("m/s", "of a liquid"),
    "voc_percent": ("%", "of volatile organic compounds, relative"),
    "voltage": ("V", "of a phase: against neutral"),
    "volume": ("m³", "that has passed, as the device counts it"),
    "water_activity": ("", "of an oil"),
    "water_content": ("ppm", "of the air, by volume"),
    "water_temperature": ("°C", "of the water that comes in"),
    "wet_bulb_temperature": ("°C", ""),
    "wind_chill": ("°C", ""),
    "wind_direction": ("°", "where it comes from, clockwise from north"),
    "wind_gust": ("m/s", ""),
    "wind_sector": ("", "0–15, clockwise from north"),
    "wind_speed": ("m/s", ""),
}
PARTS: Final = ("max", "min", "average", "battery", "grid")
EXCEPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("mbus", "pressure"): "bar: that of a liquid, as EN 13757-3 has it",
    ("womaster-es107", "salinity"): "mg/kg: of the soil, not of the water in it",
    ("womaster-es107", "dissolved_solids"): "mg/kg: of the soil, not of the water in it",
}
"""Protocol or model, and key → why its unit is another one."""
SYNONYMS: Final[Mapping[str, str]] = {
    "energy_import": "import_energy",
    "energy_export": "export_energy",
    "energy_total": "total_energy",
    "power_active": "active_power",
    "power_total": "active_power",
    "power_reactive": "reactive_power",
    "power_apparent": "apparent_power",
    "cos_phi": "power_factor",
    "co": "carbon_monoxide",
    "soc": "state_of_charge",
    "relative_humidity": "humidity",
    "air_temperature": "temperature",
    "soil_moisture": "moisture",
    "soil_temperature": "temperature",
    "total_yield": "total_energy",
    "daily_yield": "energy_today",
}
"""A name that no model may have → the one that it has."""

_ORDINAL: Final = re.compile(r"_(?:l[123]|l12|l23|l31|t[0-9]|[0-9]+)(?=_|$)|(?<=^pv)[0-9]+")


def family(key: str) -> str:
    """Return the name of a key without phases, tariffs and numbers."""
    return _ORDINAL.sub("", key)


def meaning(key: str) -> tuple[str, str] | None:
    """Return unit and meaning of a key; None if the vocabulary does not have it."""
    name = family(key)
    first, _, rest = name.partition("_")
    return VOCABULARY.get(key) or VOCABULARY.get(name) or (VOCABULARY.get(rest) if first in PARTS else None)


def table() -> str:
    """Return the vocabulary as the table of its page."""
    rows = [f"| `{key}` | {unit} | {words} |" for key, (unit, words) in sorted(VOCABULARY.items())]
    return "\n".join([_BEGIN, "|---|---|---|", *rows])


def main() -> None:
    """Write the table into the page."""
    head, _, _ = PAGE.read_text("utf-8").partition(_BEGIN)
    PAGE.write_text(head + table() + "\n", "utf-8")


if __name__ == "__main__":
    main()
