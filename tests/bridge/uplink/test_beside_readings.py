"""What is posted beside the readings: behind them, seldom, and again only after a while."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from bridge.uplink import beside_readings
from bridge.uplink.beside_readings import BesideReadings, Device
from tests.bridge.uplink.reporting import Server
from tests.support.loop import on_jumping_clock

DEVICE = ("api", "v1", "T")


def now() -> float:
    return asyncio.get_running_loop().time()


@on_jumping_clock
async def test_nothing_is_posted_while_a_live_reading_waits() -> None:
    server = Server()
    server.has_live = True
    task = asyncio.create_task(BesideReadings(server).post(Device(server, DEVICE), "telemetry", b"{}"))
    await asyncio.sleep(30)
    assert server.posts == []
    server.has_live = False
    assert await task
    assert [path for _, path, _ in server.posts] == [(*DEVICE, "telemetry")]


@on_jumping_clock
async def test_a_link_that_carries_less_than_is_read_does_not_make_the_gateway_look_dead() -> None:
    server = Server()
    server.has_live = True
    begun = now()
    assert await BesideReadings(server).post(Device(server, DEVICE), "telemetry", b"{}")
    assert now() - begun == pytest.approx(beside_readings.PATIENCE_S, abs=1)


@pytest.mark.parametrize(
    ("round_trip_s", "apart_s"), [(None, 0.67), (0.01, 0.67), (0.1, 2.5), (1.0, 25), (60, 200)]
)
def test_posts_take_one_percent_of_what_the_link_carries(round_trip_s: float | None, apart_s: float) -> None:
    @on_jumping_clock
    async def three_in_a_row() -> None:
        server = Server()
        server.round_trip_s = round_trip_s
        posts = BesideReadings(server)
        for _ in range(3):
            assert await posts.post(Device(server, DEVICE), "telemetry", b"{}")
        moments = [at for at, _, _ in server.posts]
        assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx(
            [apart_s, apart_s], rel=0.01
        )

    three_in_a_row()


@on_jumping_clock
async def test_a_silent_server_is_left_to_the_readings_to_find_again() -> None:
    server = Server()
    server.silent = True
    assert not await BesideReadings(server).post(Device(server, DEVICE), "telemetry", b"{}")
    assert server.posts == []


@pytest.mark.parametrize(
    ("answer", "in_an_hour", "trouble"),
    [
        ("4.01", range(5, 10), "access token (4.01)"),
        ("5.00", range(40, 90), "5.00"),
        (None, range(40, 90), "answer"),
    ],
)
def test_what_is_refused_is_tried_again_further_and_further_apart(
    answer: str | None, in_an_hour: range, trouble: str
) -> None:
    @on_jumping_clock
    async def an_hour() -> None:
        server = Server()
        server.answer = answer
        posts = BesideReadings(server)
        until = now() + 3600
        while now() < until:
            assert not await posts.post(Device(server, DEVICE), "telemetry", b"{}")
            await asyncio.sleep(5)
        assert len(server.posts) in in_an_hour
        assert trouble in posts.trouble[(*DEVICE, "telemetry")]
        server.answer = "2.01"
        await asyncio.sleep(2000)
        assert await posts.post(Device(server, DEVICE), "telemetry", b"{}")
        assert posts.trouble == {}

    an_hour()


@on_jumping_clock
async def test_one_device_that_is_refused_stops_no_other() -> None:
    server = Server()
    server.answer = "4.01"
    posts = BesideReadings(server)
    assert not await posts.post(Device(server, DEVICE), "attributes", b"{}")
    server.answer = "2.01"
    assert not await posts.post(Device(server, DEVICE), "attributes", b"{}")
    assert await posts.post(Device(server, ("api", "v1", "OTHER")), "attributes", b"{}")


@pytest.mark.parametrize(("carries_readings", "resets"), [(True, 0), (False, 1)])
def test_a_connection_of_its_own_is_renewed_after_silence(carries_readings: bool, resets: int) -> None:
    @on_jumping_clock
    async def once() -> None:
        server = Server()
        server.answer, server.carries_readings = None, carries_readings
        assert not await BesideReadings(server).post(Device(server, ("api", "v1")), "telemetry", b"{}")
        assert server.resets == resets

    once()
