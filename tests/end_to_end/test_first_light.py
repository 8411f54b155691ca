"""From a sensor on the wire to the server, with the real command in its own process."""

from __future__ import annotations

import time

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World, newest
from tests.end_to_end.lateness import Lateness
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end

COLUMNS = ("delivered", "queued", "expired", "refused", "dropped")


async def test_readings_arrive_with_their_values_and_their_time_on_the_wire(
    world: World, server: StandIn
) -> None:
    server.tokens.update({"T1", "T2"})
    before = time.time()
    with SimulatedBus(units(), LINE) as bus, Lateness().watched() as lateness:
        world.write(site_text(bus, server.port), {"counter": "T1", "room": "T2"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("count", ())) > 5)
        await world.until(lambda: len(server.stored.get("T2", {}).get("window", ())) > 5)
        assert world.stop(process) == 0, world.log
    stored = server.stored["T1"]
    assert set(newest(server, "T1")) == {"count", "zero", "temperature"}  # the NaN is left out
    assert set(stored["zero"].values()) == {0}
    assert set(stored["temperature"].values()) == {23.4}
    assert set(server.stored["T2"]["temperature"].values()) == {-1.0}
    assert set(server.stored["T2"]["window"].values()) == {True}
    counts = [stored["count"][ts] for ts in sorted(stored["count"])]
    assert counts == sorted(set(counts))
    assert max(counts) - len(counts) <= lateness.excuses(bus.served)
    assert all(1000 * before <= ts <= 1000 * time.time() for ts in stored["count"])


async def test_what_was_read_is_committed_when_the_process_is_asked_to_stop(
    world: World, server: StandIn
) -> None:
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port, commit_every="30s"), {"counter": "T1", "room": "T2"})
        process = world.start("read", "meters")
        await world.until(lambda: len(bus.served) >= 12)
        asked = time.monotonic()
        assert world.stop(process) == 0, world.log
        assert time.monotonic() - asked < 15, "the next commit would be half a minute away"
    books = world.status()["ledger"]
    assert books["read"] == books["queued"] >= len(bus.served) // 2 - 1


async def test_a_sensor_whose_token_is_unknown_waits_and_the_others_flow(
    world: World, server: StandIn
) -> None:
    server.tokens.add("T2")
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port), {"counter": "WRONG", "room": "T2"})
        process = world.start("run")
        await world.until(lambda: world.status()["sensors"]["room"]["delivered"] > 5)
        await world.until(lambda: world.status()["sensors"]["counter"]["queued"] > 5)
        sensors = world.status()["sensors"]
        assert world.stop(process) == 0
    assert sensors["counter"]["delivered"] == 0
    assert "WRONG" not in world.log


async def test_a_silent_and_a_refusing_sensor_are_counted_and_cost_the_others_nothing(
    world: World, server: StandIn
) -> None:
    server.tokens.update({"T1", "T2", "T3"})
    site = """
[[bus.meters.sensor]]
name = "gone"
address = 9
every = "100ms"
[bus.meters.sensor.registers]
x = { holding = 0, type = "uint16" }

[[bus.meters.sensor]]
name = "refusing"
address = 2
every = "100ms"
[bus.meters.sensor.registers]
x = { holding = 777, type = "uint16" }
"""
    with SimulatedBus(units(), LINE) as bus:
        world.write(
            site_text(bus, server.port).replace("{folder}", str(world.folder)) + site,
            {"counter": "T1", "room": "T2", "gone": "T3", "refusing": "T4"},
        )
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("count", ())) > 30)
        await world.until(lambda: world.status()["sensors"]["gone"]["state"] == "silent")
        await world.until(lambda: world.status()["sensors"]["room"]["delivered"] > 10)
        sensors = world.status()["sensors"]
        assert world.stop(process) == 0
    assert sensors["gone"]["timeouts"] >= 3
    assert sensors["gone"]["read"] == 0
    assert sensors["refusing"]["exceptions"] >= 1
    assert sensors["refusing"]["read"] == 0


async def test_a_pulled_adapter_is_said_once_and_read_again_when_it_is_back(
    world: World, server: StandIn
) -> None:
    server.tokens.update({"T1", "T2"})
    link = world.folder / "adapter"
    with SimulatedBus(units(), LINE, link=link) as bus:
        world.write(site_text(bus, server.port), {"counter": "T1", "room": "T2"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("count", ())) > 3)
        bus.unplug()
        await world.until(lambda: world.status()["buses"]["meters"]["state"] == "lost")
        known = len(bus.served)
        bus.replug()
        await world.until(lambda: len(bus.served) > known + 10)
        assert world.stop(process) == 0
    assert world.log.count("bus meters: ") < 10, world.log


async def test_a_second_reader_of_a_bus_exits_and_names_the_first(world: World, server: StandIn) -> None:
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port), {"counter": "T1", "room": "T2"})
        first = world.start("read", "meters")
        await world.until(lambda: len(bus.served) > 2)
        second = world.command("read", "meters")
        assert second.returncode == 1
        assert str(first.pid) in second.stderr
        assert world.stop(first) == 0


async def test_the_ledger_balances_and_agrees_with_the_server(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port, every="50ms"), {"counter": "T1", "room": "T2"})
        reader, sender = world.start("read", "meters"), world.start("uplink")
        await world.until(lambda: len(bus.served) > 60)
        assert world.stop(reader) == 0
        await world.until(lambda: world.status()["ledger"]["queued"] == 0)
        assert world.stop(sender) == 0
    found = world.status()
    assert found["ledger"]["read"] == sum(found["ledger"][column] for column in COLUMNS) > 30
    for sensor, token, key in (("counter", "T1", "count"), ("room", "T2", "window")):
        assert found["sensors"][sensor]["delivered"] == len(server.stored[token][key])
