r"""VE.Direct text: blocks of values that Victron's devices push every second; 19200 8N1.

Spec: Victron Energy, "VE.Direct Protocol", text mode.

    \r\n label \t value  …  \r\n Checksum \t octet

The sum of all octets of a block is 0 modulo 256; the checksum may be any octet, also one of those that stand
between fields. Lines of the other protocol (`hex`) come where the device likes: between blocks, where they
are noise here, and inside them, where they belong to the frame but neither to its sum nor to its fields.

A block begins with the product id, the second one of battery monitors with H1, or with any label right after
another block's checksum octet: chargers split their fields in two (the second begins with ERR or
LOAD), a BMV-600 has no product id. A start is looked for nowhere else: after a wrong bit, a block's last
fields would pass the sum of one octet as a block of their own, one in 256 each.

No block carries an id, only some a serial number: a line has one device.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from protocols.toolkit.framing import Frame, NoiseReason
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import PushingKeys, Telegram
from protocols.toolkit.search import SearchFramer, Shape
from protocols.vedirect.fields import UNITS, values_of
from protocols.vedirect.hex_frame import MAX_DIGITS

LONGEST: Final = 2048  # 22 fields of 43 octets, and lines of the other protocol between them

_HEX_LINE = rb":[0-9A-F]{1,%d}\r?\n" % MAX_DIGITS
_MAX_HEX_LINES = 4  # between a block's first octets and its first label
_HEAD_LENGTH = 2 + 17 + _MAX_HEX_LINES * (MAX_DIGITS + 3)


def _pattern(*parts: bytes) -> re.Pattern[bytes]:
    """Return the pattern of the joined parts; HEX in them is a line of the other protocol."""
    return re.compile(b"".join(parts).replace(b"HEX", _HEX_LINE))


def _inside(*starts: bytes) -> bytes:
    """Return the pattern of fields up to the checksum, or to another start, which no block contains.

    Each octet matches in one way only, so a search that fails after it has nothing to try again.
    """
    stops = b"|".join((b"Checksum", *starts))
    return rb"[\t -9;-~]*(?:(?:\r\n(?!(?:HEX)*(?:%b)\t)|HEX)[\t -9;-~]*)*" % stops


_HEX = _pattern(b"HEX")
_FIELD = _pattern(rb"\r\n([!-9;-~]{1,16})\t([ -9;-~]*)")
_END = b"\r\nChecksum\t"

_START = rb"\r\n(?:HEX){0,%d}" % _MAX_HEX_LINES
_ANOTHER = rb"(?<=\r\nChecksum\t(?s:.))"  # right behind the checksum octet of a block, good or bad
_LABEL = rb"[!-9;-~]{1,16}\t"
_HEAD = _pattern(_START, rb"(?:PID|H1)\t|", _ANOTHER, _START, rb"(?!Checksum)", _LABEL)
_BLOCK = _pattern(
    _START,
    rb"(?:PID\t%b|H1\t%b|%b%b)" % (_inside(b"PID"), _inside(b"PID", b"H1"), _LABEL, _inside()),
    rb"(\r\n(?:HEX)*Checksum\t(?s:.))?",
)
_UNFINISHED = _pattern(rb"(?:\r|\r\n(?:HEX)*(?:Checksum\t)?)?(?::[0-9A-F]{0,%d}\r?)?\Z" % MAX_DIGITS)


def block_of(frame: Frame) -> dict[str, str]:
    """Return the fields of a block, label → value as sent, without the checksum and the other protocol."""
    text = _HEX.sub(b"", frame.data[:-1]).removesuffix(_END)
    return {label.decode("ascii"): value.decode("ascii") for label, value in _FIELD.findall(text)}


class TextListener:
    """Reads the blocks of the device of a line."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegram in a block."""
        return [Telegram("", values_of(block_of(frame)))]


def describe(frame: Frame) -> Fields:
    """Return the fields of a block as they were sent, and the values."""
    block = block_of(frame)
    return {**block, "values": values_of(block)}


class StreamFramer(SearchFramer):
    """Framer of blocks."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _extent(buffer: bytes, at: int) -> int | None:
    block = _BLOCK.match(buffer, at, at + LONGEST)
    if block and block[1]:
        return block.end() - at
    if block and len(buffer) - at < LONGEST and _UNFINISHED.match(buffer, block.end()):
        return None
    return 0


def _flaw(frame: bytes) -> NoiseReason | None:
    return NoiseReason.CHECKSUM if (sum(_HEX.sub(b"", frame[:-1])) + frame[-1]) % 256 else None


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=b"\r",
    longest=LONGEST,
    extent=_extent,
    flaw=_flaw,
    lookbehind=len(_END) + 1,
)

KEYS: Final = PushingKeys(UNITS)

PROTOCOL = PushingProtocol(
    name="vedirect-text",
    title="Victron VE.Direct text",
    spec="Victron Energy, VE.Direct Protocol, text mode",
    line=LineSettings(19200),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=TextListener,
    longest=LONGEST,
    bytesizes=frozenset({8}),
)
