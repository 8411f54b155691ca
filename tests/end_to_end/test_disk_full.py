"""The disk fills up under a reader at work, and is emptied again: nothing goes uncounted.

A hundred sensors of one address make a poll a hundred readings, so that what memory keeps is full too within
seconds. DISK_FULL_S makes it last.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE
from tests.end_to_end.small_disk import NEEDS_A_SMALL_DISK, SmallDisk

FULL_S = float(os.environ.get("DISK_FULL_S", "1"))
SENSORS = 100
SITE = """
site = "full"
[thingsboard]
url = "coap://127.0.0.1"
[spool]
path = "{folder}/disk/spool.db"
commit_every = "200ms"
[bus.meters]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "115200 8N1"
{sensors}
"""
SENSOR = """
[[bus.meters.sensor]]
name = "s{number}"
address = 1
every = "40ms"
[bus.meters.sensor.registers]
x = {{ holding = {number} }}
"""
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180 + FULL_S)]


@NEEDS_A_SMALL_DISK
async def test_a_full_disk_is_survived_said_once_and_counted(world: World) -> None:
    unit = SimulatedUnit(1, holding=dict(enumerate(range(SENSORS))))
    disk = SmallDisk(world)
    with SimulatedBus({1: unit}, LINE) as bus:
        sensors = "".join(SENSOR.format(number=number) for number in range(SENSORS))
        world.write(SITE.format(folder="{folder}", adapter=bus.path, sensors=sensors), {})
        await world.until(lambda: disk.is_there)
        process = disk.start("read", "meters")
        await world.until(lambda: len(bus.served) > 10)
        await asyncio.to_thread(disk.fill)
        await world.until(lambda: "readings wait in memory" in world.log)
        await world.until(lambda: "they are lost from now on" in world.log)
        await asyncio.sleep(FULL_S)
        assert process.poll() is None, world.log
        disk.empty()
        await world.until(lambda: "the spool takes readings again" in world.log)
        taken = disk.status()["ledger"]["read"]
        await world.until(lambda: disk.status()["ledger"]["read"] > taken)
        assert world.stop(process) == 0, world.log
    for sentence in ("readings wait in memory", "they are lost from now on", "takes readings again"):
        assert world.log.count(sentence) == 1
    audit = disk.start("spool", "audit")
    assert await asyncio.to_thread(audit.wait, 30) == 0, world.log
    found = disk.status()
    polls, line = found["sensors"]["s0"]["read"], found["buses"]["meters"]["line"]
    assert polls == line["replies"] <= len(bus.served) <= line["requests"], "some came late"
    for books in found["sensors"].values():
        assert books["read"] == polls == books["queued"] + books["dropped"]
    assert found["ledger"]["dropped"] > 0
    assert f"; {found['ledger']['dropped']} were lost" in world.log
