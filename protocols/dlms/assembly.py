"""From frames to APDUs: which frames there are on a line, and how several of them carry one APDU.

HDLC's segmentation bit, the numbers of M-Bus frames, and general-block-transfer (Green Book 8 §9.4.6.13) each
say that an APDU goes on in the next frame; one of them may stand in the other:

    E0 | last 1, streaming 1, window 6 | block number 2 | acknowledged 2 | length | data

HDLC numbers no segments: whether one is missing is told by the APDU, whose lengths then do not fit. A block
or an M-Bus frame out of order ends the APDU at once. Nothing of an APDU that was not whole is ever used.
"""

from __future__ import annotations

import re
from typing import Final

from construct import Byte, Const, Int16ub, Struct

from protocols.dlms import hdlc, wired_mbus
from protocols.dlms.data import split_length
from protocols.toolkit import layout
from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

LONGEST: Final = max(hdlc.LONGEST, wired_mbus.LONGEST)
MAX_APDU: Final = 8192
LLC: Final = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")  # to the client, to the meter
GENERAL_BLOCK_TRANSFER: Final = 0xE0

_BLOCK: Final = "general-block-transfer" / Struct(
    "tag" / Const(GENERAL_BLOCK_TRANSFER, Byte),
    "control" / Byte,
    "number" / Int16ub,
    "acknowledged" / Int16ub,
)
_BLOCK_LENGTH = _BLOCK.sizeof()
_LAST_BLOCK = 0x80


class StreamFramer(SearchFramer):
    """Finds the frames of a line, HDLC and M-Bus."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Assembler:
    """Puts the APDUs of one line together."""

    def __init__(self) -> None:
        self._segments = b""
        self._next_segment = 0
        self._blocks = b""
        self._next_block = 1

    def add(self, frame: bytes) -> bytes | None:
        """Return the APDU that this frame completes; None if it goes on in the next frame.

        Raises:
            DecodeError: a part is missing, or the APDU is too long; its parts are dropped.
        """
        if frame[:1] == wired_mbus.STARTS:
            apdu = self._add_segment(wired_mbus.parse(frame), frame)
        else:
            apdu = self._add_hdlc(hdlc.parse(frame), frame)
        if apdu is None or apdu[:1] != bytes((GENERAL_BLOCK_TRANSFER,)):
            return apdu
        return self._add_block(apdu)

    def _add_hdlc(self, part: hdlc.Hdlc, frame: bytes) -> bytes | None:
        is_first = part.information.startswith(LLC)
        information = part.information[len(LLC[0]) :] if is_first else part.information
        self._segments = self._append(b"" if is_first else self._segments, information, frame)
        if part.is_segmented:
            return None
        apdu, self._segments = self._segments, b""
        return apdu

    def _add_segment(self, segment: wired_mbus.Segment, frame: bytes) -> bytes | None:
        if segment.number == 0:
            self._segments, self._next_segment = b"", 0
        expected_number, self._next_segment = self._next_segment, segment.number + 1
        if segment.number != expected_number:
            self._segments, self._next_segment = b"", 0
            raise DecodeError(
                f"segment {expected_number} is missing", field="ci", value=segment.number, data=frame
            )
        self._segments = self._append(self._segments, segment.data, frame)
        if not segment.is_last:
            return None
        apdu, self._segments, self._next_segment = self._segments, b"", 0
        return apdu

    def _add_block(self, apdu: bytes) -> bytes | None:
        block = layout.parse(_BLOCK, apdu[:_BLOCK_LENGTH])
        data = split_length(apdu[_BLOCK_LENGTH:], "block-data")
        if block["number"] == 1:
            self._blocks, self._next_block = b"", 1
        expected_number, self._next_block = self._next_block, block["number"] + 1
        if block["number"] != expected_number:
            self._blocks, self._next_block = b"", 1
            raise DecodeError(
                f"block {expected_number} is missing", field="block-number", value=block["number"], data=apdu
            )
        self._blocks = self._append(self._blocks, data, apdu)
        if not block["control"] & _LAST_BLOCK:
            return None
        complete_apdu, self._blocks, self._next_block = self._blocks, b"", 1
        return complete_apdu

    def _append(self, before: bytes, part: bytes, frame: bytes) -> bytes:
        if len(before) + len(part) > MAX_APDU:
            self._segments = self._blocks = b""
            self._next_segment, self._next_block = 0, 1
            raise DecodeError(f"more than {MAX_APDU} octets", field="apdu", value=len(part), data=frame)
        return before + part


def _extent(buffer: bytes, at: int) -> int:
    if buffer[at] == wired_mbus.STARTS[0]:
        return wired_mbus.extent(buffer, at)
    return hdlc.extent(buffer, at)


def _flaw(frame: bytes) -> NoiseReason | None:
    return wired_mbus.flaw(frame) if frame[0] == wired_mbus.STARTS[0] else hdlc.flaw(frame)


_SHAPE: Final = Shape(
    head=re.compile(hdlc.HEAD + b"|" + wired_mbus.HEAD),
    head_length=max(hdlc.HEAD_LENGTH, wired_mbus.HEAD_LENGTH),
    starts=hdlc.STARTS + wired_mbus.STARTS,
    longest=LONGEST,
    extent=_extent,
    flaw=_flaw,
)
