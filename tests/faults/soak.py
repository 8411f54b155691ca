"""`make soak MINUTES=60`: one plant, one fault after the other at random, and the figures at the end."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.faults.catalogue import FAULTS
from tests.faults.plant import LINE, Plant, units

QUIET_S, FAULTY_S = (1.0, 8.0), (2.0, 20.0)


async def soak(minutes: float, seed: int) -> None:
    """Print what was served, delivered, repeated and lost, and what the processes hold.

    "Too late" are replies that the reader did not believe any more, and has counted as missed.
    """
    chance = random.Random(seed)
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    with tempfile.TemporaryDirectory() as folder, SimulatedBus(units(), LINE) as bus:
        plant = Plant(Path(folder), bus=bus, server=server)
        try:
            plant.lay_out(every="100ms")
            plant.begin("reader", "uplink")
            await plant.until(lambda: server.received.entries > 100)
            began, faults = time.monotonic(), 0
            before = _rss_mb(plant)
            while (left := began + 60 * minutes - time.monotonic()) > 0:
                await asyncio.sleep(min(left, chance.uniform(*QUIET_S)))
                name = chance.choice(sorted(FAULTS))
                faults += 1
                print(f"  {time.monotonic() - began:6.0f} s  {name:<20} queued {plant.queued}", flush=True)
                async with FAULTS[name](plant):
                    await asyncio.sleep(chance.uniform(*FAULTY_S))
            after = _rss_mb(plant)
            await plant.settle(within_s=600)
        finally:
            plant.end()
            await server.stop()
        read, delivered, refused, too_late = plant.reconcile()
    received = server.received
    print(
        f"  {minutes:g} min, {faults} faults, seed {seed}\n"
        f"  served {len(bus.served)}, too late {too_late}, read {read}, delivered {delivered}, "
        f"refused {refused}, lost {read - delivered - refused}\n"
        f"  entries received {received.entries}, of which repeated {received.entries - delivered}, "
        f"conflicting {received.conflicts}\n"
        f"  RSS of reader {before['reader']:.1f} → {after['reader']:.1f} MB, "
        f"of uplink {before['uplink']:.1f} → {after['uplink']:.1f} MB"
    )


def _rss_mb(plant: Plant) -> dict[str, float]:
    return {
        part: int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
        for part, process in plant.running.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    asyncio.run(soak(**vars(parser.parse_args())))
