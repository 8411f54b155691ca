"""HDLC, frame format type 3, as DLMS/COSEM uses it on a serial line.

Spec: IEC 62056-46 §6.4 (Green Book 8 §8.4); ISO/IEC 13239.

    7E | format 2 | destination | source | control | HCS 2 | information | FCS 2 | 7E

    format: 1010 | segmentation bit | length 11        of all octets between the flags
    destination, source: 1, 2 or 4 octets, of which the last has bit 0 set
    HCS, FCS: CRC-16/X-25, low octet first, of all that stands between the flag and them

Nothing is stuffed: the length tells where a frame ends, and 7E may stand inside it. One flag may both close a
frame and open the next one, so the opening flag is optional here; the HCS tells a header from noise. A frame
without information has no HCS, and its FCS stands in the same place.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from construct import Bytes, Int16ub, Int16ul, Struct

from protocols.toolkit import layout
from protocols.toolkit.checksum import crc16_x25
from protocols.toolkit.framing import NoiseReason

FLAG: Final = b"\x7e"
LONGEST: Final = 0x7FF + 2 * len(FLAG)

_TYPE, _SEGMENTED, _LENGTH = 0xA000, 0x0800, 0x07FF
_CHECK_LENGTH = 2
_RIGHT = 0x0F47  # the CRC of octets and their CRC behind them

START: Final = "start" / Struct("format" / Int16ub)
END: Final = "end" / Struct("fcs" / Int16ul, "flag" / Bytes(1))
_FORMAT_LENGTH = START.sizeof()
_END_LENGTH = END.sizeof()

_EVEN = "".join(f"\\x{octet:02x}" for octet in range(0, 256, 2))
_ADDRESS = rf"(?:(?:[{_EVEN}]|[{_EVEN}]{{3}})?[^{_EVEN}])"
_CONTROL = rf"[{_EVEN}\x03\x0f\x13\x1f\x43\x53\x63\x73\x83\x87\x93\x97]"  # what may carry information
HEAD: Final = rf"\x7e?[\xa0-\xaf][\x00-\xff]{_ADDRESS}{{2}}{_CONTROL}[\x00-\xff]{{2}}".encode()
"""Matches a header up to the end of its HCS."""
HEAD_LENGTH: Final = len(FLAG) + _FORMAT_LENGTH + 4 + 4 + 1 + _CHECK_LENGTH
STARTS: Final = FLAG + bytes(range(0xA0, 0xB0))


class Hdlc(NamedTuple):
    """What a frame says.

    Attributes:
        is_segmented: whether the information goes on in the next frame.
    """

    destination: bytes
    source: bytes
    control: int
    is_segmented: bool
    information: bytes


def extent(buffer: bytes, at: int) -> int:
    """Return the octets of the frame whose header begins here, both flags included; 0 if its HCS is wrong."""
    begin = at + (buffer[at] == FLAG[0])
    head_end = _control(buffer, begin) + 1 + _CHECK_LENGTH
    end = begin + ((buffer[begin] << 8 | buffer[begin + 1]) & _LENGTH)
    if end < head_end or crc16_x25(buffer[begin:head_end]) != _RIGHT:
        return 0
    return end + len(FLAG) - at


def flaw(frame: bytes) -> NoiseReason | None:
    """Return the flaw of a frame of the right length; None if it is good."""
    if not frame.endswith(FLAG):
        return NoiseReason.LENGTH
    return None if crc16_x25(frame[frame.startswith(FLAG) : -len(FLAG)]) == _RIGHT else NoiseReason.CHECKSUM


def parse(frame: bytes) -> Hdlc:
    """Return the parts of a good frame."""
    body = frame.removeprefix(FLAG)
    start = layout.parse(START, body[:_FORMAT_LENGTH])
    source, control = _address_end(body, _FORMAT_LENGTH), _control(body, 0)
    return Hdlc(
        destination=body[_FORMAT_LENGTH:source],
        source=body[source:control],
        control=body[control],
        is_segmented=bool(start["format"] & _SEGMENTED),
        information=body[control + 1 + _CHECK_LENGTH : -_END_LENGTH],
    )


def build(information: bytes, *, is_segmented: bool = False, control: int = 0x13) -> bytes:
    """Return the frame that a meter at address 1 sends to a client at address 16, with both flags."""
    addresses = b"\x02\x21\x41"
    length = _FORMAT_LENGTH + len(addresses) + 1 + 2 * _CHECK_LENGTH + len(information)
    if length > _LENGTH:
        raise ValueError(f"{len(information)} octets are too many for one frame")
    head = layout.build(START, format=_TYPE | is_segmented * _SEGMENTED | length) + addresses
    head = _checked(head + bytes((control,)))
    return FLAG + _checked(head + information) + FLAG


def _checked(octets: bytes) -> bytes:
    return octets + crc16_x25(octets).to_bytes(_CHECK_LENGTH, "little")


def _control(buffer: bytes, begin: int) -> int:
    """Return the place of the control octet, behind two addresses."""
    return _address_end(buffer, _address_end(buffer, begin + _FORMAT_LENGTH))


def _address_end(buffer: bytes, at: int) -> int:
    while not buffer[at] & 1:
        at += 1
    return at + 1
