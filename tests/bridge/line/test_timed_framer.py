"""Each frame and each noise has the arrival of its own first octet, however the octets came in chunks."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import Instant
from bridge.line.timed_framer import Arrival, TimedFramer
from protocols.toolkit.framing import Event, Frame, Noise
from tests.bridge.line.test_line import LINE, REPLY_TIMEOUT_S, Bench, asking, registers, script, telling
from tests.support.loop import on_jumping_clock

START = 0x02
LENGTH = 4


class Fixed:
    """A framer of frames of four octets that begin with STX; what precedes one is noise, octet by octet."""

    def __init__(self) -> None:
        self.pending = b""

    def feed(self, data: bytes) -> list[Event]:
        self.pending += data
        events: list[Event] = []
        while self.pending:
            length = LENGTH if self.pending[0] == START else 1
            if len(self.pending) < length:
                break
            piece, self.pending = self.pending[:length], self.pending[length:]
            events.append(Frame(piece) if length == LENGTH else Noise(piece, "noise"))
        return events

    def silence(self) -> list[Event]:
        rest, self.pending = self.pending, b""
        return [Noise(rest, "cut")] if rest else []


@given(
    st.lists(st.sampled_from([b"\x02abc", b"\x02\x02\x02\x02", b"x", b"\x02a"]), max_size=12).map(b"".join),
    st.lists(st.integers(0, 9), max_size=20),
)
def test_the_arrival_is_that_of_the_first_octet(stream: bytes, cuts: list[int]) -> None:
    subject = TimedFramer(Fixed())
    arrival_of: list[int] = []  # by octet, the chunk it came in
    timed: list[tuple[Event, Arrival]] = []
    at = 0
    for number, length in enumerate([*cuts, len(stream)]):
        chunk = stream[at : at + length]
        at += len(chunk)
        arrival_of += [number] * len(chunk)
        timed += subject.feed(chunk, Arrival(float(number), Instant("boot", number)))
    timed += subject.silence()
    position = 0
    for event, arrival in timed:
        assert arrival.at == arrival_of[position]
        assert arrival.taken.boottime_ns == arrival_of[position]
        position += len(event.data)
    assert position == len(stream)


@pytest.mark.parametrize("stray", [b"\xff", b"\xff\xfe\x00"])
@on_jumping_clock
async def test_octets_that_came_before_a_reply_do_not_make_it_older(stray: bytes) -> None:
    bench = Bench(script([(0.010, stray), (0.040, telling(1, 11, 12))]))
    begun = asyncio.get_running_loop().time()
    reply = await bench.line.exchange(asking(1, 0), "1", reply_timeout_s=REPLY_TIMEOUT_S)
    assert registers(reply) == [11, 12]
    assert reply.taken.boottime_ns / 1e9 == pytest.approx(begun + LINE.duration_s(8) + 0.040)


@on_jumping_clock
async def test_a_second_exchange_is_not_stamped_with_a_chunk_of_the_first() -> None:
    reply = telling(1, 11, 12)
    bench = Bench(lambda request: [(0.020, reply[:5]), (0.030, reply[5:])])
    for _ in range(3):
        begun = asyncio.get_running_loop().time()
        answer = await bench.line.exchange(asking(1, 0), "1", reply_timeout_s=REPLY_TIMEOUT_S)
        sent_at, _ = bench.wire.sent[-1]
        assert sent_at >= begun
        assert answer.taken.boottime_ns / 1e9 == pytest.approx(sent_at + LINE.duration_s(8) + 0.020)
