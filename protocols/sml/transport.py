"""SML transport protocol, version 1: the frame on the wire, and how it is found in a stream.

    1B 1B 1B 1B | 01 01 01 01 | data … | fill 0–3 | 1B 1B 1B 1B | 1A | fill | check 2

The data are filled up with 00 to whole fours; `fill` tells how many. 1B 1B 1B 1B in the data is sent twice.
check: of all that precedes (`check`).

In a run of 1B each eight are four of the data, so what decides is the rest: four are an escape. What it
escapes is the end here; another start means that this frame was cut, and anything else is no version 1.
"""

from __future__ import annotations

import re
from typing import Final

from construct import Byte, Bytes, Const, Struct

from protocols.sml.check import CHECK_LENGTH, is_right
from protocols.toolkit import layout
from protocols.toolkit.framing import Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

LONGEST: Final = 4096  # the specification has no limit; meters send 200 to 1000

_ESCAPE = b"\x1b" * 4
_WHOLE = 4

START: Final = "start" / Struct("escape" / Const(_ESCAPE), "version" / Const(b"\x01" * 4))
END: Final = "end" / Struct(
    "escape" / Const(_ESCAPE),
    "end" / Const(b"\x1a"),
    "fill" / Byte,
    "check" / Bytes(CHECK_LENGTH),
)
_START = layout.build(START)
_END_LENGTH = END.sizeof()

_LONGEST_ESCAPED = 8  # octets of an escape and what it escapes
_ESCAPED = re.compile(rb"(?s)(?<!\x1b)(?:\x1b{8})*\x1b{4}(?!\x1b{4})(.{4})")


def data_of(frame: Frame) -> bytes:
    """Return the data of a frame from a framer: unescaped, without start, fill and end."""
    fill = layout.parse(END, frame.data[-_END_LENGTH:])["fill"]
    return frame.data[len(_START) : -_END_LENGTH - fill].replace(2 * _ESCAPE, _ESCAPE)


class StreamFramer(SearchFramer):
    """Framer of a line."""

    def __init__(self) -> None:
        extent = _Extent()
        super().__init__(
            Shape(
                head=re.compile(re.escape(_START)),
                head_length=len(_START),
                starts=_ESCAPE[:1],
                longest=LONGEST,
                extent=extent,
                flaw=_flaw,
                resumed=extent,
            )
        )


class _Extent:
    """Finds the escape behind a start.

    Starts inside the data (sent twice, a start's 1B look like one more start) share the escape that follows
    them; it is looked for once, or the work would grow with the square of a frame's length.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._from = self._to = -1  # behind any start between these two, `_found` is next
        self._found: re.Match[bytes] | None = None

    def __call__(self, buffer: bytes, at: int, searched_length: int = 0) -> int | None:
        """Return the length of the frame at `at`; no escape ends in its first `searched_length` octets."""
        begin = at + len(_START)
        if buffer is not self._buffer or not self._from <= begin <= self._to:
            undecided = len(buffer[: max(0, searched_length - _LONGEST_ESCAPED)].rstrip(_ESCAPE[:1]))
            self._found = escape = _ESCAPED.search(buffer, max(begin, undecided))
            self._buffer, self._from = buffer, begin
            self._to = escape.start(1) - len(_ESCAPE) if escape else len(buffer)
        if self._found is None:
            return None if len(buffer) - at < LONGEST else 0
        extent = self._found.end() - at
        return extent if self._found[1].startswith(b"\x1a") and extent <= LONGEST else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if not is_right(frame[-CHECK_LENGTH:], frame[:-CHECK_LENGTH]):
        return NoiseReason.CHECKSUM
    return None if frame[-CHECK_LENGTH - 1] < _WHOLE and len(frame) % _WHOLE == 0 else NoiseReason.LENGTH
