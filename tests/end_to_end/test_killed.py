"""A process that dies at a random moment of an outage loses nothing that was committed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

ROUNDS = 20
COMMIT_EVERY_S = 0.1


def committed(world: World) -> set[int]:
    """Return the timestamps of all readings that another process can see in the spool now."""
    path = world.folder / "spool.db"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as spool:
        return {ts for (ts,) in spool.execute("SELECT ts FROM reading WHERE ts IS NOT NULL")}


async def test_nothing_committed_is_lost_in_twenty_kills(world: World, server: StandIn) -> None:
    """kill -9 while the server is silent, twenty times; then it answers, and everything must be there."""
    server.tokens.update({"T1", "T2"})
    server.faults.silent = True
    moments = random.Random(20)
    seen: set[int] = set()
    with SimulatedBus(units(), LINE) as bus:
        world.write(
            site_text(bus, server.port, every="20ms", commit_every=f"{round(COMMIT_EVERY_S * 1000)}ms"),
            {"counter": "T1", "room": "T2"},
        )
        for _ in range(ROUNDS):
            known = len(bus.served)
            process = world.start("run")
            await world.until(lambda known=known: len(bus.served) > known + 10)
            await asyncio.sleep(moments.uniform(0, 1.0))
            seen |= committed(world)
            process.kill()
            process.wait()
        assert len(seen) > 10 * ROUNDS
        server.faults.silent = False
        sender = world.start("uplink")
        await world.until(lambda: world.status()["ledger"]["queued"] == 0, within_s=120)
        assert world.stop(sender) == 0
    stamps = {
        token: {ts for series in server.stored[token].values() for ts in series} for token in ("T1", "T2")
    }
    arrived = stamps["T1"] | stamps["T2"]
    assert seen <= arrived
    assert server.received.conflicts == 0
    books = world.status()["ledger"]
    # Counted by stamp: a poll whose second reply came too late, on a loaded machine, has no `window`.
    assert books["read"] == books["delivered"] == len(stamps["T1"]) + len(stamps["T2"])
