"""ConcurrencyLimit, pace and acknowledgement timeout, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from bridge.coap.congestion import ConcurrencyLimit, Pace, RoundTrip
from tests.benchmarks.coap_rate import most_in_window


def flood(pace: Pace, *, lanes: int, duration_s: float, seed: int) -> Iterator[float]:
    """Sending times of lanes that always have a request, are answered in 0–50 ms, and lose one in ten."""
    chance = random.Random(seed)
    free_s = [0.0] * lanes
    while (now_s := min(free_s)) < duration_s:
        exchange = free_s.index(now_s)
        sent_s = now_s + pace.reserve(now_s)
        yield sent_s
        if chance.random() < 0.1:
            sent_s += 1 + chance.random() / 2
            pace.reserve(sent_s)  # the retransmission goes at once
            yield sent_s
        free_s[exchange] = sent_s + chance.random() * 0.05


@pytest.mark.parametrize("lanes", [1, 4, 100])
def test_a_flood_stays_below_the_rate(lanes: int) -> None:
    times = sorted(flood(Pace(150), lanes=lanes, duration_s=130, seed=lanes))
    assert most_in_window(times, 1) <= 165
    assert most_in_window(times, 60) <= 150 * 60 + lanes  # retransmissions cannot wait


def test_without_loss_no_minute_exceeds_the_rate() -> None:
    pace = Pace(150)
    times, now_s = [], 0.0
    while now_s < 200:
        now_s += pace.reserve(now_s)
        times.append(now_s)
    assert 150 * 60 - 10 <= most_in_window(times, 60) <= 150 * 60
    assert most_in_window(times, 1) <= 155


def test_a_pause_earns_a_burst_of_five_and_no_more() -> None:
    pace = Pace(100)
    pace.reserve(0.0)
    waits = [pace.reserve(3600.0) for _ in range(6)]
    assert waits[:5] == [0.0] * 5
    assert waits[5] == pytest.approx(0.01, rel=0.01)


def test_no_rate_no_wait() -> None:
    pace = Pace(None)
    assert [pace.reserve(0.0) for _ in range(10_000)] == [0.0] * 10_000


async def test_lanes_admit_in_order_and_never_more_than_their_width() -> None:
    lanes = ConcurrencyLimit(2)
    inside: list[int] = []
    log: list[int] = []
    leave = [asyncio.Event() for _ in range(5)]

    async def request(number: int) -> None:
        async with lanes:
            inside.append(number)
            log.append(number)
            assert len(inside) <= 2
            await leave[number].wait()
            inside.remove(number)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(request(number))
        for number in (1, 0, 2, 3, 4):
            await asyncio.sleep(0)
            leave[number].set()
    assert log == [0, 1, 2, 3, 4]


async def test_narrow_lanes_admit_one_at_a_time_and_wide_ones_all() -> None:
    lanes = ConcurrencyLimit(3)
    lanes.narrow()
    leave = asyncio.Event()
    inside = 0

    async def request() -> None:
        nonlocal inside
        async with lanes:
            inside += 1
            await leave.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(request())
        await asyncio.sleep(0)
        assert inside == 1
        lanes.widen()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside == 3
        lanes.width = 5
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside == 4
        leave.set()


@pytest.mark.parametrize("admitted_first", [False, True])
async def test_who_is_cancelled_while_waiting_takes_no_lane(admitted_first: bool) -> None:
    lanes = ConcurrencyLimit(1)
    await lanes.__aenter__()
    waiting = asyncio.create_task(lanes.__aenter__())
    behind = asyncio.create_task(lanes.__aenter__())
    await asyncio.sleep(0)
    if admitted_first:
        await lanes.__aexit__()
        waiting.cancel()
    else:
        waiting.cancel()
        await lanes.__aexit__()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(behind, 10)
    await lanes.__aexit__()
    await asyncio.wait_for(lanes.__aenter__(), 10)


def test_lanes_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="0 lanes carry nothing"):
        ConcurrencyLimit(2).width = 0


def test_a_fast_server_keeps_the_floor() -> None:
    round_trip = RoundTrip(1.0)
    assert round_trip.ack_timeout_s == 1.0
    for _ in range(50):
        round_trip.sample(0.05, 1)
    assert round_trip.ack_timeout_s == 1.0
    assert round_trip.smoothed_s == pytest.approx(0.05)


def test_a_link_slower_than_the_first_wait_is_learned_though_all_was_sent_twice() -> None:
    round_trip = RoundTrip(1.0)
    for _ in range(3):
        round_trip.sample(2.5, 2)
    assert round_trip.ack_timeout_s > 2.5


def test_a_lost_datagram_raises_the_wait_little_and_not_for_long() -> None:
    round_trip = RoundTrip(1.0)
    for _ in range(20):
        round_trip.sample(0.1, 1)
    round_trip.sample(1.5, 2)
    assert round_trip.ack_timeout_s < 1.5
    for _ in range(20):
        round_trip.sample(0.1, 1)
    assert round_trip.ack_timeout_s == 1.0


def test_the_wait_has_a_ceiling() -> None:
    round_trip = RoundTrip(1.0)
    for _ in range(20):
        round_trip.sample(25.0, 3)
    assert round_trip.ack_timeout_s == 4.0
