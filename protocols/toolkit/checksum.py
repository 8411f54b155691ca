"""Checksums, by the names the specifications give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final
from zlib import adler32

from fastcrc import crc8, crc16, crc32

# Modbus over Serial Line V1.02 §2.5.1.2. Low byte first on the wire, so that over a whole frame it is 0.
crc16_modbus: Final = crc16.modbus

# CRC-16/X-25, the frame check of HDLC. Low byte first on the wire.
crc16_x25: Final = crc16.ibm_sdlc

# CRC-16/Kermit: the same polynomial, begun with 0 and not inverted.
crc16_kermit: Final = crc16.kermit


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum algorithm.

    Attributes:
        size: octets that it takes in a frame.
        of: the number that checks these octets.
    """

    size: int
    of: Callable[[bytes], int]


_SUMMED = 256  # octets at once: their sum and 1 stay below 65521, the modulus of Adler-32
_FEW = 32  # octets that are xored sooner one by one


def _sum(data: bytes) -> int:
    """Return the sum of the octets, from the low half of Adler-32 (sum + 1), which is ten times as fast."""
    if len(data) <= _SUMMED:
        return (adler32(data) & 0xFFFF) - 1
    return sum((adler32(data[at : at + _SUMMED]) & 0xFFFF) - 1 for at in range(0, len(data), _SUMMED))


def _sum8(data: bytes) -> int:
    return _sum(data) & 0xFF


def _sum8_twos(data: bytes) -> int:
    return -_sum(data) & 0xFF


def _sum8_inverted(data: bytes) -> int:
    return ~_sum(data) & 0xFF


def _xor8(data: bytes) -> int:
    """Return the XOR of all octets: fold one half onto the other until one octet is left."""
    if len(data) <= _FEW:
        return reduce(xor, data, 0)
    number, bits = int.from_bytes(data, "big"), 8 << (len(data) - 1).bit_length()
    while bits > 8:
        bits >>= 1
        number = number >> bits ^ number & (1 << bits) - 1
    return number


def _sum16(data: bytes) -> int:
    return _sum(data) & 0xFFFF


def _sum16_twos(data: bytes) -> int:
    return -_sum(data) & 0xFFFF


CHECKSUMS: Final[Mapping[str, Checksum]] = {
    "sum8": Checksum(1, _sum8),
    "sum8-twos": Checksum(1, _sum8_twos),  # with the sum itself it makes 0
    "sum8-inverted": Checksum(1, _sum8_inverted),
    "xor8": Checksum(1, _xor8),
    "sum16": Checksum(2, _sum16),
    "sum16-twos": Checksum(2, _sum16_twos),
    "crc8": Checksum(1, crc8.smbus),
    "crc8-autosar": Checksum(1, crc8.autosar),
    "crc8-dvb-s2": Checksum(1, crc8.dvb_s2),
    "crc8-maxim": Checksum(1, crc8.maxim_dow),
    "crc8-nrsc-5": Checksum(1, crc8.nrsc_5),
    "crc8-rohc": Checksum(1, crc8.rohc),
    "crc8-sae-j1850": Checksum(1, crc8.sae_j1850),
    "crc16-arc": Checksum(2, crc16.arc),
    "crc16-ccitt-false": Checksum(2, crc16.ibm_3740),
    "crc16-dnp": Checksum(2, crc16.dnp),
    "crc16-en-13757": Checksum(2, crc16.en_13757),
    "crc16-genibus": Checksum(2, crc16.genibus),
    "crc16-kermit": Checksum(2, crc16_kermit),
    "crc16-maxim": Checksum(2, crc16.maxim_dow),
    "crc16-mcrf4xx": Checksum(2, crc16.mcrf4xx),
    "crc16-modbus": Checksum(2, crc16_modbus),
    "crc16-usb": Checksum(2, crc16.usb),
    "crc16-x25": Checksum(2, crc16_x25),
    "crc16-xmodem": Checksum(2, crc16.xmodem),
    "crc32": Checksum(4, crc32.iso_hdlc),
    "crc32-bzip2": Checksum(4, crc32.bzip2),
    "crc32-mpeg-2": Checksum(4, crc32.mpeg_2),
    "crc32c": Checksum(4, crc32.iscsi),
}
"""By the names that data sheets and CRC calculators use; CRC-8 without more is that of SMBus."""
