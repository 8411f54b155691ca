"""DL/T 645-2007 Annex A: data identifiers, and the encoding of their values.

An identifier has four octets, DI3 DI2 DI1 DI0, written as eight hexadecimal digits: 02010100 is the voltage
of phase A. The value follows it in BCD, lowest pair of digits first, in the format of the table:

    XXX.X       digits and decimals; where the table says so, the highest bit is a sign, 1 is negative
    NN…         digits that are a text: an address, a number on the label
    YYMMDDWW    a date (WW, the day of the week, is left out), hhmmss a time

This file has the present values of tables A.1, A.3 and A.5. A.2 (demand with its time), A.4 (events), load
records and blocks (FF) are no single values. Other identifiers can be written in site.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.toolkit.polling import Value

MAX_TARIFF: Final = 63

DATE: Final = "YYMMDDWW"
TIME: Final = "hhmmss"
_NUMBER = re.compile(r"X+(\.X+)?")
_TEXT = re.compile(r"(NN)+")


@dataclass(frozen=True, slots=True)
class Item:
    """A value of a meter.

    Attributes:
        name: the key under which the value is published.
        di: the data identifier, eight hexadecimal digits, DI3 first.
        format: the format, as in the table.
        unit: the unit of the value, or "".
        is_signed: the highest bit is a sign.
    """

    name: str
    di: str
    format: str
    unit: str = ""
    is_signed: bool = False

    @property
    def octets(self) -> int:
        """Return the number of octets of the value."""
        return len(self.format.replace(".", "")) // 2

    @property
    def identifier(self) -> bytes:
        """Return the identifier as it goes on the wire."""
        return bytes.fromhex(self.di)[::-1]

    def value(self, data: bytes) -> Value | None:
        """Return the value in these octets.

        None if their number is wrong, or if they are no digits: a meter without a value sends FF.
        """
        if len(data) != self.octets:
            return None
        is_negative = self.is_signed and data[-1] >= 0x80
        if is_negative:
            data = data[:-1] + bytes((data[-1] & 0x7F,))
        digits = data[::-1].hex()
        if not digits.isdecimal():
            return None
        if self.format == DATE:
            return f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}"
        if self.format == TIME:
            return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
        if _TEXT.fullmatch(self.format):
            return digits
        number = -int(digits) if is_negative else int(digits)
        decimals = len(self.format.partition(".")[2])
        return number / 10**decimals if decimals else number

    def encode(self, value: Value) -> bytes:
        """Return the octets of a value: the inverse of `value`, for numbers and texts.

        Raises:
            ValueError: the value does not fit the format.
        """
        if isinstance(value, str):
            digits = re.sub("[-:]", "", value).removeprefix("20" if self.format == DATE else "")
            digits = digits.ljust(2 * self.octets, "0")
            is_negative = False
        else:
            decimals = len(self.format.partition(".")[2])
            digits = str(abs(round(value * 10**decimals))).zfill(2 * self.octets)
            is_negative = value < 0
        if len(digits) != 2 * self.octets or is_negative > self.is_signed:
            raise ValueError(f"{value} does not fit {self.format}")
        octets = bytearray.fromhex(digits)[::-1]
        if self.is_signed and octets[-1] >= 0x80:
            raise ValueError(f"{value} does not fit {self.format} with a sign")
        octets[-1] |= 0x80 * is_negative
        return bytes(octets)


def is_format(text: str) -> bool:
    """Return whether a text is a format: whole octets of digits, a text, a date or a time."""
    is_whole = len(text.replace(".", "")) % 2 == 0
    return text in (DATE, TIME) or bool(is_whole and (_NUMBER.fullmatch(text) or _TEXT.fullmatch(text)))


_PHASES = {1: "a", 2: "b", 3: "c"}
_ENERGIES = (  # DI2 from 00 on: name, unit, signed (A.1, note 1)
    ("energy_combined", "kWh", True),
    ("energy_import", "kWh", False),
    ("energy_export", "kWh", False),
    ("reactive_energy_combined_1", "kvarh", True),
    ("reactive_energy_combined_2", "kvarh", True),
    ("reactive_energy_quadrant_1", "kvarh", False),
    ("reactive_energy_quadrant_2", "kvarh", False),
    ("reactive_energy_quadrant_3", "kvarh", False),
    ("reactive_energy_quadrant_4", "kvarh", False),
    ("apparent_energy_import", "kVAh", False),
    ("apparent_energy_export", "kVAh", False),
)
_PHASE_ENERGIES = ((0x15, "a"), (0x29, "b"), (0x3D, "c"))  # DI2 of import, the next one is export
_TOTALS_AND_PHASES = (  # DI2, name, format, unit; signed (A.3, notes 2 and 6)
    (0x03, "active_power", "XX.XXXX", "kW"),
    (0x04, "reactive_power", "XX.XXXX", "kvar"),
    (0x05, "apparent_power", "XX.XXXX", "kVA"),
    (0x06, "power_factor", "X.XXX", ""),
)
_OF_PHASES = (  # DI2, name, format, unit, signed (A.3, note 6)
    (0x01, "voltage", "XXX.X", "V", False),
    (0x02, "current", "XXX.XXX", "A", True),
    (0x07, "phase_angle", "XXX.X", "°", False),
    (0x08, "voltage_distortion", "XX.XX", "%", False),
    (0x09, "current_distortion", "XX.XX", "%", False),
)


def _a1() -> Iterator[Item]:
    for di2, (name, unit, is_signed) in enumerate(_ENERGIES):
        yield Item(name, f"00{di2:02X}0000", "XXXXXX.XX", unit, is_signed)
        for tariff in range(1, MAX_TARIFF + 1):
            yield Item(f"{name}_t{tariff}", f"00{di2:02X}{tariff:02X}00", "XXXXXX.XX", unit, is_signed)
    for di2, phase in _PHASE_ENERGIES:
        yield Item(f"energy_import_{phase}", f"00{di2:02X}0000", "XXXXXX.XX", "kWh")
        yield Item(f"energy_export_{phase}", f"00{di2 + 1:02X}0000", "XXXXXX.XX", "kWh")


def _a3() -> Iterator[Item]:
    for di2, name, form, unit, is_signed in _OF_PHASES:
        for di1, phase in _PHASES.items():
            yield Item(f"{name}_{phase}", f"02{di2:02X}{di1:02X}00", form, unit, is_signed)
    for di2, name, form, unit in _TOTALS_AND_PHASES:
        yield Item(name, f"02{di2:02X}0000", form, unit, True)
        for di1, phase in _PHASES.items():
            yield Item(f"{name}_{phase}", f"02{di2:02X}{di1:02X}00", form, unit, True)
    yield Item("neutral_current", "02800001", "XXX.XXX", "A", True)
    yield Item("frequency", "02800002", "XX.XX", "Hz")
    yield Item("active_demand", "02800004", "XX.XXXX", "kW", True)
    yield Item("reactive_demand", "02800005", "XX.XXXX", "kvar", True)
    yield Item("apparent_demand", "02800006", "XX.XXXX", "kVA", True)
    yield Item("temperature", "02800007", "XXX.X", "°C", True)  # note 3


def _a5() -> Iterator[Item]:
    yield Item("date", "04000101", DATE)
    yield Item("time", "04000102", TIME)
    yield Item("address", "04000401", "NN" * 6)
    yield Item("meter_number", "04000402", "NN" * 6)


ITEMS: Final[Mapping[str, Item]] = {item.name: item for table in (_a1, _a3, _a5) for item in table()}
BY_IDENTIFIER: Final[Mapping[str, Item]] = {item.di: item for item in ITEMS.values()}
