"""From a plugged adapter, and from a gateway that is switched on, to the first reading: seconds, each time.

The machine is emulated instruction by instruction, some ten to twenty times slower than what it stands for,
and its cores wait for the host's while that does other work: how long, is measured, and is not the gateway's.
The bounds hold there all the same. What is switched on is counted from the start of the kernel; the firmware
before it is QEMU's.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import median

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.vm.conftest import Installed, Note
from tests.vm.gateway import TOKENS, UPLINK, WHOSE, Gateway, adapter, unit
from tests.vm.machine import Machine
from tests.vm.timeline import attached, host_to_guest_s, steps

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SPOOLED_WITHIN_S = 6.0
DELIVERED_AFTER_BOOT_S = 30.0
PLUGS = 10
BOOTS = 3


async def test_a_plugged_adapters_first_reading_is_in_the_spool_within_seconds(
    gateway: Gateway, note: Note
) -> None:
    note(f"plug → first reading, seconds since the plug (host's load {os.getloadavg()[0]:.1f}):")
    spooled_s, delivered_s = [], []
    for number in range(1, PLUGS + 1):
        offset_s = await host_to_guest_s(gateway.machine)
        served = len(gateway.lines["meters"].served)
        spooled = asyncio.create_task(gateway.next_commit())
        await gateway.until(lambda: gateway.machine.holds("pgrep -f '^python3 -S -$'"))
        delivered = asyncio.create_task(_arrival(gateway.server, "meters"))
        plugged, waited_s = time.monotonic() + offset_s, gateway.machine.waited_s()
        await gateway.plug("meters")
        committed = await spooled
        waited_s = gateway.machine.waited_s() - waited_s
        moments = {
            "spooled": committed,
            "delivered": await delivered + offset_s,
            "attached": (await attached(gateway.machine))[-1],
            "asked": gateway.lines["meters"].served[served].at + offset_s,
        }
        (moments["device"],) = await steps(gateway.machine, "dev-sbridge-meters.device", "ActiveEnter")
        moments["started"], moments["ready"] = await steps(
            gateway.machine, unit("meters"), "ExecMainStart", "ActiveEnter"
        )
        note(f"  {number:2}: {_shown(moments, plugged)}; {waited_s:.1f} of it waited for the host")
        spooled_s.append(committed - plugged - waited_s)
        delivered_s.append(moments["delivered"] - committed)
        await gateway.unplug("meters")
        await gateway.stopped("meters")
    note(
        f"  in the spool {median(spooled_s):.1f} s after the plug without that, at most {max(spooled_s):.1f} "
        f"(bound {SPOOLED_WITHIN_S:.0f}); at the server {median(delivered_s):.1f} s later, "
        f"at most {max(delivered_s):.1f}"
    )
    assert max(spooled_s) <= SPOOLED_WITHIN_S, spooled_s


async def test_a_gateway_that_is_switched_on_delivers_from_each_bus_within_seconds(
    installed: Installed, sensors: dict[str, SimulatedBus], server: StandIn, tmp_path: Path, note: Note
) -> None:
    delivered_s = []
    for number in range(1, BOOTS + 1):
        arrivals = [asyncio.create_task(_arrival(server, bus)) for bus in WHOSE]
        async with Machine.boot(
            installed.image,
            tmp_path / str(number),
            files=[installed.files],
            adapters={bus: adapter(sensors, bus) for bus in WHOSE},
        ) as machine:
            gateway = Gateway(machine, sensors, server)
            delivered = max(await asyncio.gather(*arrivals))
            assert gateway.unassigned() == 0
            offset_s = await host_to_guest_s(machine)
            moments = {
                "switched on": machine.switched_on + offset_s,
                "attached": max(await attached(machine)),
                "delivered": delivered + offset_s,
            }
            (moments["systemd"],) = await steps(machine, "", "Userspace")
            (moments["uplink"],) = await steps(machine, UPLINK, "ActiveEnter")
            readers = [await steps(machine, unit(bus), "ExecMainStart", "ActiveEnter") for bus in WHOSE]
            moments["started"], moments["ready"] = map(max, zip(*readers, strict=True))
        note(f"boot {number}, seconds since the kernel's start: {_shown(moments)}")
        delivered_s.append(moments["delivered"])
    note(
        f"kernel's start → a reading of each of {len(WHOSE)} buses at the server: "
        f"at most {max(delivered_s):.1f} s (bound {DELIVERED_AFTER_BOOT_S:.0f})"
    )
    assert max(delivered_s) <= DELIVERED_AFTER_BOOT_S


async def _arrival(server: StandIn, bus: str) -> float:
    """Wait for the next reading of a bus at the server; when it was there, on the host's clock."""
    before = len(server.stored.get(TOKENS[bus], {}).get("count", {}))
    while True:
        if len(server.stored.get(TOKENS[bus], {}).get("count", {})) > before:
            return time.monotonic()
        await asyncio.sleep(0.01)


def _shown(moments: dict[str, float], since: float = 0.0) -> str:
    """Return the moments in their order."""
    ordered = sorted(moments.items(), key=lambda moment: moment[1])
    return ", ".join(f"{name} {at - since:.1f}" for name, at in ordered)
