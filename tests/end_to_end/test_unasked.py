"""Sensors that push, on one line, read by the real command and delivered each to its own device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bridge.simulator.field.free_running import FreeRunningLine
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.jk_bms.broadcast import CELLS, KINDS, reply, request
from protocols.jk_bms.broadcast import build as battery_answer
from protocols.sds011 import REPORT
from protocols.toolkit import layout
from tests.end_to_end.conftest import World, newest

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
values = ["pm10"]
"""


def report(device: str, *, pm2_5: int, pm10: int) -> bytes:
    """Return what a sensor with this id says, masses in 0.1 µg/m³."""
    draft = layout.build(REPORT, pm2_5=pm2_5, pm10=pm10, id=bytes.fromhex(device), check=0)
    return draft[:-2] + bytes((sum(draft[2:-2]) & 0xFF,)) + draft[-1:]


@pytest.fixture
def line() -> Iterator[FreeRunningLine]:
    settings = load("sds011").line
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
    assert set(newest(server, "T2")) == {"pm10"}
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


BATTERIES = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.store]
adapter = "{adapter}"
protocol = "jk-bms-push"

[[bus.store.sensor]]
name = "upper"
id = "1"

[[bus.store.sensor]]
name = "lower"
id = "2"
values = ["voltage", "current", "cell_voltage_16"]
"""


async def test_batteries_that_their_master_asks_are_overheard(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    settings = load("jk-bms-push").line
    assert settings is not None
    kind = KINDS[CELLS]
    with FreeRunningLine(settings) as line:
        world.write(BATTERIES.format(port=server.port, adapter=line.path), {"upper": "T1", "lower": "T2"})
        process = world.start("run")
        await world.until(lambda: world.status()["buses"]["store"]["state"] == "ready")
        for millivolts in (3301, 3302, 3303):
            for address in (1, 2, 3):
                cells = [millivolts + address] * 16
                answer = battery_answer(
                    cell_voltages=cells + [0] * 16,
                    enabled_cells=0xFFFF,
                    voltage=sum(cells),
                    current=-1000 * address,
                )
                await asyncio.to_thread(line.say, request(address, kind) + answer + reply(address, kind))
        await world.until(
            lambda: all(len(server.stored.get(token, {}).get("voltage", ())) == 3 for token in ("T1", "T2"))
        )
        status = world.status()["buses"]["store"]["line"]
        assert world.stop(process) == 0, world.log
    assert sorted(server.stored["T1"]["voltage"].values()) == [52.832, 52.848, 52.864]
    assert set(server.stored["T1"]["current"].values()) == {-1.0}
    assert set(newest(server, "T2")) == {"voltage", "current", "cell_voltage_16"}
    assert sorted(server.stored["T2"]["cell_voltage_16"].values()) == [3.303, 3.304, 3.305]
    assert status["not_configured"]["3"]["telegrams"] == 3
