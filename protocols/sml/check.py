"""The checksum of a frame, and of each message in it: two octets behind what they check.

SML has CRC-16/X-25, low octet first. Some meters (Holley DTZ541, Itron OpenWay 3.HZ; libsml, issues 75 and
83) have CRC-16/Kermit, high octet first. Others of the same models keep to SML, and nothing but the checksum
tells which of them it is; so either is right, and of 65536 frames of noise two have a right one, not one.
A frame gives values only if that holds for it and for each of its messages.
"""

from __future__ import annotations

from protocols.toolkit.checksum import crc16_kermit, crc16_x25

CHECK_LENGTH = 2


def is_right(check: bytes, octets: bytes) -> bool:
    """Return whether `check` holds the two checksum octets of `octets`."""
    return check in (
        crc16_x25(octets).to_bytes(CHECK_LENGTH, "little"),
        crc16_kermit(octets).to_bytes(CHECK_LENGTH, "big"),
    )
