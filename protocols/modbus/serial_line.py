"""Modbus over Serial Line V1.02, RTU mode: the ADU on the wire, and how it is found in a stream.

    address 1 | PDU 1–253 | CRC 2, low byte first          at most 256 octets

The specification ends a frame by a silence of 3.5 characters (t3.5). A host behind a USB adapter cannot
measure that: the adapter collects for milliseconds before it hands over. So a frame is cut by the length that
its first octets tell and by its CRC, and the news of a silence only settles what is left over.

Request and reply share the line and are not marked. Where both readings are possible:

1. what the request just before leads to expect, wins: its unit, function and length;
2. a CRC that ends in 00 is right without that octet too, so one frame in 256 also reads as one shorter by it:
   the shorter is not taken before that octet is seen, and if both CRCs are right it is the longer;
3. of two readings of the same length, it is the request;
4. unless as a request it made no sense (quantity 0 or above the limit, addresses beyond 65535).

The framer takes each octet for a possible start, with two lengths at most: its work is linear, and what it
must keep is shorter than the longest ADU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.toolkit.checksum import crc16_modbus
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Event, Frame, Noise

MAX_LENGTH: Final = 256  # §2.5.1
BROADCAST: Final = 0  # §2.2
UNITS: Final = range(1, 248)  # §2.2: 248–255 are reserved

_LAST_FUNCTION = pdu.REFUSED - 1  # a reply with a greater one is a refusal
_ADDRESS = 1
_CRC = 2
_UNTOLD = MAX_LENGTH + 1  # a length that the octets at hand do not tell yet


def adu(unit: int, body: bytes) -> bytes:
    """A PDU as it goes on the wire."""
    data = bytes((unit,)) + body
    return data + crc16_modbus(data).to_bytes(_CRC, "little")


def unit(frame: Frame) -> int:
    """The unit address of a frame that a framer found."""
    return frame.data[0]


def body(frame: Frame) -> bytes:
    """The PDU of a frame that a framer found."""
    return frame.data[_ADDRESS:-_CRC]


def octets(pdu_length: int) -> int:
    """Octets of the ADU whose PDU has so many."""
    return _ADDRESS + pdu_length + _CRC


# For each function code, for each value of the octet after it: octets of the ADU as a reply and as a request.
# 0: there is none; _UNTOLD: later octets tell.
_Lengths = Mapping[int, tuple[tuple[int, int], ...]]


def _length(layout: pdu.Layout | None, head: bytes) -> int:
    found = layout.length(head) if layout else 0
    return _UNTOLD if found is None else found and _ADDRESS + found + _CRC


def _lengths(*, replies: bool) -> _Lengths:
    functions = [*pdu.REQUESTS, *(function | pdu.REFUSED for function in pdu.REPLIES if replies)]
    return {
        function: tuple(
            (
                _length(pdu.reply_layout(function), bytes((function, second))) if replies else 0,
                _length(pdu.REQUESTS.get(function), bytes((function, second))),
            )
            for second in range(256)
        )
        for function in functions
    }


def _head(lengths: _Lengths) -> re.Pattern[bytes]:
    """Finds the next octet that is followed by a known function code."""
    return re.compile(b"(?s).[" + b"".join(re.escape(bytes((function,))) for function in lengths) + b"]")


class StreamFramer:
    """Finds the frames of both directions of a line."""

    _lengths: ClassVar[_Lengths] = _lengths(replies=True)
    _head: ClassVar[re.Pattern[bytes]] = _head(_lengths)

    def __init__(self) -> None:
        self._pending = b""
        self._broken = 0  # so many pending octets belonged to a frame whose CRC was wrong
        self._asked: bytes | None = None  # the last frame, if it was a request

    @property
    def pending(self) -> bytes:
        """At most 255 octets: the unfinished frame that they may begin."""
        return self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Takes bytes as they arrived; returns the events they settle."""
        return self._settle(self._pending + data, final=False)

    def silence(self) -> list[Event]:
        """Settles what is pending: unfinished starts are noise, finished frames behind them are not."""
        return self._settle(self._pending, final=True)

    def _settle(self, buffer: bytes, *, final: bool) -> list[Event]:
        events: list[Event] = []
        lengths, check = self._lengths, crc16_modbus
        end = len(buffer)
        at = taken = 0
        broken = self._broken
        while at + 2 < end:
            known = lengths.get(buffer[at + 1])
            if known is None:
                if buffer[at + 2] in lengths:
                    at += 1
                else:
                    following = self._head.search(buffer, at + 2)
                    at = following.start() if following else end - 1
                continue
            reply, request = known[buffer[at + 2]]
            left = end - at
            if reply > left or request > left:
                reply, request = self._measure(buffer[at + 1 : at + MAX_LENGTH], reply, request)
            good_reply = 0 < reply <= left and not check(buffer[at : at + reply])
            if request == reply:
                good_request = good_reply
            else:
                good_request = 0 < request <= left and not check(buffer[at : at + request])
            if good_reply or good_request:
                octets = buffer[at : at + MAX_LENGTH]
                direction = self._direction(octets, reply, request, good_reply, good_request, final)
                if direction is None:
                    break
                length = request if direction is Direction.REQUEST else reply
                events += _noise(buffer, taken, broken, at, final)
                events.append(Frame(octets[:length], direction))
                self._asked = octets[:length] if direction is Direction.REQUEST else None
                at = taken = broken = at + length
                continue
            longer = reply if reply > request else request
            if final:  # only a frame that would end with the input was finished and broken, not cut
                longer = left if left in (reply, request) else 0
            elif longer > left:
                break
            if longer and at + longer > broken:
                if at >= broken:
                    events += _noise(buffer, taken, broken, at, final)
                    taken = at
                broken = at + longer
            at += 1
        if final:
            at = end
        events += _noise(buffer, taken, broken, at, final)
        self._pending = buffer[at:]
        self._broken = max(0, broken - at)
        return events

    def _measure(self, head: bytes, reply: int, request: int) -> tuple[int, int]:
        """The two lengths again, with all octets at hand: the two after the address may not have told."""
        if reply == _UNTOLD:
            reply = _length(pdu.reply_layout(head[0]), head)
        if request == _UNTOLD:
            request = _length(pdu.REQUESTS[head[0]], head)
        return reply, request

    def _direction(
        self, octets: bytes, reply: int, request: int, good_reply: bool, good_request: bool, final: bool
    ) -> Direction | None:
        """Who sent the frame at hand, where the CRC of one reading at least is right; None: wait for more.

        `octets` begin with the frame; `reply` and `request` are its lengths in the two readings.
        """
        asked = self._asked
        if asked is not None and octets[0] == asked[0]:
            request_pdu = asked[_ADDRESS:-_CRC]
            if good_reply and pdu.answers(request_pdu, octets[_ADDRESS : reply - _CRC]):
                return Direction.REPLY
            expected = pdu.reply_length(request_pdu)
            awaited = octets[1] == asked[1] and expected is not None and reply == _ADDRESS + expected + _CRC
            if awaited and reply > len(octets) and not final:
                return None
        near = -1 <= reply - request <= 1
        if near and max(reply, request) > len(octets) and not final:
            return None
        if good_reply and good_request:
            likely = request >= reply and _makes_sense(octets[:request]) if near else request < reply
            return Direction.REQUEST if likely else Direction.REPLY
        return Direction.REPLY if good_reply else Direction.REQUEST


class RequestFramer(StreamFramer):
    """Finds the requests that a sensor hears; no reading as a reply is tried."""

    _lengths = _lengths(replies=False)
    _head = _head(_lengths)


class ReplyFramer:
    """Finds the reply to one known request.

    It waits only for a frame with the unit, function and length of that reply, or a refusal, so that a stray
    octet before it costs no time. All else on the line (the echo of the request, a late reply to another
    one) is found too, once it is clear that it is not the reply.
    """

    def __init__(self, request: bytes) -> None:
        self._pending = b""
        self._others: StreamFramer | None = None  # made when there is something for it
        self._awaited = _awaited(request)

    @property
    def pending(self) -> bytes:
        """At most 511 octets: what may begin the reply, before it what may begin another frame."""
        return (self._others.pending if self._others else b"") + self._pending

    def feed(self, data: bytes) -> list[Event]:
        """Takes bytes as they arrived; returns the events they settle."""
        return self._settle(self._pending + data, final=False)

    def silence(self) -> list[Event]:
        """Settles what is pending."""
        events = self._settle(self._pending, final=True)
        return events + self._others.silence() if self._others else events

    def _settle(self, buffer: bytes, *, final: bool) -> list[Event]:
        events: list[Event] = []
        head, reply, layout, expected = self._awaited
        search, check = head.search, crc16_modbus
        end = len(buffer)
        at = taken = 0
        while found := search(buffer, at):
            at = found.start()
            if buffer[at + 1] > _LAST_FUNCTION:
                length = _ADDRESS + 2 + _CRC
            else:
                length = expected or _length(layout, buffer[at + _ADDRESS : at + MAX_LENGTH])
            left = end - at
            if length > left and not final:
                break
            if 0 < length <= left and not check(frame := buffer[at : at + length]):
                if at > taken or self._others:
                    events += self._feed_others(buffer[taken:at])
                    assert self._others
                    events += self._others.silence()
                events.append(Frame(frame, Direction.REPLY))
                at = taken = at + length
            else:
                at += 1
        else:
            at = end if final or at == end else end - _begun(buffer[at:], reply)
        if at > taken:
            events += self._feed_others(buffer[taken:at])
        self._pending = buffer[at:]
        return events

    def _feed_others(self, data: bytes) -> list[Event]:
        if self._others is None:
            self._others = StreamFramer()
        return self._others.feed(data)


class _Awaited(NamedTuple):
    """What tells the reply to a request.

    Attributes:
        head: finds how it begins, or a refusal does.
        reply: how it begins, as far as the request tells.
        layout: of its PDU.
        expected: its octets, if the request tells.
    """

    head: re.Pattern[bytes]
    reply: bytes
    layout: pdu.Layout
    expected: int | None


@lru_cache(256)
def _awaited(request: bytes) -> _Awaited:
    unit, function = request[:2]
    layout = pdu.REPLIES[function]
    expected = pdu.reply_length(request[_ADDRESS:-_CRC])
    reply = bytes((unit, function))
    if expected is not None and layout.counted_at == 1:
        reply += bytes((expected - 2,))
    refusal = bytes((unit, function | pdu.REFUSED))
    head = re.compile(re.escape(reply) + b"|" + re.escape(refusal))
    return _Awaited(head, reply, layout, None if expected is None else _ADDRESS + expected + _CRC)


def _begun(data: bytes, head: bytes) -> int:
    """How many octets at the end of `data` may be the begin of `head`."""
    return next((count for count in range(len(head) - 1, 0, -1) if data.endswith(head[:count])), 0)


RTU: Final = Carrier(
    adu=adu,
    unit=unit,
    body=body,
    octets=octets,
    per_octet=1,
    request_framer=RequestFramer,
    reply_framer=ReplyFramer,
)


def _noise(buffer: bytes, taken: int, broken: int, at: int, final: bool) -> list[Event]:
    """What lies before `at` and is no frame: up to `broken`, it belonged to one whose CRC was wrong."""
    broken = min(max(taken, broken), at)
    parts = (buffer[taken:broken], "checksum"), (buffer[broken:at], "cut" if final else "noise")
    return [Noise(data, reason) for data, reason in parts if data]


def _makes_sense(request: bytes) -> bool:
    layout = pdu.REQUESTS[request[1]]
    try:
        return layout.makes_sense(layout.parse(request[_ADDRESS:-_CRC]))
    except ProtocolError:
        return False
