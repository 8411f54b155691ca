"""The counters of a bus go to the disk, and no poll waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.reader.saved_counters import LAST_SAVE_WITHIN_S, SavedCounters
from bridge.simulator.field.bus import SimulatedBus
from bridge.status.line_statistics import SAVE_EVERY_S, Memory
from tests.bridge.reader.test_reader import WITHIN_S, Bench, bench, bus_of, sensor, simulated
from tests.support.loop import on_jumping_clock

__all__ = ["bench", "simulated"]

BUSES = 64
STALLED_S = 2.0  # the longest that the disk below keeps who writes: one that waits for it cannot overlook it


class BusyDisk(Memory):
    """A file on a disk that takes nothing until the test lets it, or for `STALLED_S`.

    Attributes:
        is_busy: a write has begun and has not ended.
        writers: the thread of each write.
    """

    def __init__(self, path: Path, save_every_s: float = SAVE_EVERY_S) -> None:
        super().__init__(path, save_every_s)
        self.is_busy = False
        self.writers: list[threading.Thread] = []
        self._is_idle = threading.Event()

    def save(self, text: bytes) -> None:
        self.writers.append(threading.current_thread())
        self.is_busy = True
        self._is_idle.wait(STALLED_S)
        self.is_busy = False
        super().save(text)

    def go_on(self) -> None:
        self._is_idle.set()


class OthersFile(BusyDisk):
    """A file for which the process takes the rights of another user."""

    is_of_another_user = True


async def test_a_busy_disk_delays_no_poll(bench: Bench, simulated: SimulatedBus, tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    disk = BusyDisk(path, save_every_s=0.5)
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("a", 1)), memory=disk):
        await _until(lambda: disk.is_busy)
        asked = simulated.requests.total()
        await _until(lambda: simulated.requests.total() >= asked + 10)
        assert disk.is_busy, "the polls waited for the disk"
        disk.go_on()
    assert Memory(path).total(_document(0))["line"]["requests"] >= asked + 10


@on_jumping_clock
async def test_the_buses_of_a_site_do_not_write_together(tmp_path: Path) -> None:
    disks = [OthersFile(tmp_path / str(bus)) for bus in range(BUSES)]
    counters = [SavedCounters(f"bus{bus}", disk) for bus, disk in enumerate(disks)]
    writes = []
    for disk in disks:
        disk.go_on()
    for now in range(2 * int(SAVE_EVERY_S)):
        before = _writes(disks)
        for each in counters:
            each.note(_document(now), now)
        writes.append(_writes(disks) - before)
    assert max(writes) <= 4
    assert sum(writes[: int(SAVE_EVERY_S)]) >= BUSES - 1, "each within the first ten minutes"
    assert sum(writes[int(SAVE_EVERY_S) :]) == BUSES, "and once in ten minutes from then on"


async def test_a_stop_waits_for_a_write_and_keeps_the_newest_counters(tmp_path: Path) -> None:
    disk = BusyDisk(tmp_path / "meters.json")
    counters = SavedCounters("meters", disk)
    counters.note(_document(1), 0.0)
    counters.note(_document(1), SAVE_EVERY_S)
    await _until(lambda: disk.is_busy)
    stop = asyncio.create_task(counters.save_last(_document(2)))
    await asyncio.sleep(0)
    assert len(disk.writers) == 1, "two writes at once would each take the other's draft"
    disk.go_on()
    await stop
    assert len(disk.writers) == 2
    assert Memory(tmp_path / "meters.json").total(_document(0))["line"]["requests"] == 2


@on_jumping_clock
async def test_a_stop_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = BusyDisk(tmp_path / "meters.json")
    began = asyncio.get_running_loop().time()
    await SavedCounters("meters", disk).save_last(_document(1))
    assert asyncio.get_running_loop().time() - began == pytest.approx(LAST_SAVE_WITHIN_S)
    assert "bus meters: the disk did not take the line statistics within 0.5 s" in caplog.text
    disk.go_on()
    disk.writers[0].join()


async def test_what_needs_the_rights_of_another_user_is_written_while_nothing_else_runs(
    tmp_path: Path,
) -> None:
    disk = OthersFile(tmp_path / "meters.json")
    disk.go_on()
    await SavedCounters("meters", disk).save_last(_document(1))
    assert disk.writers == [threading.current_thread()]


def _document(requests: int) -> Any:
    return {"sensors": {}, "line": {"requests": requests}}


def _writes(disks: list[OthersFile]) -> int:
    return sum(len(disk.writers) for disk in disks)


async def _until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            if claim():
                return
            await asyncio.sleep(0.01)
