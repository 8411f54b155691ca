"""The page beside a reader and an uplink at work: it asks the reader, and takes nothing from either."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.commands.web.store import AccessStore, now_s
from bridge.config import load_site
from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.commands.web.served import Served
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units
from tests.support.ports import free_tcp_port

pytestmark = pytest.mark.end_to_end

STREAM = "GET /events HTTP/1.1\r\nHost: {host}\r\nCookie: session={cookie}\r\n\r\n"


@pytest.fixture
def field() -> Iterator[SimulatedBus]:
    with SimulatedBus(units(), LINE) as field:
        yield field


async def page_beside(world: World, server: StandIn, field: SimulatedBus) -> Served:
    """Return the site in service, and its page."""
    server.tokens.update({"T1", "T2"})
    port = free_tcp_port()
    web = f'[web]\nlisten = "local"\nport = {port}\n'
    text = site_text(field, server.port).replace("[bus.meters]", f"{web}[bus.meters]", 1)
    world.write(text, {"counter": "T1", "room": "T2"})
    world.start("run")
    page = Served(load_site(world.site), world.start("web", "serve"), port)
    await world.until(page.is_up)
    await world.until(lambda: len(server.stored.get("T2", {}).get("window", ())) > 5)
    return page


async def test_a_sensor_is_tried_by_its_reader_and_shown_with_its_registers(
    world: World, server: StandIn, field: SimulatedBus
) -> None:
    page = await page_beside(world, server, field)
    status, response = page.act("/try", page.session(), name="room")
    text = response.decode()
    assert status == 200, text
    assert "It answers." in text
    assert "unit 2: input registers 0" in text
    assert "-1.0 °C" in text
    entries = [json.loads(line) for line in (world.folder / "audit.jsonl").read_text().splitlines()]
    assert [entry["command"] for entry in entries] == ["web try"]


async def test_a_sensor_that_falls_silent_is_said_to_be_so_with_the_next_step(
    world: World, server: StandIn, field: SimulatedBus
) -> None:
    page = await page_beside(world, server, field)
    field.faults[2].silent = True
    cookie = page.session()
    status, response = page.act("/try", cookie, name="room")
    assert status == 200
    assert "does not answer" in response.decode()
    await world.until(lambda: ">silent<" in page.ask("/", cookie=cookie)[1].decode())


async def test_a_bus_in_service_is_scanned_by_its_reader(
    world: World, server: StandIn, field: SimulatedBus
) -> None:
    page = await page_beside(world, server, field)
    cookie = page.session()
    status, _ = page.act("/scan", cookie, bus="meters")
    assert status == 303

    def text() -> str:
        return page.ask("/scan", cookie=cookie)[1].decode()

    await world.until(lambda: "its reader asks, between the polls" in text())
    before = len(server.stored["T2"]["window"])
    await world.until(lambda: len(server.stored["T2"]["window"]) > before + 10)  # its sensors are read on


async def test_an_answer_that_takes_longer_than_the_idle_time_is_not_cut_off(
    world: World, field: SimulatedBus
) -> None:
    field.faults[2].silent = True
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    web = f'[web]\nlisten = "local"\nport = {port}\n'
    text = site_text(field, 5683).replace('reply_timeout = "100ms"', 'reply_timeout = "5s"')
    world.write(text.replace("[bus.meters]", f"{web}[bus.meters]", 1), {})
    world.start("read", "meters")
    await world.until(lambda: field.requests[2] > 0)
    page = Served(load_site(world.site), world.start("web", "serve", "--idle", "2"), port)
    await world.until(page.is_up)
    begun_at = time.monotonic()
    status, response = page.act("/try", page.session(), name="room")
    assert (status, time.monotonic() - begun_at > 4) == (200, True)
    assert "does not answer" in response.decode()
    assert page.process.wait(20) == 0


async def test_ten_open_pages_take_nothing_from_reader_and_uplink(
    world: World, server: StandIn, field: SimulatedBus
) -> None:
    page = await page_beside(world, server, field)
    before = figures(world.status())
    streams = []
    for _browser in range(10):
        stream = socket.create_connection(("127.0.0.1", page.port), timeout=10)
        stream.sendall(STREAM.format(host=page.host, cookie=page.session()).encode())
        streams.append(stream)
    count = len(server.stored["T2"]["window"])
    await world.until(lambda: len(server.stored["T2"]["window"]) > count + 60)
    try:
        assert all(b"data: {" in received(stream) for stream in streams)
    finally:
        for stream in streams:
            stream.close()
    after = figures(world.status())
    requests = after["requests"] - before["requests"]
    assert after["timeouts"] - before["timeouts"] < 0.05 * requests  # a loaded machine is late now and then
    assert after["missed"] - before["missed"] < 0.2 * requests
    assert after["lost"] == 0


def received(stream: socket.socket) -> bytes:
    return stream.recv(65536) + stream.recv(65536)


def figures(status: dict[str, Any]) -> dict[str, int]:
    """Return what would show that somebody was kept waiting."""
    sensors = status["sensors"].values()
    books = status["ledger"]
    return {
        "requests": sum(sensor["requests"] for sensor in sensors),
        "timeouts": sum(sensor["timeouts"] for sensor in sensors),
        "missed": sum(sensor["missed_slots"] for sensor in sensors),
        "lost": books["expired"] + books["refused"] + books["dropped"],
    }


async def test_pair_sessions_and_revoke_on_the_command_line(world: World, field: SimulatedBus) -> None:
    text = site_text(field, 5683).replace("[bus.meters]", '[web]\nlisten = "local"\n[bus.meters]', 1)
    world.write(text, {})
    paired = world.command("web", "pair")
    assert paired.returncode == 0, paired.stderr
    assert "http://localhost:8470/pair" in paired.stdout
    code = "".join(filter(str.isdigit, paired.stdout.partition("code ")[2].partition(",")[0]))
    store = AccessStore(Path(load_site(world.site).spool.path))
    assert store.change(lambda access: access.pair(code, "cookie", "a phone", now_s()))
    (row,) = json.loads(world.command("web", "sessions", "--json").stdout)
    assert row["browser"] == "a phone"
    assert world.command("web", "revoke", row["session"]).stdout == "1 session ended\n"
    assert world.command("web", "revoke", row["session"]).returncode == 1
    assert "no browser is paired" in world.command("web", "sessions").stdout
