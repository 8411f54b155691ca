"""credentials.toml edited under a running bridge: taken without a restart, a broken one never."""

from __future__ import annotations

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end


async def test_a_corrected_token_ends_the_hold_without_a_restart(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port)
        world.write(site, {"counter": "WRONG", "room": "T2"})
        process = world.start("run")
        await world.until(lambda: "counter" in world.status()["uplink"].get("holds", {}))
        held = world.status()["sensors"]["counter"]["queued"]
        world.credentials.write_text("[sensors]\ncounter = T1\n")
        await world.until(lambda: "a text needs quotes" in world.log)
        known = len(server.stored["T2"]["window"])
        await world.until(lambda: len(server.stored["T2"]["window"]) > known + 5)
        world.write(site, {"counter": "T1", "room": "T2"})
        await world.until(lambda: len(server.stored.get("T1", {}).get("count", ())) > 20)
        assert world.status()["uplink"]["holds"] == {}
        assert process.poll() is None
        assert world.stop(process) == 0
    books = world.status()["sensors"]["counter"]
    assert books["delivered"] + books["queued"] == books["read"]
    assert len(server.stored["T1"]["count"]) >= books["delivered"] > held, (
        "those of the time of the hold are there"
    )
    assert world.log.count("a text needs quotes") == 1, world.log


async def test_a_token_added_for_a_sensor_that_had_none_is_taken(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port)
        world.write(site, {"room": "T2"})
        process = world.start("uplink")
        reader = world.start("read", "meters")
        await world.until(lambda: world.status()["sensors"]["counter"]["queued"] > 3)
        world.write(site, {"counter": "T1", "room": "T2"})
        await world.until(lambda: world.status()["sensors"]["counter"]["delivered"] > 3)
        assert world.stop(reader) == 0
        assert world.stop(process) == 0
