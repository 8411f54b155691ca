"""A machine that loses its power, and one that has never known the date."""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.vm.conftest import Installed, Note, archive
from tests.vm.gateway import SPOOL, WHOSE, Gateway, adapter
from tests.vm.machine import Machine

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

MOUNTED = {"/etc/fstab": "/dev/vdb /var/lib/serial-bridge ext4 defaults 0 2\n"}
TRUE_WITHIN_MS = 100.0
LATE_AT_WORST_MS = 1000.0  # an octet waits for an emulated core, which waits for a loaded host's
COMMITTED = f"""
import sqlite3
with sqlite3.connect("file:{SPOOL}?mode=ro", uri=True) as db:
    print(*db.execute("SELECT sum(read) FROM sensor").fetchone())
"""
SET_CLOCK = """
import ctypes, struct, time
time.clock_settime(time.CLOCK_REALTIME, {now})
timex = ctypes.create_string_buffer(struct.pack("@I4xqqqqi", 0x1C, 0, 0, 1000, 1000, 0), 512)
ctypes.CDLL(None).adjtimex(timex)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return an empty disk."""
    path = tmp_path / "disk"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", path, "64M"], check=True, stdout=subprocess.DEVNULL)
    return path


async def test_what_was_committed_survives_a_power_cut_and_is_delivered(
    installed: Installed,
    sensors: dict[str, SimulatedBus],
    server: StandIn,
    disk: Path,
    tmp_path: Path,
    note: Note,
) -> None:
    server.cut()
    async with _boot(installed, sensors, server, tmp_path / "first", disk=disk) as gateway:
        await gateway.until(lambda: all(gateway.said(bus) > 20 for bus in WHOSE))
        await asyncio.sleep(random.uniform(0, 2))
        committed = int(await gateway.machine.run("python3 -S -", COMMITTED.encode()))
    assert committed > 10

    server.restore()
    async with _boot(installed, sensors, server, tmp_path / "second", disk=disk) as gateway:
        await gateway.next_reading(*WHOSE)
        assert await gateway.machine.run("serial-bridge spool audit")
        ledger = (await gateway.status())["ledger"]
        assert ledger["read"] == sum(ledger[column] for column in ledger if column != "read")
        assert ledger["expired"] == ledger["refused"] == ledger["dropped"] == 0
        await gateway.until(lambda: sum(len(gateway.arrived(bus)) for bus in WHOSE) >= ledger["read"])
    assert server.received.conflicts == gateway.unassigned() == 0
    note(f"power cut with {committed} readings committed: all delivered after the boot, the books balance")


async def test_readings_taken_in_1970_arrive_with_the_time_they_were_taken(
    installed: Installed, sensors: dict[str, SimulatedBus], server: StandIn, tmp_path: Path, note: Note
) -> None:
    server.cut()
    async with _boot(installed, sensors, server, tmp_path / "vm", rtc="1970-01-01") as gateway:
        shown = await gateway.machine.run("date +%Y-%m-%d")
        await gateway.until(lambda: all(gateway.said(bus) > 10 for bus in WHOSE))
        await gateway.machine.run("python3 -S -", SET_CLOCK.format(now=time.time()).encode())
        is_set = {bus: gateway.said(bus) for bus in WHOSE}
        ahead_ms = await _clock_ahead_ms(gateway.machine)
        server.restore()
        await gateway.next_reading(*WHOSE)
        await gateway.until(lambda: all(len(gateway.arrived(bus)) > is_set[bus] for bus in WHOSE))
    wall_s = time.time() - time.monotonic()
    late_ms = []
    for bus, line in sensors.items():
        taken = {one.registers[0] << 16 | one.registers[1]: one.at + wall_s for one in line.served}
        before = {ts: count for ts, count in gateway.arrived(bus).items() if count <= is_set[bus]}
        assert len(before) > 5
        late_ms += [ts - ahead_ms - 1000 * taken[count] for ts, count in before.items()]
    typical_ms, worst_ms = statistics.median(late_ms), max(late_ms, key=abs)
    note(
        f"boot with a clock of 1970 (the system showed {shown}): {len(late_ms)} readings from before it was "
        f"set are dated {typical_ms:+.0f} ms from their time on the wire, at worst {worst_ms:+.0f}"
    )
    assert abs(typical_ms) <= TRUE_WITHIN_MS
    assert abs(worst_ms) <= LATE_AT_WORST_MS


@asynccontextmanager
async def _boot(
    installed: Installed,
    sensors: dict[str, SimulatedBus],
    server: StandIn,
    folder: Path,
    *,
    disk: Path | None = None,
    rtc: str = "utc",
) -> AsyncIterator[Gateway]:
    """A gateway switched on with both adapters in, and cut off at the end of the block."""
    async with Machine.boot(
        installed.image,
        folder,
        files=[installed.files, archive(MOUNTED)] if disk else [installed.files],
        adapters={bus: adapter(sensors, bus) for bus in WHOSE},
        disk=disk,
        rtc=rtc,
    ) as machine:
        yield Gateway(machine, sensors, server)


async def _clock_ahead_ms(machine: Machine) -> float:
    """Return how far the machine's clock is ahead of the host's, by the quickest of some answers."""
    answers = []
    for _ in range(10):
        asked = time.time()
        shown = float(await machine.run("echo $EPOCHREALTIME"))
        answered = time.time()
        answers.append((answered - asked, shown - (asked + answered) / 2))
    return 1000 * min(answers)[1]
