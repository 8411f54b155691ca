"""The server's clock, asked round a second's edge: on made-up clocks, and of the stand-in itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import BUILD_DATE, Clock, Instant, Told
from bridge.coap import Client, Response
from bridge.config import Site, load_site
from bridge.response_code import CONTENT, NOT_FOUND
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, Spool
from bridge.uplink.server_time import NARROW_NS, NS_PER_S, NoTime, TimeKeeper, ask

EPOCH_NS = int(BUILD_DATE.timestamp()) * NS_PER_S


class Distant:
    """A server whose clock is `offset_ns` ahead of boottime, and a network with these delays, in ms."""

    def __init__(self, offset_ns: int, delays_ms: Sequence[tuple[int, int]]) -> None:
        self.offset_ns = offset_ns
        self.delays_ms = delays_ms
        self.now_ns = 50 * NS_PER_S
        self.asked = 0

    async def get(self, path: Sequence[str], *, deadline_s: float) -> Response:
        there, back = self.delays_ms[self.asked % len(self.delays_ms)]
        self.asked += 1
        self.now_ns += there * 1_000_000
        seconds = (self.now_ns + self.offset_ns) // NS_PER_S
        self.now_ns += back * 1_000_000
        return Response(CONTENT, seconds.to_bytes(4, "big"))

    async def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


@given(
    st.integers(0, 10 * NS_PER_S),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=10),
)
def test_the_offset_is_found_to_50_ms(fraction_ns: int, delays_ms: list[tuple[int, int]]) -> None:
    server = Distant(EPOCH_NS + fraction_ns, delays_ms)
    found = asyncio.run(ask(server, lambda: server.now_ns, server.sleep))
    assert found.low <= server.offset_ns < found.high
    assert abs(found.middle_ns - server.offset_ns) <= NARROW_NS // 2
    assert server.asked <= 10


@given(st.integers(0, NS_PER_S), st.integers(0, 3000), st.integers(0, 3000))
def test_a_slow_network_costs_no_more_than_its_round_trip(fraction_ns: int, there: int, back: int) -> None:
    server = Distant(EPOCH_NS + fraction_ns, [(there, back)])
    found = asyncio.run(ask(server, lambda: server.now_ns, server.sleep))
    assert found.low <= server.offset_ns < found.high
    assert abs(found.middle_ns - server.offset_ns) <= max(NARROW_NS, (there + back) * 1_000_000)


@pytest.mark.parametrize(
    "response", [Response(NOT_FOUND, b""), Response(CONTENT, b"now"), Response(CONTENT, bytes(4))]
)
async def test_what_is_no_time_is_not_taken_for_one(response: Response) -> None:
    class Odd:
        async def get(self, path: Sequence[str], *, deadline_s: float) -> Response:
            return response

    with pytest.raises(NoTime, match="does not tell the time"):
        await ask(Odd(), time.monotonic_ns)


SITE = """
site = "test"
[thingsboard]
url = "coap://127.0.0.1:{port}"
[spool]
path = "spool.db"
"""


def site_of(folder: Path, port: int) -> Site:
    (folder / "site.toml").write_text(SITE.format(port=port))
    return load_site(folder / "site.toml")


async def test_the_stand_in_tells_its_time_to_100_ms() -> None:
    server = StandIn()
    port = await server.start()
    async with Client("127.0.0.1", port) as client:
        found = await ask(client, time.monotonic_ns)
        truth_ns = time.time_ns() - time.monotonic_ns()
    await server.stop()
    assert found.low - 1_000_000 <= truth_ns <= found.high + 1_000_000
    assert found.width_ns <= NARROW_NS or found.answers == 10


class Lost:
    """A machine in 1970 whose clock believes what the keeper publishes."""

    def __init__(self) -> None:
        self.told: Told | None = None
        self.published = asyncio.Event()
        self.clock = Clock(
            "this-boot", time.monotonic_ns, time.monotonic_ns, lambda _: None, lambda: self.told
        )

    def publish(self, document: dict[str, Any]) -> None:
        self.told = Told(document["boot_id"], document["offset_ns"], document["source"])
        self.published.set()


async def test_readings_that_wait_are_dated_by_the_server_without_another_reading(tmp_path: Path) -> None:
    server = StandIn()
    port = await server.start()
    machine = Lost()
    site = site_of(tmp_path, port)
    spool = Spool.open(site.spool.path)
    taken, truth_ms = machine.clock.now(), time.time() * 1000
    spool.add([Reading("meter", Instant("an earlier boot", 5), None, b'{"v":0}', 1)])
    spool.add([Reading("meter", taken, None, b'{"v":1}', 1)])
    async with Client("127.0.0.1", port) as client, asyncio.timeout(60):
        keeper = asyncio.create_task(
            TimeKeeper(machine.clock, client, site, publish=machine.publish).run()  # type: ignore[arg-type]
        )
        while len(spool.rows(0, limit=10)[0]) < 2:  # noqa: ASYNC110 - the keeper works on the file
            await asyncio.sleep(0.05)
        keeper.cancel()
        await asyncio.wait([keeper])
    await server.stop()
    stamps = {row.body: row.ts_ms for row in spool.rows(0, limit=10)[0]}
    assert abs(stamps[b'{"v":1}'] - truth_ms) < 1000, "100 ms, if this machine is not busy"
    assert stamps[b'{"v":0}'] < stamps[b'{"v":1}']
    placed = spool.placed()
    assert placed is not None
    assert placed.readings == 1
    assert machine.clock.state.startswith("the clock of 127.0.0.1, to ±")
    spool.close()


async def test_a_server_that_does_not_answer_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.uplink.server_time.FIRST_RETRY_S", 0.0)
    monkeypatch.setattr("bridge.uplink.server_time.LAST_RETRY_S", 0.0)
    monkeypatch.setattr("bridge.uplink.server_time.LOOK_EVERY_S", 0.01)
    asked = 0
    often = asyncio.Event()

    class Silent:
        async def get(self, path: Sequence[str], *, deadline_s: float) -> Response:
            nonlocal asked
            asked += 1
            if asked == 3:
                often.set()
            return Response(NOT_FOUND, b"")

    machine = Lost()
    keeper = TimeKeeper(machine.clock, Silent(), site_of(tmp_path, 5683), publish=machine.publish)  # type: ignore[arg-type]
    task = asyncio.create_task(keeper.run())
    await asyncio.wait_for(often.wait(), 60)
    task.cancel()
    await asyncio.wait([task])
    assert [record.getMessage() for record in caplog.records] == [
        "no trusted time, neither here nor from the server: the server does not tell the time: 4.04 "
    ]
