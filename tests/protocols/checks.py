"""How far the check of each protocol reaches: what the tests of damage may expect of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


def _nothing(frame: bytes) -> Collection[int]:
    return ()


@dataclass(frozen=True, slots=True)
class Check:
    """What passes a protocol's check by the protocol's own design.

    Attributes:
        blind: the offsets of a good frame that its check does not cover.
        pairs: share of frames with two or three flipped bits that may pass. In a sum of octets two flips of
            one bit may cancel: 1/32. In an exclusive or they always do: one pair in eight.
    """

    blind: Callable[[bytes], Collection[int]] = _nothing
    pairs: float = 1 / 32


def _without_bcc(frame: bytes) -> Collection[int]:
    """IEC 62056-21: only what begins with SOH or STX has a check."""
    return () if frame[:1] in (b"\x01", b"\x02") else range(len(frame))


def _without_crc(frame: bytes) -> Collection[int]:
    """DSMR P1: versions 2 and 3 have no check."""
    return range(len(frame)) if frame.endswith(b"!\r\n") else ()


def _second_octet(frame: bytes) -> Collection[int]:
    """SDS011, JBD: the check begins behind the order, of a reply behind the register."""
    return (1,)


def _opening_flag(frame: bytes) -> Collection[int]:
    """HDLC: the flag before a frame may be the one that closes the frame before."""
    return (0,) if frame.startswith(b"\x7e") else ()


def _every_octet(frame: bytes) -> Collection[int]:
    """Encrypted P1: the tag takes the key to be checked, which no framer has."""
    return range(len(frame))


CHECKS: dict[str, Check] = {
    "dsmr-encrypted": Check(_every_octet),
    "dlms-push": Check(_opening_flag),
    "sds011": Check(_second_octet),
    "jbd-bms": Check(_second_octet),
    "dsmr": Check(_without_crc),
    "iec62056-21": Check(_without_bcc, pairs=1 / 8),
    "iec62056-21-d": Check(_without_bcc, pairs=1 / 8),
    "nmea0183": Check(pairs=1 / 8),
}
"""By the protocol's name; one that is not here has a check that covers all, as good as a sum of octets."""
