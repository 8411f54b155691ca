"""Sensors that speak unasked, on one line, read by the real command and delivered each to its own device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bridge.sandbox.free_running import FreeRunningLine
from bridge.sandbox.server import StandIn
from protocols import layout, protocol
from protocols.sds011 import REPORT
from tests.end_to_end.conftest import World

pytestmark = pytest.mark.end_to_end

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.dust]
adapter = "{adapter}"
protocol = "sds011"

[[bus.dust.sensor]]
name = "kitchen"
id = "A160"

[[bus.dust.sensor]]
name = "street"
id = "b271"
only = ["pm10"]
"""


def report(device: str, *, pm2_5: int, pm10: int) -> bytes:
    """What a sensor with this id says, masses in 0.1 µg/m³."""
    draft = layout.build(REPORT, pm2_5=pm2_5, pm10=pm10, id=bytes.fromhex(device), check=0)
    return draft[:-2] + bytes((sum(draft[2:-2]) & 0xFF,)) + draft[-1:]


@pytest.fixture
def line() -> Iterator[FreeRunningLine]:
    settings = protocol("sds011").line
    assert settings is not None
    with FreeRunningLine(settings) as found:
        yield found


async def test_each_id_goes_to_its_own_device_and_an_unknown_one_is_listed(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(SITE.format(port=server.port, adapter=line.path), {"kitchen": "T1", "street": "T2"})
    checked = world.command("check").stdout
    assert "bus dust: sds011 at 9600 8N1" in checked
    assert "sensors push" in checked
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["dust"]["state"] == "ready")
    for tenths in range(100, 105):
        for device in ("a160", "b271", "ffee"):
            await asyncio.to_thread(line.say, report(device, pm2_5=tenths, pm10=2 * tenths))
    await world.until(
        lambda: all(len(server.stored.get(token, {}).get("pm10", ())) == 5 for token in ("T1", "T2"))
    )
    await world.until(lambda: world.status()["ledger"]["queued"] == 0)
    status, shown = world.status(), world.command("status").stdout
    assert world.stop(process) == 0, world.log
    assert sorted(server.stored["T1"]["pm2_5"].values()) == [10.0, 10.1, 10.2, 10.3, 10.4]
    assert set(server.stored["T2"]) == {"pm10"}
    assert sorted(server.stored["T2"]["pm10"].values()) == [20.0, 20.2, 20.4, 20.6, 20.8]
    assert set(server.stored) == {"T1", "T2"}
    assert status["buses"]["dust"]["line"]["not_configured"]["ffee"]["telegrams"] == 5
    assert 'heard, not configured: id = "ffee" (5 telegrams: pm2_5 10.4, pm10 20.8)' in shown
    assert status["ledger"]["read"] == status["ledger"]["delivered"] == 10


async def test_try_waits_for_a_sensor_to_speak(world: World, server: StandIn, line: FreeRunningLine) -> None:
    world.write(SITE.format(port=server.port, adapter=line.path), {})
    trying = asyncio.create_task(asyncio.to_thread(world.command, "try", "street"))
    while not trying.done():
        await asyncio.to_thread(line.say, report("a160", pm2_5=1, pm10=2) + report("b271", pm2_5=3, pm10=45))
    shown = (await trying).stdout
    assert shown == "street speaks on bus dust\n  pm10  4.5 µg/m³\n"
