"""Each checksum of the table gives the check value that is published for its name."""

from __future__ import annotations

import pytest

from protocols.toolkit.checksum import CHECKSUMS

CHECK = b"123456789"
PUBLISHED = {  # the sums by hand; the others from the Catalogue of parametrised CRC algorithms
    "sum8": 0xDD,
    "sum8-twos": 0x23,
    "sum8-inverted": 0x22,
    "xor8": 0x31,
    "sum16": 0x01DD,
    "sum16-twos": 0xFE23,
    "crc8": 0xF4,
    "crc8-autosar": 0xDF,
    "crc8-dvb-s2": 0xBC,
    "crc8-maxim": 0xA1,
    "crc8-nrsc-5": 0xF7,
    "crc8-rohc": 0xD0,
    "crc8-sae-j1850": 0x4B,
    "crc16-arc": 0xBB3D,
    "crc16-ccitt-false": 0x29B1,
    "crc16-dnp": 0xEA82,
    "crc16-en-13757": 0xC2B7,
    "crc16-genibus": 0xD64E,
    "crc16-kermit": 0x2189,
    "crc16-maxim": 0x44C2,
    "crc16-mcrf4xx": 0x6F91,
    "crc16-modbus": 0x4B37,
    "crc16-usb": 0xB4C8,
    "crc16-x25": 0x906E,
    "crc16-xmodem": 0x31C3,
    "crc32": 0xCBF43926,
    "crc32-bzip2": 0xFC891918,
    "crc32-mpeg-2": 0x0376E6E7,
    "crc32c": 0xE3069283,
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_checksum_gives_the_value_published_for_its_name(name: str) -> None:
    assert CHECKSUMS[name].of(CHECK) == PUBLISHED[name]


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_checksum_fits_its_octets_and_sees_every_octet_changed(name: str) -> None:
    checksum = CHECKSUMS[name]
    data = bytes(range(200, 240)) * 40  # a sum of more than 16 bits
    good = checksum.of(data)
    assert 0 <= good < 256**checksum.size
    for at in (0, len(data) // 2, len(data) - 1):
        assert checksum.of(data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]) != good


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 64, 65, 255, 256, 257, 512, 513, 1023, 1024, 1600])
@pytest.mark.parametrize("octets", [b"\xff", b"\x00\x01\x80", bytes(range(251))])
def test_sums_and_xor_are_those_of_one_octet_after_the_other(octets: bytes, length: int) -> None:
    data = (octets * length)[:length]
    added, xored = 0, 0
    for octet in data:
        added, xored = added + octet, xored ^ octet
    expected = {
        "sum8": added & 0xFF,
        "sum8-twos": -added & 0xFF,
        "sum8-inverted": added & 0xFF ^ 0xFF,
        "xor8": xored,
        "sum16": added & 0xFFFF,
        "sum16-twos": -added & 0xFFFF,
    }
    assert {name: CHECKSUMS[name].of(data) for name in expected} == expected
