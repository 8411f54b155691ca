"""`make line-soak MINUTES=60`: four buses, one fault after the other on each, and every value audited.

Reader and uplink processes are stopped for 50–800 ms now and then, adapters pulled out. The simulator runs in
this process: how late it was itself is reported beside, because a late reply of its making is no fault of the
reader's. Exits non-zero unless nothing is wrong, stale or unaccounted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.line_catalogue import FAULTS, during
from bridge.simulator.server.stand_in import StandIn
from tests.faults.line_plant import LinePlant
from tests.faults.played_bus import PlayedBus, dlt645_bus, modbus_bus
from tests.faults.tagged_site import Sensor

QUIET_S, FAULTY_S = (2.0, 10.0), (3.0, 20.0)
STOPPED_S, BETWEEN_STOPS_S = (0.05, 0.8), (2.0, 15.0)
LATE_S = 0.05  # a simulator that hands a reply over later than this is called late
FIVE = ((0, 1), (201, 1), (402, 1), (603, 1), (804, 1))  # reads of one length

BUSES: Final[dict[str, PlayedBus]] = {
    "fast": modbus_bus(
        "fast",
        "115200 8N1",
        [Sensor(1, 0.5, FIVE), Sensor(1, 0.8, ((20, 2), (221, 2))), Sensor(2, 0.25, ((0, 4), (8, 1)))],
    ),
    "slow": modbus_bus(
        "slow", "9600 8N1", [Sensor(unit, 1.0 + unit / 10, ((0, 2), (10, 2), (201, 2))) for unit in (1, 2, 3)]
    ),
    "ascii": modbus_bus(
        "ascii", "19200 8N1", [Sensor(1, 1.0, FIVE[:3]), Sensor(2, 0.7, ((0, 2), (5, 1)))], is_ascii=True
    ),
    "meters": dlt645_bus("meters", "2400 8E1", (1, 2), 2.0),
}


async def _break(plant: LinePlant, name: str, bus: SimulatedBus, chance: random.Random) -> None:
    """Let one fault follow the other on a bus."""
    while True:
        await asyncio.sleep(chance.uniform(*QUIET_S))
        fault = chance.choice(sorted(FAULTS))
        addresses = chance.sample(sorted(bus.units, key=str), chance.randint(1, len(bus.units)))
        began = time.monotonic()
        print(f"  {began:8.0f} s  {name:<7} {fault}", flush=True)
        try:
            with during(FAULTS[fault], bus, addresses):
                await asyncio.sleep(chance.uniform(*FAULTY_S))
        finally:
            if FAULTS[fault].is_unplugged:
                plant.lost_at[name].append((began, time.monotonic()))


async def _stop_now_and_then(plant: LinePlant, chance: random.Random) -> None:
    """Stop one process after the other for a moment."""
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_STOPS_S))
        await plant.stop_for(chance.choice(plant.parts), chance.uniform(*STOPPED_S))


async def _count(plant: LinePlant) -> None:
    while True:
        await asyncio.sleep(1.0)
        plant.count()


async def soak(minutes: float, seed: int) -> bool:
    """Print what was served, read and wrong, and what the processes hold; return whether all is well."""
    chance = random.Random(seed)
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        simulated = {
            name: stack.enter_context(bus.play(seed + number))
            for number, (name, bus) in enumerate(BUSES.items())
        }
        plant = LinePlant(Path(folder), buses=BUSES, simulated=simulated, server=server)
        try:
            plant.lay_out()
            plant.begin(*plant.parts)
            await plant.until(lambda: server.received.entries > 50)
            before = plant.rss_mb()
            jobs = [_stop_now_and_then(plant, chance), _count(plant)]
            for name, bus in simulated.items():
                jobs.append(_break(plant, name, bus, random.Random(f"{seed} {name}")))
            tasks = [asyncio.create_task(job) for job in jobs]
            await asyncio.wait(tasks, timeout=60 * minutes, return_when=asyncio.FIRST_EXCEPTION)
            after = plant.rss_mb()
            for task in tasks:
                task.cancel()
            failures = [
                error
                for error in await asyncio.gather(*tasks, return_exceptions=True)
                if not isinstance(error, asyncio.CancelledError)
            ]
            assert not failures, failures
            await plant.settle(within_s=600)
        finally:
            plant.end()
            await server.stop()
        findings, unaccounted = plant.reconcile()
    delays_s = sorted(reply.delay_s for bus in simulated.values() for reply in bus.served)
    late = sum(delay_s > LATE_S for delay_s in delays_s)
    print("\n".join(f"  wrong: {example}" for example in plant.examples))
    print(
        f"  the simulator itself: {late} replies over {1000 * LATE_S:.0f} ms late, "
        f"p99 {1000 * delays_s[len(delays_s) * 99 // 100]:.1f} ms, worst {1000 * delays_s[-1]:.0f} ms"
    )
    rss = ", ".join(f"{part} {before[part]:.1f} → {after[part]:.1f}" for part in plant.parts)
    print(
        f"  {minutes:g} min, seed {seed}: served {findings.served}, read {findings.read}, "
        f"late-believed {plant.late_readings}, wrong key {findings.wrong_key}, "
        f"wrong sensor {findings.wrong_sensor}, stale {findings.stale}, "
        f"unaccounted {unaccounted}; RSS {rss} MB"
    )
    return findings.are_clean and unaccounted == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    sys.exit(0 if asyncio.run(soak(**vars(parser.parse_args()))) else 1)
