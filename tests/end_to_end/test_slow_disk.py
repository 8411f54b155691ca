"""A process that is asked to stop while its disk is slow keeps what it read, and says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units
from tests.faults.stops import stops

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]


async def test_no_reading_is_lost_by_stopping_on_a_slow_disk_that_many_share(tmp_path: Path) -> None:
    try:
        outcome = await stops(tmp_path, rounds=2, seed=1)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    assert outcome.replies > 20
    assert (outcome.read, outcome.missing) == (outcome.replies, 0)


async def test_readings_that_a_locked_spool_does_not_take_are_there_after_the_next_start(
    world: World,
) -> None:
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, 1, every="50ms", commit_every="30s"), {})
        first = world.start("read", "meters")
        await world.until(lambda: len(bus.served) >= 30)
        with closing(sqlite3.connect(world.folder / "spool.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert world.stop(first) == 0, world.log
            other.execute("ROLLBACK")
        assert "readings now: they wait in" in world.log
        assert "Traceback" not in world.log
        second = world.start("read", "meters")
        await world.until(lambda: "that waited in" in world.log)
        assert world.stop(second) == 0, world.log
    status = world.status()
    counter = status["sensors"]["counter"]
    assert counter["read"] == counter["queued"] == counter["replies"] >= 10
