"""Three sensors of 9 values every 2 s, while the server answers 5.00 to a share of all requests.

The real uplink, from a spool that is filled live: how late is the newest value of each sensor on the server,
and when is all caught up after the failure?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bridge.clock import Instant
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, Spool, read_ledger
from bridge.thingsboard import encode_values
from tests.benchmarks.stock import SPOOL_LIMIT, Stopwatch, until, uplink, write_site

SENSORS = ["a", "b", "c"]
VALUES = 9
EVERY_S = 2.0
BEFORE_S = 10.0
LATE_S, CAUGHT_UP_S = 10.0, 60.0


def main(*, share: float = 0.3, seconds: float = 90.0, seed: int = 1) -> bool:
    """Print how late and how soon; return whether both are as promised."""
    return asyncio.run(_run(share, seconds, seed))


async def _run(share: float, seconds: float, seed: int) -> bool:
    server = StandIn([sensor.upper() for sensor in SENSORS], seed=seed)
    await server.start()
    server.faults.answer_s = (0.005, 0.05)
    late: dict[str, list[float]] = {sensor: [] for sensor in SENSORS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder, server.port, SENSORS)
        with closing(Spool.open(folder / "spool.db", limit=SPOOL_LIMIT)) as spool, uplink(folder):
            reads = asyncio.create_task(_read(spool))
            await until(lambda: all(_newest(server, sensor) for sensor in SENSORS))
            await asyncio.sleep(BEFORE_S)
            server.faults.refused_share = share
            said, ends = "", time.monotonic() + seconds
            while time.monotonic() < ends:
                for sensor in SENSORS:
                    late[sensor].append(time.time() - _newest(server, sensor) / 1000)
                said = _slowed(folder) or said
                await asyncio.sleep(0.25)
            server.faults.refused_share = 0.0
            reads.cancel()
            watch = Stopwatch()
            await until(lambda: _queued(folder) == 0)
            caught_up_s = watch.s
    await server.stop()
    answers = server.received.answers
    worst = max(sorted(each)[int(0.95 * len(each))] for each in late.values())
    good = worst <= LATE_S and caught_up_s <= CAUGHT_UP_S and bool(said)
    print(
        f"  {share:.0%} answered 5.00 for {seconds:.0f} s ({answers['5.00']} of {answers.total()} requests); "
        f"status: {said}\n"
        f"  newest value of the slowest sensor {worst:.1f} s late (p95, at most {LATE_S:.0f}), "
        f"all caught up after {caught_up_s:.1f} s (at most {CAUGHT_UP_S:.0f}): "
        f"{'kept' if good else 'NOT KEPT'}"
    )
    return good


async def _read(spool: Spool) -> None:
    number = 0
    while True:
        now_ms = round(time.time() * 1000)
        body, points = encode_values({f"v{key}": number + key / 10 for key in range(VALUES)})
        spool.add([Reading(sensor, Instant("boot", number), now_ms, body, points) for sensor in SENSORS])
        number += 1
        await asyncio.sleep(EVERY_S)


def _newest(server: StandIn, sensor: str) -> int:
    return max(server.stored.get(sensor.upper(), {}).get("v0", {}), default=0)


def _queued(folder: Path) -> int:
    return sum(account.queued for account in read_ledger(folder / "spool.db").values())


def _slowed(folder: Path) -> str:
    for path in (folder / "run").rglob("uplink.json"):
        for sensor, slowed in json.loads(path.read_text()).get("slowed", {}).items():
            return f"{sensor} slowed to {slowed['values_per_s']} values/s: {slowed['reason']}"
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=1)
    raise SystemExit(not main(**vars(parser.parse_args())))
