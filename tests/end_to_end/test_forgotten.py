"""`status --forget`: what was learned of a sensor is gone soon, however rarely the sensor is asked."""

from __future__ import annotations

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(120)]

REPLY_TIMEOUT_MS = 2000.0
FORGOTTEN_WITHIN_S = 2.0
LATE_S = 2.0  # what a loaded machine takes for the command that shows it

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1"

[spool]
path = "{folder}/spool.db"

[bus.meters]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "115200 8N1"
reply_timeout = "2s"

[[bus.meters.sensor]]
name = "main"
address = 1
every = "1h"
[bus.meters.sensor.registers]
"""


def reply_timeout_ms(world: World) -> float:
    """Return how long a reply of the sensor is waited for; the configured time before the first poll."""
    learned: dict[str, float] = world.status()["sensors"]["main"].get("learned", {})
    return learned.get("reply_timeout_ms", REPLY_TIMEOUT_MS)


async def test_what_was_learned_is_gone_within_two_seconds_on_an_idle_bus(world: World) -> None:
    unit = SimulatedUnit(1)
    unit.holding.update({1000 * place: place for place in range(8)})
    with SimulatedBus({1: unit}, LINE) as bus:
        registers = "".join(f"r{place} = {{ holding = {1000 * place} }}\n" for place in range(8))
        world.write(SITE.replace("{adapter}", str(bus.path)) + registers, {})
        reader = world.start("read", "meters")
        await world.until(lambda: reply_timeout_ms(world) < REPLY_TIMEOUT_MS)
        before = world.status()["sensors"]["main"]

        done = world.command("status", "--forget", "main")
        assert done.returncode == 0, done.stderr
        await world.until(lambda: reply_timeout_ms(world) == REPLY_TIMEOUT_MS, FORGOTTEN_WITHIN_S + LATE_S)
        after = world.status()["sensors"]["main"]
        assert after["turn_around_p99_ms"] is None
        assert after["requests"] == before["requests"], "nothing was asked meanwhile"
        assert world.stop(reader) == 0
