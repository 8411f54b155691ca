"""A poll against a simulated unit: what is asked, what comes back, what is learned."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from protocols import load
from protocols.modbus.apart import MOST_ADDED
from protocols.modbus.device import ModbusDevice
from protocols.modbus.rtu import RequestFramer, SimulatedUnit, adu
from protocols.modbus.settings import parse_settings
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.lessons import LEARN_AFTER, LONGEST_RETRY_S, RETRY_REFUSED_S
from protocols.toolkit.polling import LineSettings, PollResult
from tests.protocols.vectors import frames

LINE = LineSettings.parse("9600 8N1")

Claim = Callable[[str], bool]


def device(*sensors: dict[str, Any]) -> ModbusDevice:
    return ModbusDevice([parse_settings({"address": 1} | sensor) for sensor in sensors], LINE)


def holding(*addresses: int, **more: Any) -> dict[str, Any]:
    return {"registers": {f"r{at}": {"holding": at} for at in addresses}} | more


def unit(*missing: int, upto: int = 200, **more: Any) -> SimulatedUnit:
    return SimulatedUnit(1, holding={at: at + 1000 for at in range(upto) if at not in missing}, **more)


def poll(
    polled: ModbusDevice,
    answering: SimulatedUnit,
    *,
    now: float = 0.0,
    replies: int = 1000,
    silent: Claim = lambda asked: False,
    refused: Callable[[str], int | None] = lambda asked: None,
) -> tuple[PollResult, list[str]]:
    """Return the result, and what was asked.

    Args:
        now: when the poll begins, in seconds.
        replies: after so many the unit falls silent.
        silent: whether it is silent on what is asked in these words.
        refused: the exception code with which it refuses what is asked in these words.
    """
    asked: list[str] = []
    dialogue = polled.poll(now)
    frame: Frame | None = None
    try:
        request = next(dialogue)
        while True:
            words = request.summary.removeprefix("unit 1: ")
            asked.append(words)
            (heard,) = RequestFramer().feed(request.data)
            assert isinstance(heard, Frame)
            reply = answering.answer(heard) if len(asked) <= replies and not silent(words) else None
            if reply is not None and (code := refused(words)):
                reply = adu(1, bytes((request.data[1] | 0x80, code)))
            frame = None
            if reply is not None:
                (frame,) = (Frame(data) for data in frames(request.framer().feed(reply)))
                assert request.accepts(frame)
                assert len(reply) in (request.reply_length, 5)
            request = dialogue.send(frame)
    except StopIteration as stop:
        return stop.value, asked


def quantity(asked: str) -> int:
    """Return how many addresses a read asks for, by its words."""
    first, _, last = asked.rpartition(" ")[2].partition("–")
    return int(last or first) - int(first) + 1


def test_a_poll_brings_all_values_in_one_request() -> None:
    polled = device(holding(*range(10)))
    result, asked = poll(polled, unit())
    assert asked == ["holding registers 0–9"]
    assert result == PollResult(values=({f"r{at}": at + 1000 for at in range(10)},))
    assert [request.summary for request in polled.planned()] == ["unit 1: holding registers 0–9"]


def test_eight_sensors_of_one_unit_are_one_request() -> None:
    result, asked = poll(device(*(holding(at) for at in range(8))), unit())
    assert asked == ["holding registers 0–7"]
    assert result.values == tuple({f"r{at}": at + 1000} for at in range(8))


def test_every_table_is_read() -> None:
    answering = SimulatedUnit(1, {3: 7}, {4: 8}, {5: True}, {6: False, 14: True})
    registers = {"h": {"holding": 3}, "i": {"input": 4}, "c": {"coil": 5}, "d": {"discrete": 14}}
    result, asked = poll(device({"registers": registers}), answering)
    assert len(asked) == 4
    assert result.values == ({"h": 7, "i": 8, "c": True, "d": True},)


def test_a_refused_hole_is_learned_and_costs_no_value() -> None:
    polled, answering = device(holding(0, 1, 2, 5, 6, 9)), unit(3, 4)
    result, asked = poll(polled, answering)
    assert asked[0] == "holding registers 0–9"
    assert result.complete
    assert result.values[0]["r9"] == 1009
    assert [refusal.code for refusal in result.refusals] == [2, 2]
    result, asked = poll(polled, answering)
    assert asked == ["holding registers 0–2", "holding registers 5–9"]
    assert (result.complete, result.refusals) == (True, ())


def test_a_refused_register_is_found_and_costs_only_itself() -> None:
    polled, answering = device(holding(*range(8))), unit(refuse={("holding", 5)})
    for _ in range(LEARN_AFTER):
        result, _ = poll(polled, answering)
        assert result.values[0].keys() == {f"r{at}" for at in range(8)} - {"r5"}
        assert not result.complete
        assert str(result.refusals[-1]) == "holding registers 5: illegal data address"
    assert result.left_out == ({"r5": "illegal data address"},)
    result, asked = poll(polled, answering)
    assert asked == ["holding registers 0–4", "holding registers 6–7"]
    assert not result.complete


def test_what_is_left_out_is_asked_for_again_by_time_at_a_growing_distance_and_comes_back() -> None:
    polled, answering = device(holding(*range(8))), unit(refuse={("holding", 5)})
    retried = []
    for now in range(4000):
        _, asked = poll(polled, answering, now=float(now))
        if now >= LEARN_AFTER and "holding registers 5" in asked:
            retried.append(now)
    distances = [later - earlier for earlier, later in pairwise([LEARN_AFTER - 1, *retried])]
    assert distances[0] == RETRY_REFUSED_S
    assert distances == sorted(distances)
    assert len(retried) <= 10
    answering.refuse.clear()
    poll(polled, answering, now=4000 + LONGEST_RETRY_S)
    result, asked = poll(polled, answering, now=4001 + LONGEST_RETRY_S)
    assert result == PollResult(({f"r{at}": at + 1000 for at in range(8)},))
    assert asked == ["holding registers 0–7"]


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_one_refusal_in_a_life_costs_no_value_and_no_later_request(code: int) -> None:
    polled = device(holding(*range(20)))
    poll(polled, unit())
    once = iter([code])
    result, asked = poll(polled, unit(), now=1, refused=lambda _: next(once, None))
    assert (result.complete, len(asked), len(result.refusals)) == (True, 2, 1)
    assert poll(polled, unit(), now=2)[1] == ["holding registers 0–19"]


@pytest.mark.parametrize("every_s", [0.1, 0.5, 1, 5, 60, 900])
@pytest.mark.parametrize("worked_before", [True, False])
def test_three_seconds_of_refusals_are_over_at_the_next_poll_or_within_ten_seconds(
    every_s: float, worked_before: bool
) -> None:
    polled, answering = device(holding(*range(10), 90)), unit()
    if worked_before:
        poll(polled, answering, now=-every_s)
    now = 0.0
    while now < 3:
        result, asked = poll(polled, answering, now=now, refused=lambda _: 2)
        assert len(asked) <= 6
        now += every_s
    over = now
    while not (result := poll(polled, answering, now=now)[0]).complete:
        now += every_s
    assert result.left_out == ()
    assert now - over <= max(10 - every_s, 0)


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_an_hour_of_sporadic_refusals_costs_a_tenth_more_requests_and_no_more_values(share: float) -> None:
    chance = random.Random(1)
    wanted = [*range(10), *range(40, 50), 120, 180]
    polled, answering = device(holding(*wanted)), unit()
    least = len(polled.planned())
    asked_in_all = refused_in_all = lost = 0
    for now in range(3600):
        result, asked = poll(
            polled, answering, now=float(now), refused=lambda _: 2 if chance.random() < share else None
        )
        asked_in_all += len(asked)
        refused_in_all += len(result.refusals)
        lost += len(wanted) - len(result.values[0])
    assert asked_in_all <= 1.1 * least * 3600
    assert lost <= refused_in_all
    assert len(polled.planned()) == least


@pytest.mark.parametrize("code", [1, 3, 4])
@pytest.mark.parametrize("most", [1, 7, 16, 59])
def test_a_long_read_is_halved_whatever_it_is_refused_with(code: int, most: int) -> None:
    polled, answering = device(holding(*range(60))), unit()

    def refused(asked: str) -> int | None:
        return code if quantity(asked) > most else None

    result, _ = poll(polled, answering, refused=refused)
    assert (result.complete, result.left_out) == (True, ())
    result, asked = poll(polled, answering, now=1, refused=refused)
    assert (result.complete, result.refusals) == (True, ())
    assert max(map(quantity, asked)) <= most


@pytest.mark.parametrize("code", [5, 6, 0x0A, 0x0B])
def test_a_busy_unit_teaches_nothing(code: int) -> None:
    polled, answering = device(holding(*range(20), 100)), unit()
    for now in range(10):
        result, asked = poll(polled, answering, now=now, refused=lambda _: code)
        assert asked == ["holding registers 0–19", "holding registers 100"]
        assert result.left_out == ()
    assert poll(polled, answering, now=10)[0].complete


def test_a_cut_is_tried_joined_again_beside_its_parts() -> None:
    polled, answering = device(holding(*range(20))), unit()
    first = iter([3])
    assert poll(polled, answering, refused=lambda _: next(first, None))[0].complete
    assert len(polled.planned()) == 2
    result, asked = poll(polled, answering, now=RETRY_REFUSED_S)
    assert (result.complete, asked[2:]) == (True, ["holding registers 0–19"])
    assert len(polled.planned()) == 1


def test_a_cut_is_not_tried_where_nothing_is_gained_by_it() -> None:
    """The second read is told apart by a register before it, since the unit does not stand the one behind."""
    polled, answering = device(holding(0, 100)), unit(upto=101)
    assert poll(polled, answering)[0].complete
    for now in range(5, 3600, 5):
        assert poll(polled, answering, now=float(now))[1] == [
            "holding registers 0",
            "holding registers 99–100",
        ]


def shortest_of(polled: ModbusDevice, answering: SimulatedUnit, silent: Claim, polls: int) -> PollResult:
    for now in range(polls):
        result, _ = poll(polled, answering, now=float(now), silent=silent)
    return result


@pytest.mark.parametrize(
    "silent",
    [
        lambda asked: quantity(asked) > 16,  # above 16 registers
        lambda asked: quantity(asked) > 1,  # on all but single registers
        lambda asked: "–" in asked and " 0" in asked,  # with the first one in a longer read
    ],
    ids=["above 16", "above 1", "first"],
)
def test_a_unit_silent_on_long_reads_gives_every_value_in_the_end(silent: Claim) -> None:
    polled, answering = device(holding(*range(40))), unit()
    result = shortest_of(polled, answering, silent, 40)
    assert (result.complete, result.left_out) == (True, ())
    late = [len(asked) - len(polled.planned()) for _, asked in _polls(polled, answering, silent, 40, 600)]
    assert sum(late) <= 40, "only what is tried again by time"


def _polls(
    polled: ModbusDevice, answering: SimulatedUnit, silent: Claim, begin: int, end: int
) -> list[tuple[PollResult, list[str]]]:
    return [poll(polled, answering, now=float(now), silent=silent) for now in range(begin, end)]


def test_a_unit_silent_on_a_hole_is_read_around_it() -> None:
    polled, answering = device(holding(0, 1, 2, 5, 6)), unit()

    def silent(asked: str) -> bool:
        return asked == "holding registers 0–6" or asked.endswith((" 3", " 4"))

    result = shortest_of(polled, answering, silent, 3)
    assert result.complete
    assert [request.summary for request in polled.planned()] == [
        "unit 1: holding registers 0–2",
        "unit 1: holding registers 5–6",
    ]


@pytest.mark.parametrize("deaf", ["holding", "input"])
def test_a_unit_silent_on_one_function_gives_the_other_and_names_what_is_left_out(deaf: str) -> None:
    registers = {f"h{at}": {"holding": at} for at in range(9)} | {f"i{at}": {"input": at} for at in range(9)}
    polled = device({"registers": registers})
    answering = SimulatedUnit(1, dict.fromkeys(range(9), 1), dict.fromkeys(range(9), 2))
    polls = _polls(polled, answering, lambda asked: asked.startswith(deaf), 0, 600)
    result = polls[-1][0]
    assert result.values[0].keys() == {name for name in registers if name[0] != deaf[0]}
    assert result.left_out == ({name: "no reply" for name in registers if name[0] == deaf[0]},)
    silences = [sum(one.startswith(deaf) for one in asked) for _, asked in polls]
    assert sum(silences[20:]) <= 60 * 9 / 9, "each costs the line a time-out"
    result = shortest_of(polled, answering, lambda asked: False, 4000)
    assert (result.complete, result.left_out) == (True, ())


def test_one_silent_register_is_found_and_costs_only_itself() -> None:
    polled, answering = device(holding(*range(50))), unit()

    def silent(asked: str) -> bool:
        first, _, last = asked.rpartition(" ")[2].partition("–")
        return int(first) <= 33 <= int(last or first)

    polls = _polls(polled, answering, silent, 0, 60)
    assert polls[-1][0].left_out == ({"r33": "no reply"},)
    assert len(polls[-1][0].values[0]) == 49
    assert all(sum(map(silent, asked)) <= 3 for _, asked in polls)


def test_a_unit_that_is_not_there_costs_one_request_a_poll() -> None:
    polled, answering = device(holding(*range(10)), {"registers": {"i": {"input": 5}}}), unit()
    assert [len(asked) for _, asked in _polls(polled, answering, lambda _: True, 0, 50)] == [1] * 50
    answering.input[5] = 7
    assert shortest_of(polled, answering, lambda _: False, 2).complete


def test_a_lost_reply_teaches_nothing() -> None:
    polled, answering = device(holding(0, 1, 2, 100)), unit()
    poll(polled, answering)
    for now in range(1, 200, 2):
        poll(polled, answering, now=float(now), replies=now % 4 // 2)
        result, asked = poll(polled, answering, now=now + 1.0)
        assert (result.complete, len(asked)) == (True, 2)


def test_after_a_silence_nothing_is_asked_whose_reply_could_be_mistaken() -> None:
    registers = {f"r{at}": {"input": at} for at in (0, 100, 200)} | {"h": {"holding": 0}}
    polled = device({"registers": registers, "limits": {"max_registers": 1}})
    answering = unit(upto=1, input={0: 7, 100: 8, 200: 9})
    poll(polled, answering)
    lost = iter([False, True])
    result, asked = poll(polled, answering, now=1, silent=lambda _: next(lost, False))
    assert asked == ["input registers 0", "input registers 100", "holding registers 0"]
    shapes = [request.shape for request in polled.planned()]
    assert len(set(shapes)) < len(shapes)
    assert not result.complete


def test_a_unit_that_refuses_everything_is_still_asked() -> None:
    polled, answering = device(holding(0)), unit(refuse={("holding", 0)})
    for _ in range(3):
        result, asked = poll(polled, answering)
        assert asked == ["holding registers 0"]
        assert len(result.refusals) == 1
    answering.refuse.clear()
    assert poll(polled, answering)[0].complete


def test_a_unit_with_a_smaller_maximum_is_learned() -> None:
    polled, answering = device(holding(*range(60))), unit(max_registers=20)
    result, _ = poll(polled, answering)
    assert (result.complete, len(result.values[0])) == (True, 60)
    result, asked = poll(polled, answering)
    assert result.refusals == ()
    assert len(asked) == 4


def test_a_known_maximum_is_kept() -> None:
    _, asked = poll(device(holding(*range(60), limits={"max_registers": 20})), unit(max_registers=20))
    assert len(asked) == 3


def test_silence_ends_a_poll_and_keeps_what_was_read() -> None:
    result, asked = poll(device(holding(0, 100)), unit(), replies=1)
    assert asked == ["holding registers 0", "holding registers 100–101", "holding registers 100"]
    assert (result.values, result.complete) == (({"r0": 1000},), False)


def test_another_refusal_is_recorded_and_teaches_nothing() -> None:
    polled = device(holding(0, 1))
    dialogue = polled.poll(0)
    next(dialogue)
    try:
        dialogue.send(Frame(adu(1, b"\x83\x06")))
    except StopIteration as stop:
        result: PollResult = stop.value
    assert str(result.refusals[0]) == "holding registers 0–1: server device busy"
    assert not result.complete
    assert poll(polled, unit())[1] == ["holding registers 0–1"]


def test_only_a_reply_of_the_asked_shape_is_accepted() -> None:
    (request,) = device(holding(0, 1)).planned()
    good = adu(1, b"\x03\x04\0\1\0\2")
    assert request.accepts(Frame(good))
    assert request.accepts(Frame(adu(1, b"\x83\x02")))
    for wrong in (
        adu(2, b"\x03\x04\0\1\0\2"),
        adu(1, b"\x04\x04\0\1\0\2"),
        adu(1, b"\x03\x02\0\1"),
        adu(1, b"\x84\x02"),
        request.data,
    ):
        assert not request.accepts(Frame(wrong))


def test_values_out_of_limits_are_counted_and_left_out() -> None:
    registers = {"a": {"holding": 0, "max": 900}, "b": {"holding": 1, "invalid": 1001}, "c": {"holding": 2}}
    result, _ = poll(device({"registers": registers}), unit())
    reasons = {"a": "1000 is above max = 900", "b": "the device has none (raw 03E9)"}
    assert result == PollResult(({"c": 1002},), out_of_limits=1, missing=(reasons,))


def test_the_catalogue_makes_the_same_device() -> None:
    entry = load("modbus-rtu")
    sensor = entry.settings({"address": 7, "model": "eastron-sdm120"})
    assert sensor.address == "7"
    assert entry.device([sensor], LINE).address == "7"


def test_a_simulated_unit_refuses_as_the_specification_says() -> None:
    answering = unit(upto=10)

    def answer(body: str, address: int = 1) -> bytes | None:
        return answering.answer(Frame(adu(address, bytes.fromhex(body)), Direction.REQUEST))

    assert answer("03 0000 0001") == adu(1, bytes.fromhex("03 02 03E8"))
    assert answer("03 0009 0002") == adu(1, b"\x83\x02")
    assert answer("03 0000 0000") == adu(1, b"\x83\x03")
    assert answer("03 0000 007E") == adu(1, b"\x83\x03")
    assert answer("06 0000 0001") == adu(1, b"\x86\x01")
    assert answer("03 0000 0001", address=2) is None
    assert answer("06 0000 0001", address=0) is None


def test_a_scale_may_stand_in_another_read_than_its_value() -> None:
    registers = {
        "near": {"holding": 0, "scale": {"holding": 1}, "min": 0, "max": 500},
        "far": {"holding": 1, "scale": {"modicon": 40151}},
        "input": {"holding": 2, "scale": {"input": 7}},
    }
    answering = SimulatedUnit(1, {0: 2305, 1: 0xFFFF, 2: 5, 150: 0x8000}, {7: 3})
    polled = device({"registers": registers})
    result, asked = poll(polled, answering)
    assert asked == ["input registers 7", "holding registers 0–2", "holding registers 150"]
    reason = "its scale is not implemented (raw 8000)"
    assert result == PollResult(({"near": 230.5, "input": 5000},), missing=({"far": reason},))
    answering.holding[1] = 0
    assert poll(polled, answering)[0].out_of_limits == 1
    answering.input.clear()
    for _ in range(LEARN_AFTER):
        result, _ = poll(polled, answering)
    assert result.left_out == ({"input": "illegal data address"},)


def test_a_unit_that_answers_no_short_read_is_asked_for_more() -> None:
    limits = {"min_registers": 4, "forbidden": {"holding": [[103, 110]]}}
    polled = device(holding(0, 102, 40, 41, limits=limits))

    def refused(asked: str) -> int | None:
        return 3 if quantity(asked) < 4 else None

    result, asked = poll(polled, unit(), refused=refused)
    assert asked == ["holding registers 0–3", "holding registers 40–44", "holding registers 97–102"]
    assert result == PollResult(({"r0": 1000, "r102": 1102, "r40": 1040, "r41": 1041},))


def test_the_gap_of_a_model_is_kept_before_each_request() -> None:
    sensor = parse_settings({"address": 1, "registers": {"a": {"holding": 0}}})
    polled = ModbusDevice([replace(sensor, gap_s=0.05), sensor], LINE)
    assert [request.pause_s for request in polled.planned()] == [0.05]


@pytest.mark.parametrize("code", [None, 2])
def test_a_unit_that_gives_only_shorter_reads_from_now_on_is_cut_after_several_polls(
    code: int | None,
) -> None:
    polled, answering = device(holding(*range(20), 90)), unit()
    assert poll(polled, answering)[0].complete

    def is_long(asked: str) -> bool:
        return quantity(asked) > 12

    def silent(asked: str) -> bool:
        return code is None and is_long(asked)

    def refused(asked: str) -> int | None:
        return code if is_long(asked) else None

    for now in range(1, 3 * LEARN_AFTER):
        result, asked = poll(polled, answering, now=float(now), silent=silent, refused=refused)
    assert (result.complete, result.left_out) == (True, ())
    assert not any(map(is_long, asked))


def test_reads_of_one_length_are_made_of_different_lengths_and_no_more_requests() -> None:
    polled, answering = device(holding(0, 40, 80, 120, 160)), unit()
    result, asked = poll(polled, answering)
    assert result == PollResult(({f"r{at}": at + 1000 for at in (0, 40, 80, 120, 160)},))
    assert sorted(map(quantity, asked)) == [1, 2, 3, 4, 5]
    assert len({request.shape for request in polled.planned()}) == 5
    assert sum(request.reply_length for request in polled.planned()) <= 5 * 7 + 2 * 10


def test_more_registers_are_asked_for_before_the_wanted_ones_where_those_behind_are_forbidden() -> None:
    limits = {"forbidden": {"holding": [[41, 50], [100, 119]]}, "max_registers": 3}
    _, asked = poll(device(holding(0, 40, 99, limits=limits)), unit())
    assert asked == ["holding registers 0", "holding registers 39–40", "holding registers 97–99"]


def test_many_reads_of_one_length_share_few_lengths() -> None:
    polled = device(holding(*range(0, 2000, 100)))
    shapes = Counter(request.shape for request in polled.planned())
    assert set(shapes.values()) == {20 // (MOST_ADDED + 1)}


def test_sensors_of_one_unit_in_two_rhythms_are_told_apart_too() -> None:
    first, second = device(holding(0, 100)), device(holding(40, 140))
    second.keep_apart([first])
    assert len({request.shape for polled in (first, second) for request in polled.planned()}) == 4


@pytest.mark.parametrize("is_silent", [False, True], ids=["refused", "silent"])
def test_a_unit_that_does_not_stand_registers_nobody_wants_loses_no_value_and_is_asked_as_before(
    is_silent: bool,
) -> None:
    wanted = (0, 40, 80, 120, 160)
    polled, answering = device(holding(*wanted)), unit()

    def is_odd(asked: str) -> bool:
        return quantity(asked) > 1

    more = 0
    for now in range(12 * len(wanted)):
        result, asked = poll(
            polled,
            answering,
            now=float(now),
            silent=lambda asked: is_silent and is_odd(asked),
            refused=lambda asked: 2 if is_odd(asked) else None,
        )
        assert result.values == ({f"r{at}": at + 1000 for at in wanted},)
        assert result.complete
        more += len(asked) - len(wanted)
        assert len(asked) <= len(wanted) + 2
    assert more <= 12 * len(wanted)
    result, asked = poll(polled, answering, now=LONGEST_RETRY_S - 1, refused=lambda asked: None)
    for hour in range(1, 20):
        result, asked = poll(polled, answering, now=2 * hour * LONGEST_RETRY_S)
        assert result.complete
    assert len({request.shape for request in polled.planned()}) == 5, "they are asked for again, by time"
