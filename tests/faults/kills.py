"""`make kills ROUNDS=200`: kill -9 of reader and uplink at random moments, in outages and while they flush.

Before each kill the readings that another process can see in the spool are noted, after it the books are
audited; at the end every reading noted must be on the server.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from contextlib import closing
from pathlib import Path

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import SpoolAdmin
from tests.faults.plant import LINE, REMAINDER, TOKENS, Plant, units

OUTAGE_ROUNDS = 5  # then so many with the server there
VICTIMS = (("reader",), ("uplink",), ("reader", "uplink"))


async def kills(rounds: int, seed: int) -> None:
    """Print what was committed, delivered and lost."""
    chance = random.Random(seed)
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    committed: set[tuple[str, int]] = set()
    killed = 0
    with tempfile.TemporaryDirectory() as folder, SimulatedBus(units(), LINE) as bus:
        plant = Plant(Path(folder), bus=bus, server=server)
        try:
            plant.lay_out()
            plant.begin("reader", "uplink")
            for number in range(rounds):
                server.faults.silent = number // OUTAGE_ROUNDS % 2 == 0
                await plant.served(5)
                await asyncio.sleep(chance.uniform(0, 1.0))
                committed |= _queued(plant)
                victims = chance.choice(VICTIMS)
                plant.kill(*victims)
                killed += len(victims)
                _audit(plant)
                plant.begin(*victims)
            server.restore()
            await plant.settle(within_s=600)
        finally:
            plant.end()
            await server.stop()
        delivered = plant.reconcile().delivered
    names = {token: sensor for sensor, token in TOKENS.items()}
    arrived = {(names[arrival.token], arrival.ts_ms) for arrival in server.arrivals}
    lost = committed - arrived
    print(
        f"  {rounds} rounds, {killed} processes killed, seed {seed}\n"
        f"  seen committed {len(committed)}, delivered {delivered}, "
        f"repeated {server.received.entries - delivered}, committed and lost {len(lost)}"
    )
    assert not lost


def _queued(plant: Plant) -> set[tuple[str, int]]:
    """Return what another process can see in the spool now."""
    found: set[tuple[str, int]] = set()
    with closing(SpoolAdmin.view(plant.spool)) as spool:
        after, upto = -1, 0
        while upto != after:
            after = upto
            rows, upto = spool.rows(after, limit=5000)
            found |= {(row.sensor, row.ts_ms) for row in rows}
    return found


def _audit(plant: Plant) -> None:
    with closing(SpoolAdmin.view(plant.spool)) as spool:
        assert spool.audit() == []
        for books in spool.ledger().values():
            assert books.read == sum(getattr(books, column) for column in REMAINDER), books


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    asyncio.run(kills(**vars(parser.parse_args())))
