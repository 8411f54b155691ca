"""Plausible values that change over time, and the registers that say them.

A value follows from its register, its seed and the time alone, so a run can be repeated. `words` is the
inverse of `Register.value`: the test reads back what it wrote.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from protocols.modbus.registers import ORDERS, TYPES, Register
from protocols.toolkit.polling import Value


@dataclass(frozen=True, slots=True)
class _Shape:
    """The course of a quantity: a swing about a centre, and a rise per second."""

    centre: float
    swing: float
    period_s: float
    rise_per_s: float = 0.0


_BY_UNIT: Mapping[str, _Shape] = {
    "V": _Shape(230, 4, 300),
    "A": _Shape(5, 3, 90),
    "W": _Shape(1150, 690, 90),
    "kW": _Shape(1.15, 0.69, 90),
    "VA": _Shape(1200, 700, 90),
    "kVA": _Shape(1.2, 0.7, 90),
    "var": _Shape(180, 90, 90),
    "kvar": _Shape(0.18, 0.09, 90),
    "Hz": _Shape(50, 0.04, 60),
    "kWh": _Shape(4821, 0, 1, 1.15 / 3600),
    "Wh": _Shape(4_821_000, 0, 1, 1150 / 3600),
    "kvarh": _Shape(612, 0, 1, 0.18 / 3600),
    "m³": _Shape(371, 0, 1, 1 / 3600),
    "°C": _Shape(21, 4, 600),
    "%": _Shape(52, 11, 600),
    "bar": _Shape(1.8, 0.3, 240),
    "hPa": _Shape(1013, 6, 3600),
    "ppm": _Shape(620, 180, 900),
    "lx": _Shape(400, 250, 900),
    "s": _Shape(86_400, 0, 1, 1),
    "h": _Shape(2_190, 0, 1, 1 / 3600),
}
_BY_NAME: Mapping[str, _Shape] = {
    "factor": _Shape(0.95, 0.03, 120),
    "energy": _Shape(4821, 0, 1, 1.15 / 3600),
    "total": _Shape(4821, 0, 1, 0.1),
}
_ANY = _Shape(50, 30, 180)
_DECIMALS = 3  # a float32 meter that shows all its digits is hard to read


@dataclass(frozen=True, slots=True)
class Waveform:
    """One value over time."""

    register: Register
    shape: _Shape
    phase: float

    @classmethod
    def of(cls, register: Register, seed: str) -> Waveform:
        """Return the waveform that fits a register by its unit, else by its name."""
        by_name = (shape for word, shape in _BY_NAME.items() if word in register.name)
        shape = _BY_UNIT.get(register.unit) or next(by_name, _ANY)
        phase = random.Random(f"{seed}/{register.name}").uniform(0, math.tau)  # noqa: S311 - no secret
        return cls(register, shape, phase)

    def at(self, seconds: float) -> Value:
        """Return the register's value at that time, in its own unit."""
        register, turn = self.register, math.tau * seconds / self.shape.period_s + self.phase
        wave = 0.8 * math.sin(turn) + 0.2 * math.sin(7.3 * turn)
        if register.enum:
            numbers = sorted(register.enum)
            return register.enum[numbers[round((wave + 1) / 2 * (len(numbers) - 1))]]
        if register.type == "bit" or register.bit is not None:
            return wave > 0
        if register.type not in TYPES:
            return "simulated"
        value = self.shape.centre + self.shape.swing * wave + self.shape.rise_per_s * seconds
        low, high = _range(register)
        return round(value if low <= value <= high else low + (high - low) * (0.5 + 0.3 * wave), _DECIMALS)


def words(register: Register, value: Value, before: bytes = b"") -> bytes:
    """Return the octets of a register that holds a value, as near as its type can.

    Args:
        register: where it stands and what it means; not in a table of bits.
        value: in the register's own terms: scaled, or the text of an enum.
        before: the octets of its words, kept where the register has only some of the bits; zeros if omitted.
    """
    if register.type not in TYPES:
        return str(value).encode()[: 2 * register.words].ljust(2 * register.words, b"\0")
    numbers = {text: number for number, text in register.enum.items()}
    raw: int | Fraction = numbers[value] if value in numbers else _unscaled(register, float(value))
    kind = TYPES[register.type]
    if kind.code is not None and not kind.is_integer:
        return _ordered(struct.pack(f">{kind.code}", float(raw)), register.order)
    whole = round(raw)
    if register.bit is not None or register.mask is not None:
        mask = 1 << register.bit if register.bit is not None else register.mask or 0
        word = int.from_bytes(_ordered(before, register.order), "big")
        whole = word & ~mask | whole * (mask & -mask) & mask
        return _ordered(whole.to_bytes(2 * register.words, "big"), register.order)
    while whole in register.invalid:
        whole -= 1
    if kind.octets < 2 * register.words:
        beside = _ordered(before or bytes(2 * register.words), register.order)[: -kind.octets]
        return _ordered(beside + struct.pack(f">{kind.code}", whole), register.order)
    if kind.code is None:  # BCD
        return _ordered(bytes.fromhex(f"{whole:0{4 * register.words}}"), register.order)
    return _ordered(struct.pack(f">{kind.code}", whole), register.order)


def _unscaled(register: Register, value: float) -> Fraction:
    return (
        (Fraction(value) - Fraction(register.offset))
        * Fraction(register.divide)
        / Fraction(register.multiply)
    )


def _range(register: Register) -> tuple[float, float]:
    """Return the least and the greatest value that a register's type can hold and its limits allow."""
    kind = TYPES[register.type]
    bits = 8 * kind.octets
    if register.mask is not None:
        low, high = 0.0, float(register.mask // (register.mask & -register.mask))
    elif kind.code is None:
        low, high = 0.0, float(10 ** (4 * register.words) - 1)
    elif not kind.is_integer:
        low, high = -1e30, 1e30
    else:
        low, high = (
            (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if kind.code.islower() else (0.0, 2.0**bits - 1)
        )
    factor = register.multiply / register.divide
    ends = sorted((low * factor + register.offset, high * factor + register.offset))
    least, most = register.min, register.max
    return (
        ends[0] if least is None else max(ends[0], least),
        ends[1] if most is None else min(ends[1], most),
    )


def _ordered(octets: bytes, order: str) -> bytes:
    """Reorder octets from most significant first into a register's order, or back."""
    words_reversed, octets_reversed = ORDERS[order]
    pairs = [octets[at : at + 2][:: -1 if octets_reversed else 1] for at in range(0, len(octets), 2)]
    return b"".join(reversed(pairs) if words_reversed else pairs)
