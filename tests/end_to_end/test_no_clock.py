"""A gateway without RTC and NTP boots in 1970: what it reads arrives with the right time all the same.

Reader and uplink are processes of their own, as installed. Their wall clock shows the time since boot, and
nobody vouches for it; the uplink asks the server, and the readers learn it from what the uplink publishes.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

IN_1970 = """
import time
from bridge.commands.terminal import app as terminal
from bridge.clock import kernel_clock

time.time_ns = kernel_clock.boottime_ns
kernel_clock.is_synchronized = kernel_clock.has_set_clock_at_boot = lambda: False
terminal.main()
"""


def start(world: World, *arguments: str) -> subprocess.Popen[bytes]:
    with (world.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", IN_1970, *arguments], env=world.environment, stdout=log, stderr=log
        )
    world.processes.append(process)
    return process


async def test_the_server_tells_a_gateway_in_1970_what_time_it_is(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port), {"counter": "T1", "room": "T2"})
        reader = start(world, "read", "meters")
        await world.until(lambda: len(bus.served) > 20)
        asked = time.monotonic()
        uplink = start(world, "uplink")
        await world.until(lambda: world.log.count("the time is trusted (the clock of 127.0.0.1") == 2)
        known = len(bus.served)
        await world.until(lambda: len(server.stored.get("T1", {}).get("count", ())) > known // 2 + 5)
        assert world.stop(reader) == world.stop(uplink) == 0, world.log
    arrived = {count: ts_ms for ts_ms, count in server.stored["T1"]["count"].items()}
    served = [one for one in bus.served if one.unit == 1]
    wall_s = time.time() - time.monotonic()
    late_ms = {n: arrived[n] - (served[n - 1].at + wall_s) * 1000 for n in sorted(arrived)}
    before = [late_ms[n] for n in arrived if served[n - 1].at < asked]
    assert len(before) > 5
    assert min(map(abs, before)) < 100, "what is more is this machine's load, not the clock's error"
    assert min(map(abs, late_ms.values())) < 100
    stamps = [arrived[n] for n in sorted(arrived)]
    assert stamps == sorted(set(stamps))
