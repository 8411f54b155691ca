"""EN 13757-2, the link layer of IEC 60870-5 format class FT 1.2: frames, and how they are found in a stream.

    E5                                                     acknowledgement
    10 | C | A | check | 16                                short frame
    68 | L | L | 68 | C | A | CI | data | check | 16       long frame; without data it is called control frame

    C from the master:  0 1 FCB FCV function     from the slave:  0 0 ACD DFC function

L: octets from C to the last of the data, twice. check: their sum, modulo 256. A: 1–250 is a meter's primary
address, 0 that of one that was given none, 253 whichever meter is selected, 254 any meter, which answers,
255 all, which do not. The master starts; 2400 8E1 unless the meter was set otherwise.

The frame count bit (FCB) tells a meter whether a request is a new one or was not understood: with the same
bit it sends the same telegram again, with the other one the next. So a request that is repeated octet for
octet is the retry that the standard means.

A frame is taken if its starts, both lengths, C, check and stop are right. Otherwise its first octet is no
start, and the next one is looked at. E5 has nothing to check; it is taken where nothing but good frames
stands between it and a silence, and is noise anywhere else. Where nothing but E5 is waited for, it may stand
behind stray octets too, if it is the last before a silence: a line that turns around can add one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from construct import Byte, Bytes, Const, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Event, Frame, Noise, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

ACKNOWLEDGEMENT: Final = b"\xe5"
SELECTED: Final = 253
ANY_METER: Final = 254
ALL_METERS: Final = 255

PRIMARY: Final = 0x40  # C: from the master
FCB: Final = 0x20
SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD1: Final = 0x5A
REQ_UD2: Final = 0x5B
RSP_UD: Final = 0x08
FUNCTION: Final = 0xCF  # C without FCB and FCV, or without ACD and DFC
FUNCTIONS: Final = {
    SND_NKE & FUNCTION: "SND_NKE",
    SND_UD & FUNCTION: "SND_UD",
    REQ_UD1 & FUNCTION: "REQ_UD1",
    REQ_UD2 & FUNCTION: "REQ_UD2",
    RSP_UD & FUNCTION: "RSP_UD",
}

_SHORT_START, _LONG_START, _STOP = b"\x10", b"\x68", b"\x16"
_MIN_LENGTH: Final = 3
_AROUND: Final = 6  # octets of a long frame that L does not count
_BEFORE: Final = 4  # of them, before C
MAX_DATA: Final = 0xFF - _MIN_LENGTH
LONGEST: Final = 0xFF + _AROUND

SHORT: Final = "short frame" / Struct(
    "start" / Const(_SHORT_START),
    "c" / Byte,
    "a" / Byte,
    "check" / Byte,
    "stop" / Const(_STOP),
)
LONG: Final = "long frame" / Struct(
    "start" / Const(_LONG_START),
    "length" / Byte,
    "length_again" / Byte,
    "start_again" / Const(_LONG_START),
    "c" / Byte,
    "a" / Byte,
    "ci" / Byte,
    "data" / Bytes(this.length - _MIN_LENGTH),
    "check" / Byte,
    "stop" / Const(_STOP),
)
SHORT_LENGTH: Final = 5

# A whole short frame; a long one up to its C. Only the services of the standard count, in a long one SND_UD
# and RSP_UD, which alone carry data.
_HEAD = re.compile(
    rb"(?s)\x10[\x00\x08\x18\x28\x38\x40\x49-\x4b\x59-\x5b\x69-\x6b\x79-\x7b].{2}\x16"
    rb"|\x68[\x03-\xff]{2}\x68[\x08\x18\x28\x38\x43\x53\x63\x73]"
)
_HEAD_LENGTH: Final = 5


@dataclass(frozen=True, slots=True)
class Message:
    """The content of a frame.

    Attributes:
        c: the control field.
        a: the address field.
        ci: the control information, or None in a short frame.
        data: the octets after the CI.
    """

    c: int
    a: int
    ci: int | None = None
    data: bytes = b""

    @property
    def is_reply(self) -> bool:
        """Return whether the message carries a meter's data (RSP_UD)."""
        return self.c & FUNCTION == RSP_UD and self.ci is not None


def build(message: Message) -> bytes:
    """Return the frame of a message: a short one if it has no CI."""
    fields = {"c": message.c, "a": message.a}
    if message.ci is None:
        frame = layout.build(SHORT, **fields, check=0)
        return _with_check(frame, 1)
    length = _MIN_LENGTH + len(message.data)
    fields |= {"length": length, "length_again": length, "ci": message.ci}
    return _with_check(layout.build(LONG, **fields, data=message.data, check=0), _BEFORE)


def parse(frame: Frame) -> Message | None:
    """Return the message in a good frame; None for the acknowledgement."""
    if frame.data == ACKNOWLEDGEMENT:
        return None
    if frame.data.startswith(_SHORT_START):
        fields = layout.parse(SHORT, frame.data)
        return Message(fields["c"], fields["a"])
    fields = layout.parse(LONG, frame.data)
    return Message(fields["c"], fields["a"], fields["ci"], fields["data"])


def length(data: int) -> int:
    """Return the length of a long frame, in octets, from that of its data."""
    return _AROUND + _MIN_LENGTH + data


class StreamFramer:
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        self._frames = SearchFramer(_SHAPE)
        self._is_clean = True  # only good frames since the last silence

    @property
    def pending(self) -> bytes:
        """Return the unfinished frame, or octets that may become the head of one."""
        return self._frames.pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        return self._with_acknowledgements(self._frames.feed(data))

    def silence(self) -> list[Event]:
        """Settle the pending octets; from here on an acknowledgement may come."""
        events = self._with_acknowledgements(self._frames.silence())
        self._is_clean = True
        return events

    def _with_acknowledgements(self, frames_and_noise: Iterable[Event]) -> list[Event]:
        """Return the same events, with E5 as a frame of its own where it can be one."""
        events: list[Event] = []
        for event in frames_and_noise:
            if isinstance(event, Frame):
                self._is_clean = True
            elif self._is_clean:
                noise = event.data.lstrip(ACKNOWLEDGEMENT)
                events += [_ACKNOWLEDGED] * (len(event.data) - len(noise))
                if not noise:
                    continue
                self._is_clean = False
                event = Noise(noise, event.reason)
            events.append(event)
        return events


class AcknowledgementFramer(StreamFramer):
    """Framer of a line on which E5 is expected: also after noise, if it is the last before a silence."""

    def __init__(self) -> None:
        super().__init__()
        self._last = b""  # E5 after noise, with nothing after it yet

    @property
    def pending(self) -> bytes:
        """Return the unfinished frame, or E5 that may be an acknowledgement."""
        return self._last + super().pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        events = super().feed(data)
        if data and self._last:
            events.insert(0, Noise(self._last, NoiseReason.NOISE))
            self._last = b""
        if not super().pending:
            self._last = self._last or _split_off_acknowledgement(events)
        return events

    def silence(self) -> list[Event]:
        """Settle the pending octets."""
        events = super().silence()
        if self._last or _split_off_acknowledgement(events):
            events.append(_ACKNOWLEDGED)
        self._last = b""
        return events


_ACKNOWLEDGED: Final = Frame(ACKNOWLEDGEMENT, Direction.REPLY)


def _split_off_acknowledgement(events: list[Event]) -> bytes:
    """Remove E5 from the end of the noise that ends these events; return it, or b"" if there is none."""
    last = events[-1] if events else None
    if not isinstance(last, Noise) or not last.data.endswith(ACKNOWLEDGEMENT):
        return b""
    noise = last.data.removesuffix(ACKNOWLEDGEMENT)
    events[-1:] = [Noise(noise, last.reason)] if noise else []
    return ACKNOWLEDGEMENT


def _with_check(frame: bytes, start: int) -> bytes:
    """Return the frame with its check, which covers the octets from `start` on."""
    return frame[:-2] + bytes((_check(frame[start:-2]),)) + _STOP


def _check(octets: bytes) -> int:
    return sum(octets) & 0xFF


def _extent(buffer: bytes, at: int) -> int:
    if buffer[at] == _SHORT_START[0]:
        return SHORT_LENGTH
    return buffer[at + 1] + _AROUND if buffer[at + 1] == buffer[at + 2] else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if frame[-1] != _STOP[0]:  # first: it spares the sum at most heads that are none
        return NoiseReason.STOP
    return None if frame[-2] == _check(frame[_start(frame) : -2]) else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame[_start(frame)] & PRIMARY else Direction.REPLY


def _start(frame: bytes) -> int:
    """Return the offset of C, the first octet that the check covers."""
    return 1 if frame[0] == _SHORT_START[0] else _BEFORE


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=_SHORT_START + _LONG_START,
    longest=LONGEST,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)
