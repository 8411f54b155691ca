"""`diagnostics = true`: what a line does is seen beside its sensor's values."""

from __future__ import annotations

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end


async def test_line_statistics_arrive_as_attributes_and_survive_a_restart(
    world: World, server: StandIn
) -> None:
    server.tokens.add("T1")
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port)
        world.write(site.replace("[spool]", "diagnostics = true\n\n[spool]"), {"counter": "T1"})
        running = world.start("run")
        await world.until(lambda: "line_state" in server.api.attributes.get("T1", {}))
        await world.until(lambda: world.status()["sensors"]["counter"]["replies"] > 5)
        assert world.stop(running) == 0
        before = world.status()["sensors"]["counter"]["replies"]
        running = world.start("run")
        await world.until(lambda: world.status()["sensors"]["counter"]["replies"] > before)
        assert world.stop(running) == 0
