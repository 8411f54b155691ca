"""Modbus over Serial Line V1.02, RTU mode: the ADU on the wire, and how it is found in a stream.

    address 1 | PDU 1–253 | CRC 2, low byte first          at most 256 octets

The specification ends a frame by a silence of 3.5 characters (t3.5). A host behind a USB adapter cannot
measure that: the adapter collects for milliseconds before it hands over. So a frame is cut by the length that
its first octets tell and by its CRC, and the news of a silence only settles what is left over.

Request and reply share the line and are not marked. Where both readings are possible:

1. the reply that the request just before leads to expect wins: its unit, function and length;
2. a CRC that ends in 00 is right without that octet too, so one frame in 256 also reads as one shorter by it:
   the shorter is not taken before that octet is seen, and if both CRCs are right it is the longer;
3. of two readings of the same length, it is the request;
4. unless as a request it made no sense (quantity 0 or above the limit, addresses beyond 65535).

The framer takes each octet for a possible start, with two lengths at most: its work is linear, and what it
must keep is shorter than the longest ADU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.toolkit.checksum import crc16_modbus
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Event, Frame, Noise, NoiseReason

MAX_LENGTH: Final = 256  # §2.5.1
BROADCAST: Final = 0  # §2.2
UNITS: Final = range(1, 248)  # §2.2: 248–255 are reserved

_LAST_FUNCTION = pdu.REFUSED - 1  # a reply with a greater one is a refusal
_ADDRESS = 1
_COUNT_AT = 2  # in a reply that counts its data
_CRC = 2
_PDU = slice(_ADDRESS, -_CRC)  # of an ADU
_REPLY: Final = Direction.REPLY  # by a name of its own: Python 3.11 takes long to find a member of an enum
_UNDETERMINED = 1 << 30  # a length that the octets at hand do not tell yet: more than any buffer holds


def adu(unit: int, body: bytes) -> bytes:
    """Return the ADU that carries a PDU to or from a unit."""
    data = bytes((unit,)) + body
    return data + crc16_modbus(data).to_bytes(_CRC, "little")


def unit(frame: Frame) -> int:
    """Return the unit address in a good frame."""
    return frame.data[0]


def body(frame: Frame) -> bytes:
    """Return the PDU in a good frame."""
    return frame.data[_PDU]


def octets(pdu_length: int) -> int:
    """Return the length, in octets, of the ADU whose PDU has `pdu_length` octets."""
    return _ADDRESS + pdu_length + _CRC


# For each function code, for each value of the octet after it: octets of the ADU as a reply and as a request.
# 0: there is none; _UNDETERMINED: later octets tell.
_Lengths = Mapping[int, tuple[tuple[int, int], ...]]


def _length(layout: pdu.Layout | None, head: bytes) -> int:
    pdu_length = layout.length(head) if layout else 0
    return _UNDETERMINED if pdu_length is None else pdu_length and _ADDRESS + pdu_length + _CRC


def _lengths(*, replies: bool) -> _Lengths:
    functions = [*pdu.REQUESTS, *(function | pdu.REFUSED for function in pdu.REPLIES if replies)]
    return {function: _lengths_by_second(function, replies=replies) for function in functions}


def _lengths_by_second(function: int, *, replies: bool) -> tuple[tuple[int, int], ...]:
    reply, request = pdu.reply_layout(function) if replies else None, pdu.REQUESTS.get(function)
    is_told_by_second = any(layout and layout.is_told_by_second for layout in (reply, request))
    heads = [bytes((function, second)) for second in range(256 if is_told_by_second else 1)]
    lengths = tuple((_length(reply, head), _length(request, head)) for head in heads)
    return lengths if is_told_by_second else lengths * 256


def _head(lengths: _Lengths) -> re.Pattern[bytes]:
    """Return a pattern of the next octet that is followed by a known function code."""
    return re.compile(b"(?s).[" + b"".join(re.escape(bytes((function,))) for function in lengths) + b"]")


class StreamFramer:
    """Framer of both directions of a line."""

    _lengths: ClassVar[_Lengths] = _lengths(replies=True)
    _head: ClassVar[re.Pattern[bytes]] = _head(_lengths)

    def __init__(self) -> None:
        self._pending = b""
        self._broken = 0  # so many pending octets belonged to a frame whose CRC was wrong
        self._request: bytes | None = None  # the last frame, if it was a request

    @property
    def pending(self) -> bytes:
        """Return the beginning of an unfinished frame, at most 255 octets."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        return self._settle(self._pending + data, final=False)

    def silence(self) -> list[Event]:
        """Settle the pending octets: unfinished starts are noise, finished frames behind them are not."""
        return self._settle(self._pending, final=True)

    def _settle(self, buffer: bytes, *, final: bool) -> list[Event]:
        events: list[Event] = []
        lengths, check = self._lengths, crc16_modbus
        end = len(buffer)
        at = settled = 0
        broken = self._broken
        while at + 2 < end:
            lengths_by_second = lengths.get(buffer[at + 1])
            if lengths_by_second is None:
                if buffer[at + 2] in lengths:
                    at += 1
                else:
                    following = self._head.search(buffer, at + 2)
                    at = following.start() if following else end - 1
                continue
            reply, request = lengths_by_second[buffer[at + 2]]
            remaining = end - at
            if reply > remaining or request > remaining:
                reply, request = self._measure(buffer[at + 1 : at + MAX_LENGTH], reply, request)
            good_reply = 0 < reply <= remaining and not check(buffer[at : at + reply])
            if request == reply:
                good_request = good_reply
            else:
                good_request = 0 < request <= remaining and not check(buffer[at : at + request])
            if good_reply or good_request:
                octets = buffer[at : at + MAX_LENGTH]
                direction = self._direction(octets, reply, request, good_reply, good_request, final)
                if direction is None:
                    break
                length = request if direction is Direction.REQUEST else reply
                events += _noise(buffer, settled, broken, at, final)
                events.append(Frame(octets[:length], direction))
                self._request = octets[:length] if direction is Direction.REQUEST else None
                at = settled = broken = at + length
                continue
            longer = reply if reply > request else request
            if final:  # only a frame that would end with the input was finished and broken, not cut
                longer = remaining if remaining in (reply, request) else 0
            elif longer > remaining:
                break
            if longer and at + longer > broken:
                if at >= broken:
                    events += _noise(buffer, settled, broken, at, final)
                    settled = at
                broken = at + longer
            at += 1
        if final:
            at = end
        events += _noise(buffer, settled, broken, at, final)
        self._pending = buffer[at:]
        self._broken = max(0, broken - at)
        return events

    def _measure(self, head: bytes, reply: int, request: int) -> tuple[int, int]:
        """Return the two lengths from all octets at hand: the two after the address may not be enough."""
        if reply == _UNDETERMINED:
            reply = _length(pdu.reply_layout(head[0]), head)
        if request == _UNDETERMINED:
            request = _length(pdu.REQUESTS[head[0]], head)
        return reply, request

    def _direction(
        self, octets: bytes, reply: int, request: int, good_reply: bool, good_request: bool, final: bool
    ) -> Direction | None:
        """Return the sender of the frame at hand, where the CRC of at least one reading is right; None: wait.

        `octets` begin with the frame; `reply` and `request` are its lengths in the two readings.
        """
        last_request = self._request
        if last_request is not None and octets[0] == last_request[0]:
            request_pdu = last_request[_PDU]
            if good_reply and pdu.answers(request_pdu, octets[_ADDRESS : reply - _CRC]):
                return Direction.REPLY
            pdu_length = pdu.reply_length(request_pdu)
            is_awaited = (
                octets[1] == last_request[1]
                and pdu_length is not None
                and reply == _ADDRESS + pdu_length + _CRC
            )
            if is_awaited and reply > len(octets) and not final:
                return None
        is_close = -1 <= reply - request <= 1
        if is_close and max(reply, request) > len(octets) and not final:
            return None
        if good_reply and good_request:
            is_request = request >= reply and _makes_sense(octets[:request]) if is_close else request < reply
            return Direction.REQUEST if is_request else Direction.REPLY
        return Direction.REPLY if good_reply else Direction.REQUEST


class RequestFramer(StreamFramer):
    """Framer of requests, for a simulated sensor; nothing is read as a reply."""

    _lengths = _lengths(replies=False)
    _head = _head(_lengths)


class ReplyFramer:
    """Framer of the reply to one known request.

    It waits only for a frame with the unit, function and length of that reply, or a refusal, so that a stray
    octet before it costs no time. All else on the line (the echo of the request, a late reply to another
    one) becomes an event too, once it is clear that it is not the reply.
    """

    def __init__(self, request: bytes) -> None:
        self._pending = b""
        self._stream: StreamFramer | None = None  # for all that is not the reply; made when needed
        self._awaited = awaited = _awaited(request)
        self._reply, self._length = awaited.reply, awaited.length

    @property
    def pending(self) -> bytes:
        """Return the beginning of the reply, after that of another frame: at most 511 octets."""
        return (self._stream.pending if self._stream else b"") + self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Take octets as they arrived; return the events that they settle."""
        is_alone = len(data) == self._length and not self._pending and self._stream is None
        if is_alone and data.startswith(self._reply) and not crc16_modbus(data):
            return [Frame(data, _REPLY)]  # in one piece, as it mostly comes
        return self._settle(self._pending + data, final=False)

    def silence(self) -> list[Event]:
        """Settle the pending octets."""
        events = self._settle(self._pending, final=True)
        return events + self._stream.silence() if self._stream else events

    def _settle(self, buffer: bytes, *, final: bool) -> list[Event]:
        events: list[Event] = []
        head, reply, layout, reply_length = self._awaited
        search, check = head.search, crc16_modbus
        end = len(buffer)
        at = settled = 0
        while match := search(buffer, at):
            at = match.start()
            if buffer[at + 1] > _LAST_FUNCTION:
                length = _ADDRESS + 2 + _CRC
            else:
                length = reply_length or _length(layout, buffer[at + _ADDRESS : at + MAX_LENGTH])
            remaining = end - at
            if length > remaining and not final:
                break
            if 0 < length <= remaining and not check(frame := buffer[at : at + length]):
                if at > settled or self._stream:
                    events += self._feed_stream(buffer[settled:at])
                    assert self._stream
                    events += self._stream.silence()
                events.append(Frame(frame, _REPLY))
                at = settled = at + length
            else:
                at += 1
        else:
            at = end if final or at == end else end - _prefix_length(buffer[at:], reply)
        if at > settled:
            events += self._feed_stream(buffer[settled:at])
        self._pending = buffer[at:]
        return events

    def _feed_stream(self, data: bytes) -> list[Event]:
        if self._stream is None:
            self._stream = StreamFramer()
        return self._stream.feed(data)


class _Awaited(NamedTuple):
    """The features by which the reply to a request is recognised.

    Attributes:
        head: matches the beginning of the reply or of a refusal.
        reply: the first octets of the reply, as far as the request determines them.
        layout: the layout of its PDU.
        length: its length in octets, if the request determines it.
    """

    head: re.Pattern[bytes]
    reply: bytes
    layout: pdu.Layout
    length: int | None


@lru_cache(256)
def _awaited(request: bytes) -> _Awaited:
    unit, function = request[:2]
    layout = pdu.REPLIES[function]
    pdu_length = pdu.reply_length(request[_PDU])
    reply = bytes((unit, function))
    if pdu_length is not None and layout.counted_at == 1:
        reply += bytes((pdu_length - 2,))
    refusal = bytes((unit, function | pdu.REFUSED))
    head = re.compile(re.escape(reply) + b"|" + re.escape(refusal))
    return _Awaited(head, reply, layout, None if pdu_length is None else _ADDRESS + pdu_length + _CRC)


def answered_by(request: bytes) -> Callable[[Frame], bool]:
    """Return the test whether a frame answers this request: the same unit, and `pdu.answers`."""
    awaited = _awaited(request)
    head, length = awaited.reply, awaited.length if len(awaited.reply) > _COUNT_AT else None

    def accepts(frame: Frame) -> bool:
        data = frame.data
        if len(data) == length and data.startswith(head) and data != request:
            return True  # unit, function and count are right: nearly always
        return data[0] == request[0] and pdu.answers(request[_PDU], data[_PDU])

    return accepts


def _prefix_length(data: bytes, head: bytes) -> int:
    """Return the number of octets at the end of `data` that may be the beginning of `head`."""
    return next((count for count in range(len(head) - 1, 0, -1) if data.endswith(head[:count])), 0)


RTU: Final = Carrier(
    adu=adu,
    unit=unit,
    body=body,
    octets=octets,
    per_octet=1,
    request_framer=RequestFramer,
    reply_framer=ReplyFramer,
    answered_by=answered_by,
)


def _noise(buffer: bytes, settled: int, broken: int, at: int, final: bool) -> list[Event]:
    """Return the noise before `at`; up to `broken`, it belonged to a frame whose CRC was wrong."""
    broken = min(max(settled, broken), at)
    unframed = NoiseReason.CUT if final else NoiseReason.NOISE
    parts = (buffer[settled:broken], NoiseReason.CHECKSUM), (buffer[broken:at], unframed)
    return [Noise(data, reason) for data, reason in parts if data]


def _makes_sense(request: bytes) -> bool:
    layout = pdu.REQUESTS[request[1]]
    try:
        return layout.makes_sense(layout.parse(request[_PDU]))
    except ProtocolError:
        return False
