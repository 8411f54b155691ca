"""6.2.4 GetRegister: what is asked, what is told, and the numbers in it.

    request   CID 10 | count n | register 2 × n                       up to eight
    reply     CID 10 | (register 2 | unit | octets m | sign and exponent | mantissa m) × n

A meter leaves out the registers that it does not have. Sign and exponent: bit 7 negates the number, bit 6 the
power of ten in the other six bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from protocols.kamstrup_kmp.frame import METER, content
from protocols.toolkit.framing import Direction, Frame

GET_REGISTER: Final = 0x10
MAX_REGISTERS: Final = 8  # of one request
USUAL_LENGTH: Final = 9  # octets of a register in a reply, its mantissa in four

_HEAD: Final = bytes((METER, GET_REGISTER))
_BEFORE_MANTISSA: Final = 5
_MOST_MANTISSA: Final = 8
_EXACT: Final = 2**53  # whole numbers below it are the same as floats


class Register(NamedTuple):
    """What a meter says of a register: mantissa × 10 to the exponent, in this unit."""

    unit: int
    mantissa: int
    exponent: int

    def number(self, power: int = 0) -> int | float:
        """Return the number, times ten to this power, with the shortest decimals that say it."""
        exponent = self.exponent + power
        if exponent >= 0:
            number: int = self.mantissa * 10**exponent
            if abs(number) < _EXACT:
                return number
        return float(f"{self.mantissa}e{exponent}")


def request(numbers: Sequence[int]) -> bytes:
    """Return the content of a request for these registers."""
    return _HEAD + bytes((len(numbers),)) + b"".join(number.to_bytes(2, "big") for number in numbers)


def reply(registers: Mapping[int, Register]) -> bytes:
    """Return the content of a reply with these registers."""
    return _HEAD + b"".join(
        number.to_bytes(2, "big") + _encoded(register) for number, register in registers.items()
    )


def numbers_asked(frame: Frame) -> list[int] | None:
    """Return the registers that a request asks for; None if it is none."""
    octets = content(frame)
    if frame.direction is not Direction.REQUEST or not octets.startswith(_HEAD):
        return None
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(3, len(octets) - 1, 2)]


def read(frame: Frame) -> dict[int, Register] | None:
    """Return the registers in a reply of a meter; None if it is none."""
    octets = content(frame)
    if frame.direction is not Direction.REPLY or not octets.startswith(_HEAD):
        return None
    data, registers = octets[2:], {}
    while data:
        if len(data) < _BEFORE_MANTISSA:
            return None
        unit, length, sign = data[2:_BEFORE_MANTISSA]
        end = _BEFORE_MANTISSA + length
        if not 0 < length <= _MOST_MANTISSA or len(data) < end:
            return None
        mantissa = int.from_bytes(data[_BEFORE_MANTISSA:end], "big")
        registers[int.from_bytes(data[:2], "big")] = Register(
            unit, -mantissa if sign & 0x80 else mantissa, -(sign & 0x3F) if sign & 0x40 else sign & 0x3F
        )
        data = data[end:]
    return registers


def _encoded(register: Register) -> bytes:
    sign = abs(register.exponent) | (0x40 if register.exponent < 0 else 0)
    sign |= 0x80 if register.mantissa < 0 else 0
    return bytes((register.unit, 4, sign)) + abs(register.mantissa).to_bytes(4, "big")
