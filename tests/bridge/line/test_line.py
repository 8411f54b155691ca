"""The line on a scripted wire and a clock that jumps, with Modbus RTU as its protocol."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from bridge.causes import Cause
from bridge.clock import Clock
from bridge.errors import NoReply, PortLost
from bridge.line import SLACK_S, Line, Reply
from bridge.line.second_reply import WATCH_S
from bridge.line.station import HOLD_S
from protocols.modbus.rtu import ReplyFramer, adu, body
from protocols.toolkit.framing import Event, Frame, Noise
from protocols.toolkit.polling import LineSettings, Request
from tests.support.lines import Said, ScriptedLine, script
from tests.support.loop import JumpingLoop, on_jumping_clock

LINE = LineSettings(9600)
REPLY_TIMEOUT_S = 0.5
TURN_AROUND_S = 0.005


def asking(unit: int, start: int, quantity: int = 2) -> Request:
    """A request for holding registers, as a device would make it."""
    data = adu(unit, bytes((3,)) + start.to_bytes(2, "big") + quantity.to_bytes(2, "big"))

    def accepts(frame: Frame) -> bool:
        pdu = body(frame)
        is_reply = pdu[0] == 3 and len(pdu) == 2 + 2 * quantity
        return frame.data[0] == unit and (is_reply or pdu[0] == 0x83)

    return Request(data, lambda: ReplyFramer(data), accepts, 5 + 2 * quantity, f"unit {unit}: {start}")


def telling(unit: int, *registers: int) -> bytes:
    """Return the reply with these registers."""
    data = b"".join(register.to_bytes(2, "big") for register in registers)
    return adu(unit, bytes((3, len(data))) + data)


def registers(reply: Reply) -> list[int]:
    data = body(reply.frame)[2:]
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def damaged(reply: bytes) -> bytes:
    return reply[:-1] + bytes((reply[-1] ^ 0xFF,))


def now() -> float:
    return asyncio.get_running_loop().time()


class Bench:
    """A line on a scripted wire."""

    def __init__(self, answer: Callable[[bytes], Sequence[Said]], settings: LineSettings = LINE) -> None:
        self.wire = ScriptedLine(settings, answer)
        clock = Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None)
        self.line = Line(self.wire, settings, clock)

    async def ask(self, request: Request, *, is_retry: bool = False, gap_s: float = 0.0) -> list[int]:
        address = str(request.data[0])
        reply = await self.line.exchange(
            request, address, reply_timeout_s=REPLY_TIMEOUT_S, is_retry=is_retry, gap_s=gap_s
        )
        return registers(reply)


@on_jumping_clock
async def test_a_reply_is_taken_and_its_time_is_that_of_its_first_octet() -> None:
    reply = telling(1, 11, 12)
    bench = Bench(script([(0.020, reply[:3]), (0.036, reply[3:])]))
    begun = now()
    taken = await bench.line.exchange(asking(1, 0), "1", reply_timeout_s=REPLY_TIMEOUT_S)
    assert registers(taken) == [11, 12]
    assert taken.turn_around_s == pytest.approx(0.020)
    assert taken.taken.boottime_ns / 1e9 == pytest.approx(begun + LINE.duration_s(8) + 0.020)


@on_jumping_clock
async def test_no_reply_is_given_up_after_the_timeout() -> None:
    bench = Bench(script([]))
    begun = now()
    with pytest.raises(NoReply, match="unit 1: 0: does not answer, after 500 ms"):
        await bench.ask(asking(1, 0))
    assert now() - begun == pytest.approx(LINE.duration_s(8) + REPLY_TIMEOUT_S)
    assert bench.line.stations["1"].timeouts == 1


@on_jumping_clock
async def test_a_reply_that_begins_in_time_is_heard_to_its_end() -> None:
    reply = telling(1, *range(100))
    late = REPLY_TIMEOUT_S - 0.001
    chunks = [(late + LINE.duration_s(at), reply[at : at + 16]) for at in range(0, len(reply), 16)]
    bench = Bench(script(chunks))
    assert await bench.ask(asking(1, 0, 100)) == list(range(100))


@pytest.mark.parametrize(
    ("baudrate", "gap_s"), [(9600, 38.5 / 9600), (19200, 38.5 / 19200), (115200, 0.00175)]
)
def test_the_gap_is_t3_5(baudrate: int, gap_s: float) -> None:
    assert LineSettings(baudrate).frame_gap_s == pytest.approx(gap_s)


@on_jumping_clock
async def test_no_request_begins_before_the_gap_is_over() -> None:
    reply = telling(1, 1, 2)
    bench = Bench(lambda request: [(TURN_AROUND_S, reply)])
    for _ in range(5):
        await bench.ask(asking(1, 0))
    begins = [begin for begin, _ in bench.wire.sent]
    cycle_s = LINE.duration_s(8) + TURN_AROUND_S + LINE.frame_gap_s
    assert [later - begin for begin, later in pairwise(begins)] == pytest.approx([cycle_s] * 4)


@on_jumping_clock
async def test_a_sensor_may_need_a_longer_gap() -> None:
    reply = telling(1, 1, 2)
    bench = Bench(script([(TURN_AROUND_S, reply)], [(TURN_AROUND_S, reply)]))
    await bench.ask(asking(1, 0))
    heard = now()
    await bench.ask(asking(1, 0), gap_s=0.1)
    assert bench.wire.sent[1][0] - heard == pytest.approx(0.1)


@on_jumping_clock
async def test_stray_octets_before_a_reply_do_not_cost_it() -> None:
    bench = Bench(script([(0.001, b"\x00\xff\x01"), (0.020, telling(1, 11, 12))]))
    assert await bench.ask(asking(1, 0)) == [11, 12]
    assert bench.line.stations.stray_octets == 3


@on_jumping_clock
async def test_stray_octets_behind_a_reply_do_not_cost_the_next() -> None:
    bench = Bench(script([(0.020, telling(1, 11, 12) + b"\x01\x03")], [(0.020, telling(1, 13, 14))]))
    assert await bench.ask(asking(1, 0)) == [11, 12]
    assert await bench.ask(asking(1, 0)) == [13, 14]


@on_jumping_clock
async def test_the_echo_of_the_request_is_dropped() -> None:
    request = asking(1, 0)
    bench = Bench(lambda data: [(0.0, data[:3]), (0.002, data[3:]), (0.020, telling(1, 11, 12))])
    for _ in range(3):
        assert await bench.ask(request) == [11, 12]
    assert bench.line.has_echo
    assert bench.line.stations.stray_octets == bench.line.stations.foreign_frames == 0


@on_jumping_clock
async def test_an_echo_in_one_chunk_with_the_reply_is_dropped() -> None:
    bench = Bench(lambda data: [(0.016, data + telling(1, 11, 12))])
    assert await bench.ask(asking(1, 0)) == [11, 12]
    assert bench.line.has_echo


@on_jumping_clock
async def test_stray_octets_before_the_echo_are_tolerated() -> None:
    bench = Bench(lambda data: [(0.0, b"\x00" + data), (0.020, telling(1, 11, 12))])
    for _ in range(3):
        assert await bench.ask(asking(1, 0)) == [11, 12]


@on_jumping_clock
async def test_a_line_whose_echo_ends_goes_on() -> None:
    said = script([(0.0, asking(1, 0).data), (0.02, telling(1, 1, 2))], [(0.02, telling(1, 3, 4))])
    bench = Bench(said)
    assert await bench.ask(asking(1, 0)) == [1, 2]
    assert await bench.ask(asking(1, 0)) == [3, 4]
    assert not bench.line.has_echo


@on_jumping_clock
async def test_a_damaged_reply_is_counted_and_the_next_one_is_taken() -> None:
    bench = Bench(script([(0.020, damaged(telling(1, 11, 12)))], [(0.020, telling(1, 11, 12))]))
    begun = now()
    with pytest.raises(NoReply, match="checksum is wrong"):
        await bench.ask(asking(1, 0))
    assert now() - begun < 0.020 + LINE.duration_s(8 + 9) + 2 * SLACK_S, "not waited for until the timeout"
    assert await bench.ask(asking(1, 0), is_retry=True) == [11, 12]
    station = bench.line.stations["1"]
    assert (station.crc_errors, station.timeouts, station.replies) == (1, 0, 1)


@pytest.mark.parametrize("from_unit", [1, 2])
@on_jumping_clock
async def test_a_damaged_reply_that_may_be_the_late_one_of_another_unit_is_taken_for_none(
    from_unit: int,
) -> None:
    damaged_reply = damaged(telling(from_unit, 1, 2))
    bench = Bench(script([], [(0.020, damaged_reply)], [(0.020, telling(1, 8, 9))]))
    with pytest.raises(NoReply, match="does not answer"):
        await bench.ask(asking(2, 0))
    with pytest.raises(NoReply, match="checksum is wrong"):
        await bench.ask(replace(asking(1, 0), is_own=lambda frame: frame.data[0] == 1))
    if from_unit == 1:
        assert await bench.ask(asking(1, 100)) == [8, 9]
    else:
        with pytest.raises(NoReply, match="not asked"):
            await bench.ask(asking(1, 100))


@on_jumping_clock
async def test_a_good_reply_behind_a_damaged_start_is_taken() -> None:
    bench = Bench(script([(0.020, telling(1, 11, 12)[:4] + telling(1, 11, 12))]))
    assert await bench.ask(asking(1, 0)) == [11, 12]


@on_jumping_clock
async def test_a_cut_reply_ends_the_wait_and_does_not_spoil_the_next() -> None:
    bench = Bench(script([(0.020, telling(1, 11, 12)[:5])], [(0.020, telling(1, 13, 14))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(1, 0), is_retry=True) == [13, 14]


@on_jumping_clock
async def test_a_late_reply_is_not_taken_for_the_next_one() -> None:
    """What could be mistaken is not asked, and the line waits for nothing; once the late one came, it is."""
    said = script([(REPLY_TIMEOUT_S + 0.1, telling(1, 11, 12))], [(0.020, telling(1, 21, 22))])
    bench = Bench(said)
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    given_up = now()
    with pytest.raises(NoReply, match="not asked") as held:
        await bench.ask(asking(1, 100))
    assert held.value.cause is Cause.HELD
    assert now() - given_up < 0.010
    await bench.line.listen(now() + 0.2)
    assert await bench.ask(asking(1, 100)) == [21, 22]
    assert bench.line.stations["1"].late_replies == 1


@on_jumping_clock
async def test_a_hold_is_of_one_address_and_shape_and_ends() -> None:
    bench = Bench(
        script([], [(0.020, telling(2, 1, 2))], [(0.020, telling(1, 5, 6, 7))], [(0.020, telling(1, 8, 9))])
    )
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(2, 0)) == [1, 2], "others go on"
    assert await bench.ask(asking(1, 50, 3)) == [5, 6, 7], "and so does what has another reply"
    await bench.line.listen(now() + HOLD_S - 2)
    with pytest.raises(NoReply, match="not asked"):
        await bench.ask(asking(1, 100))
    await bench.line.listen(now() + 2)
    assert await bench.ask(asking(1, 100)) == [8, 9]


@on_jumping_clock
async def test_a_lost_reply_holds_no_longer_for_those_that_come_in_time() -> None:
    """The same request goes on every second, and each answer in time is no sign that the lost one comes."""
    bench = Bench(script([], *[[(0.020, telling(1, 1, 2))]] * (int(HOLD_S) + 5), [(0.020, telling(1, 8, 9))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    lost = now()
    while now() < lost + HOLD_S + 2:
        await bench.line.listen(now() + 1.0)
        await bench.ask(asking(1, 0))
        if now() < lost + HOLD_S - 2:
            with pytest.raises(NoReply, match="not asked"):
                await bench.ask(asking(1, 100))
    assert bench.line.stations["1"].clear_at(asking(1, 100)) <= now()


@pytest.mark.parametrize("lost_before", [False, True])
@on_jumping_clock
async def test_a_device_that_answers_in_turn_owes_nothing_behind_its_last_word(lost_before: bool) -> None:
    """Unless that may be the answer to the last word of an earlier poll."""
    last_word = replace(asking(1, 7, 1), clears=True)
    answered = [(0.020, telling(1, 7))]
    lost: list[list[Said]] = [[]] * (1 + lost_before)
    bench = Bench(script(*lost, answered, [(0.020, telling(1, 8, 9))]))
    if lost_before:
        with pytest.raises(NoReply):
            await bench.ask(last_word)
        await bench.line.listen(now() + 2)
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(last_word) == [7]
    if lost_before:
        with pytest.raises(NoReply, match="not asked"):
            await bench.ask(asking(1, 100))
    else:
        assert await bench.ask(asking(1, 100)) == [8, 9]


@on_jumping_clock
async def test_a_last_word_that_another_device_may_have_said_ends_nothing() -> None:
    def anyone(request: Request) -> Request:
        return replace(request, accepts=lambda frame: body(frame)[:2] == b"\x03\x02")

    bench = Bench(script([], [], [(0.020, telling(1, 7))]))
    for request in asking(1, 0), anyone(asking(2, 7, 1)):
        with pytest.raises(NoReply):
            await bench.ask(request)
    assert await bench.ask(replace(anyone(asking(1, 7, 1)), clears=True)) == [7]
    with pytest.raises(NoReply, match="not asked"):
        await bench.ask(asking(1, 100))


@on_jumping_clock
async def test_a_refusal_that_may_be_of_an_earlier_request_is_taken_for_none() -> None:
    """A refusal has no length: that of the longer read comes late, before the reply to the shorter one."""
    refusal = adu(1, bytes((0x83, 2)))
    late = [(REPLY_TIMEOUT_S + 0.1, refusal), (REPLY_TIMEOUT_S + 0.15, telling(1, 5))]
    bench = Bench(script(late, [], [(0.020, telling(1, 8, 9, 10))], [(0.020, telling(1, 6))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0, 2))
    assert await bench.ask(asking(1, 0, 1)) == [5]
    assert bench.line.stations["1"].late_replies == 1
    assert bench.line.stations["1"].is_owing, "it may have been that of the shorter read"
    assert await bench.ask(asking(1, 100, 3)) == [8, 9, 10]
    assert await bench.ask(asking(1, 50, 1)) == [6], "what is owed is no reply to these"


@on_jumping_clock
async def test_a_look_alike_long_after_is_nobodys_and_teaches_nothing() -> None:
    bench = Bench(script([], [(0.020, telling(1, 1, 2))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    bench.wire.say(telling(1, 66, 67), after_s=1200)
    await bench.line.listen(now() + 1201)
    station = bench.line.stations["1"]
    assert (station.late_replies, bench.line.stations.foreign_frames) == (0, 1)
    assert station.reply_timeout.wait_s(REPLY_TIMEOUT_S) == REPLY_TIMEOUT_S
    assert await bench.ask(asking(1, 100)) == [1, 2]


@on_jumping_clock
async def test_a_late_reply_is_counted_while_the_line_is_idle() -> None:
    bench = Bench(script([(REPLY_TIMEOUT_S + 0.1, telling(1, 11, 12))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    await bench.line.listen(now() + 10)
    station = bench.line.stations["1"]
    assert station.late_replies == 1
    slowest_s = station.reply_timeout.times.slowest_s
    assert slowest_s == pytest.approx(REPLY_TIMEOUT_S + 0.1), "learned, though too late"


@on_jumping_clock
async def test_a_late_reply_of_another_station_is_told_apart() -> None:
    said = script([(REPLY_TIMEOUT_S + 0.06, telling(1, 11, 12))], [(0.100, telling(2, 21, 22))])
    bench = Bench(said)
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(2, 0)) == [21, 22]
    assert bench.line.stations["1"].late_replies == 1
    assert bench.line.stations["2"].late_replies == 0


@on_jumping_clock
async def test_the_reply_to_a_retried_request_is_not_taken_for_the_next_one() -> None:
    """The trap: both tries are answered, the first late; the second looks like the answer to what follows."""
    slow_s = REPLY_TIMEOUT_S + 0.050
    said = script(
        [(slow_s, telling(1, 11, 12))], [(slow_s, telling(1, 11, 12))], [(0.020, telling(1, 21, 22))]
    )
    bench = Bench(said)
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(1, 0), is_retry=True) == [11, 12], "the reply to the first try"
    assert await bench.ask(asking(1, 100)) == [21, 22]
    station = bench.line.stations["1"]
    assert station.late_replies == 1
    assert station.reply_timeout.times.slowest_s == pytest.approx(slow_s)


@on_jumping_clock
async def test_the_trap_is_closed_with_a_learned_timeout_too() -> None:
    """A quick sensor becomes slow all of a sudden, and answers what it was asked one after the other."""
    quick = [[(TURN_AROUND_S, telling(1, 1, 2))]] * 30
    slow = [[(0.070, telling(1, 11, 12))], [(0.080, telling(1, 11, 12))], [(0.020, telling(1, 21, 22))]]
    bench = Bench(script(*quick, *slow))
    for _ in quick:
        await bench.ask(asking(1, 0))
    with pytest.raises(NoReply, match="50 ms"):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(1, 0), is_retry=True) == [11, 12]
    assert await bench.ask(asking(1, 100)) == [21, 22]
    assert bench.line.stations["1"].late_replies == 1


@on_jumping_clock
async def test_after_a_retry_a_request_with_another_reply_waits_for_nothing() -> None:
    """The reply to the first try comes all the same, and is taken for neither."""
    late = [(REPLY_TIMEOUT_S + 0.060, telling(1, 11, 12))]
    bench = Bench(script(late, [(TURN_AROUND_S, telling(1, 11, 12))], [(0.100, telling(1, 21, 22, 23))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    assert await bench.ask(asking(1, 0), is_retry=True) == [11, 12]
    asked = now()
    assert await bench.ask(asking(1, 100, 3)) == [21, 22, 23]
    assert now() - asked < 0.150


@on_jumping_clock
async def test_after_a_retry_the_same_request_waits_shortly_and_another_until_it_is_safe() -> None:
    quick = [[(TURN_AROUND_S, telling(1, 1, 2))]] * 30
    bench = Bench(
        script(*quick, [], [(TURN_AROUND_S, telling(1, 1, 2))], [(TURN_AROUND_S, telling(1, 3, 4))])
    )
    for _ in quick[1:]:
        await bench.ask(asking(1, 0))
    await bench.line.listen(now() + WATCH_S)
    await bench.ask(asking(1, 0))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))
    await bench.ask(asking(1, 0), is_retry=True)
    asked = now()
    with pytest.raises(NoReply, match="not asked"):
        await bench.ask(asking(1, 100))
    assert await bench.ask(asking(1, 0)) == [3, 4]
    assert now() - asked < 0.150


@on_jumping_clock
async def test_a_probe_of_the_dead_is_cheap_once_its_turn_around_is_known() -> None:
    quick = [[(TURN_AROUND_S, telling(1, 1, 2))]] * 30
    bench = Bench(script(*quick, []))
    for _ in quick:
        await bench.ask(asking(1, 0))
    asked = now()
    with pytest.raises(NoReply, match="does not answer, after 50 ms"):
        await bench.ask(asking(1, 0))
    assert now() - asked < 0.050 + LINE.duration_s(8) + 0.010


@on_jumping_clock
async def test_a_request_may_be_sent_and_answered_at_other_speeds_than_the_bus() -> None:
    slow, fast = LineSettings(300, 7, "E", 1), LineSettings(4800, 7, "E", 1)
    reply = telling(1, 1, 2)
    bench = Bench(lambda request: [(0.2, reply)])
    heard_at: list[LineSettings] = []
    bench.wire.heard = lambda: heard_at.append(bench.wire.settings)
    begun = now()
    taken = await bench.line.exchange(
        replace(asking(1, 0), line=slow, reply_line=fast), "1", reply_timeout_s=REPLY_TIMEOUT_S
    )
    assert heard_at == [fast]
    assert taken.turn_around_s == pytest.approx(0.2)
    assert now() - begun == pytest.approx(slow.duration_s(8) + 0.2)
    await bench.ask(asking(1, 0))
    assert heard_at == [fast, LINE]


@on_jumping_clock
async def test_a_request_that_is_not_answered_is_not_waited_for() -> None:
    bench = Bench(script([], [(TURN_AROUND_S, telling(1, 1, 2))]))
    begun = now()
    await bench.line.send(replace(asking(1, 0), is_answered=False), "1")
    assert now() - begun == pytest.approx(LINE.duration_s(8))
    assert await bench.ask(replace(asking(1, 0), pause_s=1.5)) == [1, 2]
    first, second = (begin for begin, _ in bench.wire.sent)
    assert second - first == pytest.approx(LINE.duration_s(8) + 1.5)
    station = bench.line.stations["1"]
    assert (station.requests, station.replies, station.timeouts) == (2, 1, 0)


@on_jumping_clock
async def test_a_device_may_fall_silent_inside_its_reply_where_its_specification_allows_it() -> None:
    reply = telling(1, *range(100))
    pauses = [(TURN_AROUND_S + at / 16, reply[at : at + 16]) for at in range(0, len(reply), 16)]
    request = replace(asking(1, 0, 100), reply_length=5, longest_reply=len(reply))
    patient = Bench(script(pauses))
    assert await patient.ask(replace(request, rest_s=1.5)) == list(range(100))
    impatient = Bench(script(pauses))
    with pytest.raises(NoReply):
        await impatient.ask(request)


@pytest.mark.parametrize("baudrate", [600, 1200, 2400, 9600])
@on_jumping_clock
async def test_octets_that_a_uart_gathers_on_a_slow_line_are_no_silence(baudrate: int) -> None:
    slow = LineSettings(baudrate, 8, "E", 1)
    reply = telling(1, *range(100))
    chunks = [
        (TURN_AROUND_S + slow.duration_s(min(at + 16, len(reply))), reply[at : at + 16])
        for at in range(0, len(reply), 16)
    ]
    request = replace(asking(1, 0, 100), reply_length=5, longest_reply=len(reply))
    assert await Bench(script(chunks), slow).ask(request) == list(range(100))


@on_jumping_clock
async def test_a_foreign_frame_is_counted_and_not_believed() -> None:
    bench = Bench(script([(0.010, telling(9, 1, 2)), (0.060, telling(1, 11, 12))]))
    assert await bench.ask(asking(1, 0)) == [11, 12]
    assert bench.line.stations.foreign_frames == 1


@on_jumping_clock
async def test_a_reply_of_the_wrong_length_is_not_believed() -> None:
    bench = Bench(script([(0.010, telling(1, 1, 2, 3))]))
    with pytest.raises(NoReply):
        await bench.ask(asking(1, 0))


@on_jumping_clock
async def test_a_line_that_never_falls_quiet_is_said_so() -> None:
    bench = Bench(script())
    for at in range(400):
        bench.wire.say(b"\x55", after_s=at * 0.01)
    await bench.line.listen(now() + 0.1)
    with pytest.raises(NoReply, match="does not fall quiet"):
        await bench.ask(asking(1, 0), gap_s=0.05)


@on_jumping_clock
async def test_an_idle_line_costs_no_wake_up() -> None:
    bench = Bench(script())
    reads = 0
    read = bench.wire.read

    async def counting(deadline: float | None = None) -> bytes:
        nonlocal reads
        reads += 1
        return await read(deadline)

    bench.wire.read = counting  # type: ignore[method-assign]
    await bench.line.listen(now() + 3600)
    assert reads <= 2, "one to wait, and one to be sure that nothing came"


@on_jumping_clock
async def test_a_lost_port_is_noticed_while_the_line_is_idle() -> None:
    bench = Bench(script())
    asyncio.get_running_loop().call_later(5, bench.wire.lose)
    with pytest.raises(PortLost):
        await bench.line.listen(now() + 3600)


@pytest.mark.parametrize("has_echo", [False, True])
@on_jumping_clock
async def test_a_bad_line_yields_no_wrong_value(has_echo: bool) -> None:
    """1000 requests with 2 % late and 5 % damaged replies: what is taken is what was asked for."""
    chance = random.Random(4)

    def answer(request: bytes) -> list[Said]:
        unit, start = request[0], int.from_bytes(request[2:4], "big")
        reply = telling(unit, start, start + 1)
        if chance.random() < 0.05:
            spot = chance.randrange(len(reply))
            reply = reply[:spot] + bytes((reply[spot] ^ chance.randint(1, 255),)) + reply[spot + 1 :]
        late_s = chance.uniform(0.04, REPLY_TIMEOUT_S * 1.5) if chance.random() < 0.02 else 0.0
        echo = [(0.0, request)] if has_echo else []
        return [*echo, (TURN_AROUND_S + late_s, reply)]

    bench = Bench(answer)
    taken = 0
    for number in range(1000):
        request = asking(1 + number % 3, number)
        await bench.line.listen(bench.line.stations[str(request.data[0])].clear_at(request))
        for attempt in range(2):
            try:
                values = await bench.ask(request, is_retry=attempt > 0)
            except NoReply:
                continue
            assert values == [number, number + 1]
            taken += 1
            break
    assert taken > 970
    stations = bench.line.stations.values()
    assert sum(station.late_replies for station in stations) >= 5
    assert sum(station.crc_errors for station in stations) >= 30


def fixed(data: bytes, length: int, first: int) -> Request:
    """A request to a device whose reply has a fixed length, begins with that octet, and has no checksum."""

    def accepts(frame: Frame) -> bool:
        return len(frame.data) == length and frame.data[0] == first

    return Request(data, lambda: _Fixed(length), accepts, length, "fixed")


class _Fixed:
    """Cuts frames of one length."""

    def __init__(self, length: int) -> None:
        self.pending = b""
        self._length = length

    def feed(self, data: bytes) -> list[Event]:
        self.pending += data
        events: list[Event] = []
        while len(self.pending) >= self._length:
            events.append(Frame(self.pending[: self._length]))
            self.pending = self.pending[self._length :]
        return events

    def silence(self) -> list[Event]:
        rest, self.pending = self.pending, b""
        return [Noise(rest, "cut")] if rest else []


@on_jumping_clock
async def test_a_reply_that_begins_with_its_request_is_no_echo() -> None:
    reply = bytes.fromhex("FF 07 A1 A7")
    bench = Bench(lambda request: [(TURN_AROUND_S, reply)])
    for _ in range(3):
        taken = await bench.line.exchange(fixed(b"\xff", 4, 0xFF), "", reply_timeout_s=REPLY_TIMEOUT_S)
        assert taken.frame.data == reply
        asked = now()
    await bench.line.exchange(fixed(b"\xff", 4, 0xFF), "", reply_timeout_s=REPLY_TIMEOUT_S)
    assert now() - asked < 0.1, "known by now, it is not waited for"
    assert not bench.line.has_echo


@on_jumping_clock
async def test_an_echo_before_such_a_reply_is_dropped_all_the_same() -> None:
    reply = bytes.fromhex("FF 07 A1 A7")
    bench = Bench(lambda request: [(0.0, request), (TURN_AROUND_S, reply)])
    for _ in range(3):
        taken = await bench.line.exchange(fixed(b"\xff", 4, 0xFF), "", reply_timeout_s=REPLY_TIMEOUT_S)
        assert taken.frame.data == reply
    assert bench.line.has_echo


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ([], Cause.SILENT),
        ([(0.02, damaged(telling(1, 11, 12)))], Cause.DAMAGED),
        ([(0.02, telling(1, 11, 12, 13))], Cause.OTHER_REPLY),
        ([(0.02, adu(1, bytes.fromhex("04 04 00 00 00 00")))], Cause.OTHER_REPLY),
        ([(0.02, telling(7, 11, 12))], Cause.OTHER_ADDRESS),
        ([(0.0, asking(1, 0).data)], Cause.ECHO),
    ],
)
@on_jumping_clock
async def test_what_was_heard_instead_of_a_reply_is_told(said: list[Said], cause: Cause) -> None:
    bench = Bench(lambda request: said)
    request = replace(asking(1, 0), is_own=lambda frame: frame.data[0] == 1)
    with pytest.raises(NoReply) as missing:
        await bench.line.exchange(request, "1", reply_timeout_s=REPLY_TIMEOUT_S)
    assert missing.value.cause is cause


@on_jumping_clock
async def test_a_reply_found_after_a_gap_teaches_nothing_and_is_stamped_when_it_usually_comes() -> None:
    reply = telling(1, 1, 2)
    bench = Bench(lambda request: [(TURN_AROUND_S, reply)])
    for _ in range(30):
        await bench.ask(asking(1, 0))
    before = bench.line.stations["1"].reply_timeout.times.count
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    begun = now()
    loop.call_later(0.010, loop.sleep, 0.8)
    taken = await bench.line.exchange(asking(1, 0), "1", reply_timeout_s=REPLY_TIMEOUT_S)
    assert now() - begun > 0.8
    times = bench.line.stations["1"].reply_timeout.times
    assert times.slowest_s == pytest.approx(TURN_AROUND_S)
    assert times.count == before
    right_ns = round((begun + LINE.duration_s(8) + TURN_AROUND_S) * 1e9)
    assert abs(taken.taken.boottime_ns - right_ns) < 50e6
    assert taken.stamp_error_s == 0


@on_jumping_clock
async def test_a_stamp_that_nobody_can_know_says_so() -> None:
    bench = Bench(script([(TURN_AROUND_S, telling(1, 1, 2))]))
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.call_later(0.010, loop.sleep, 0.8)
    taken = await bench.line.exchange(asking(1, 0), "1", reply_timeout_s=REPLY_TIMEOUT_S)
    assert taken.stamp_error_s == pytest.approx(0.4, abs=0.05)


@on_jumping_clock
async def test_chatter_does_not_hold_a_wait_beyond_its_bound() -> None:
    """Octets that never stop, each within the rest of a reply, end a wait soon after its time-out."""
    chatter = [(0.01 * number, b"\x55") for number in range(2000)]
    bench = Bench(lambda request: chatter)
    asked = now()
    request = replace(asking(1, 0), framer=_Endless)
    with pytest.raises(NoReply):
        await bench.ask(request)
    assert now() - asked < REPLY_TIMEOUT_S + LINE.duration_s(400) + SLACK_S


@on_jumping_clock
async def test_octets_that_are_always_there_do_not_hold_a_wait_beyond_its_bound() -> None:
    """A busy process never finds the kernel's buffer empty, and so never sees a read that is over in vain."""
    bench = Bench(lambda request: [])
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    asked = now()

    async def never_empty(deadline: float | None = None) -> bytes:
        if not bench.wire.sent:
            return b""
        loop.sleep(0.001)
        assert now() - asked < 10, "it waits for ever"
        bench.wire.heard_at = now()
        return b"\x55"

    bench.wire.read = never_empty  # type: ignore[method-assign]
    with pytest.raises(NoReply):
        await bench.ask(replace(asking(1, 0), framer=_Endless))
    assert now() - asked < REPLY_TIMEOUT_S + LINE.duration_s(400) + SLACK_S


class _Endless:
    """Waits for the end of a frame that never comes."""

    pending = b"?"

    def feed(self, data: bytes) -> list[Event]:
        return []

    def silence(self) -> list[Event]:
        return []
