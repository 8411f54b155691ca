"""The gateway's own device, and `line_state` beside a sensor's values, from the real command."""

from __future__ import annotations

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.activity import Activity, WatchedDevice
from bridge.simulator.server.stand_in import StandIn
from bridge.simulator.server.telemetry import Stored
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end


async def test_the_gateway_reports_on_itself_and_its_sensors(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "G1"})
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port).replace("[spool]", 'gateway = "gate"\n\n[spool]')
        world.write(site, {"counter": "T1", "gate": "G1"})
        running = world.start("run")
        await world.until(lambda: server.api.attributes.get("T1") == {"line_state": "partly"})
        await world.until(lambda: "sensor_counter_state" in server.stored.get("G1", {}))
        await world.until(lambda: "config_hash" in server.api.attributes.get("G1", {}))
        await world.until(lambda: (world.status()["gateway"] or {}).get("last_success") is not None)
        assert world.status()["gateway"]["trouble"] is None
        assert world.stop(running) == 0


async def test_the_device_of_a_dead_sensor_gets_nothing_more_not_even_after_a_restart(
    world: World, server: StandIn
) -> None:
    server.tokens.update({"T1", "G1"})
    device = WatchedDevice("T1")
    server.api.activity = Activity([device])

    def state() -> Stored | None:
        states = server.stored.get("G1", {}).get("sensor_counter_state", {})
        return states[max(states)] if states else None

    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port).replace("[spool]", 'gateway = "gate"\n\n[spool]')
        world.write(site, {"counter": "T1", "gate": "G1"})
        running = world.start("run")
        await world.until(lambda: server.api.attributes.get("T1") == {"line_state": "partly"})
        bus.faults[1].silent = 1.0
        await world.until(lambda: state() == "silent")
        await world.until(lambda: world.status()["sensors"]["counter"]["queued"] == 0)
        last_post_at = device.last_post_at
        assert world.stop(running) == 0
        server.stored["G1"].clear()
        running = world.start("run")
        await world.until(lambda: state() == "silent")
        assert device.last_post_at == last_post_at
        assert world.stop(running) == 0


async def test_line_statistics_survive_a_restart(world: World, server: StandIn) -> None:
    server.tokens.add("T1")
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port), {"counter": "T1"})
        running = world.start("run")
        await world.until(lambda: world.status()["sensors"]["counter"].get("replies", 0) > 5)
        assert world.stop(running) == 0
        before = world.status()["sensors"]["counter"]["replies"]
        running = world.start("run")
        await world.until(lambda: world.status()["sensors"]["counter"].get("replies", 0) > before)
        assert world.stop(running) == 0
