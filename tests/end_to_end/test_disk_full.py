"""The disk fills up under a reader at work, and is emptied again: nothing goes uncounted.

The spool lies on a small file system of its own, mounted where nobody else sees it. A hundred sensors of one
address make a poll a hundred readings, so that what memory keeps is full too within seconds. DISK_FULL_S
makes it last.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.sensors import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE

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
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
A_SMALL_DISK = 'mount -t tmpfs -o size=24m tmpfs "$1" && exec sleep infinity'

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180 + FULL_S)]


class SmallDisk:
    """A file system of 24 MB that only processes started here see, and this test through /proc."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.folder / "disk"
        self.folder.mkdir()
        self.holder = subprocess.Popen([*NAMESPACE, "sh", "-c", A_SMALL_DISK, "sh", self.folder])
        world.processes.append(self.holder)
        self.filler = Path(f"/proc/{self.holder.pid}/root{self.folder}/filler")

    @property
    def is_there(self) -> bool:
        return str(self.folder) in Path(f"/proc/{self.holder.pid}/mounts").read_text()

    def command(self, *arguments: str) -> list[str]:
        """`serial-bridge` with these arguments, on the small disk."""
        enter = ["nsenter", "--preserve-credentials", "--user", "--mount", f"--target={self.holder.pid}"]
        return [*enter, sys.executable, "-m", "bridge", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.world.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(*arguments), env=self.world.environment, stdout=log, stderr=log
            )
        self.world.processes.append(process)
        return process

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            self.command("status", "--json"), env=self.world.environment, capture_output=True, check=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def fill(self) -> None:
        """Takes what the disk has left, to the last page."""
        with self.filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass


@pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine lets no one but root mount a small disk",
)
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
        disk.filler.unlink()
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
