"""`make stops ROUNDS=50`: SIGTERM at random moments to a reader whose disk is slow and shared by 16 writers.

Every forced write takes 100 ms (`slow_fsync.c`, preloaded). The sensor counts its answers, so that each
reading is one of a kind: at the end every count that a reader took from the line must be in the spool.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bridge.simulator.field.sensors import SimulatedBus
from bridge.spool import SpoolAdmin
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

FSYNC_MS = 100
WRITERS = 16
STOP_WITHIN_S = 10.0  # then systemd kills
SENSOR = "counter"

WRITE = """
import sys, time
from pathlib import Path
from bridge.clock import Instant
from bridge.spool import Reading, SpoolAdmin, SpoolUnavailable

spool, number = SpoolAdmin.open(Path(sys.argv[1])), 0
while True:
    number += 1
    try:
        spool.add([Reading(sys.argv[2], Instant("boot", number), number, b'{"v":1}', 1)])
    except SpoolUnavailable:
        continue
    time.sleep(0.5)
"""


@dataclass(frozen=True)
class Outcome:
    """What became of the replies that the readers had.

    Attributes:
        replies: to the sensor's requests, as the readers counted them.
        read: readings in the books.
        missing: counts that a reader had and that are not in the spool.
        slowest_s: the longest that a reader took to stop.
    """

    replies: int
    read: int
    missing: int
    slowest_s: float


def preloaded(name: str, folder: Path) -> dict[str, str]:
    """Return the environment in which processes have a library of this folder, built into `folder`.

    Raises:
        FileNotFoundError: there is no gcc.
    """
    compiler = shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("gcc is not installed: sudo apt install gcc libc6-dev")
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library)}


def slow_disk(folder: Path, fsync_ms: int = FSYNC_MS) -> dict[str, str]:
    """Return the environment of processes whose forced writes are slow. Raises as `preloaded`."""
    return preloaded("slow_fsync", folder) | {"SLOW_FSYNC_MS": str(fsync_ms)}


async def stops(folder: Path, rounds: int, seed: int, writers: int = WRITERS) -> Outcome:
    """Stop a reader so many times, and hold the spool against what it had."""
    chance = random.Random(seed)
    world = World(folder)
    slowest_s = 0.0
    os.environ.update(slow_disk(folder))
    try:
        with SimulatedBus(units(), LINE) as bus:
            world.write(site_text(bus, 1, every="20ms", commit_every="300ms"), {SENSOR: "T1", "room": "T2"})
            spool = folder / "spool.db"
            world.processes += [_writer(spool, f"other-{number}") for number in range(writers - 1)]
            for _ in range(rounds):
                served = len(bus.served)
                process = world.start("read", "meters")
                await world.until(lambda served=served: len(bus.served) > served + 10)
                await asyncio.sleep(chance.uniform(0, 1.5))
                began = time.monotonic()
                process.terminate()
                status = await asyncio.to_thread(process.wait, STOP_WITHIN_S)
                slowest_s = max(slowest_s, time.monotonic() - began)
                assert status == 0, world.log
                world.processes.remove(process)
            for variable in ("LD_PRELOAD", "SLOW_FSYNC_MS"):
                del os.environ[variable]
            world.end()
            served = len(bus.served)
            world.write(site_text(bus, 1, every="1h"), {SENSOR: "T1", "room": "T2"})
            last = world.start("read", "meters")  # takes up what was left in a file
            await world.until(lambda: len(bus.served) > served + 2)
            assert world.stop(last) == 0, world.log
        return _compare(world, slowest_s)
    finally:
        world.end()


def _writer(spool: Path, sensor: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITE, spool, sensor])


def _compare(world: World, slowest_s: float) -> Outcome:
    replies = json.loads((world.folder / "spool.db.bus-meters.json").read_text())["sensors"][SENSOR][
        "replies"
    ]
    with closing(SpoolAdmin.open(world.folder / "spool.db")) as spool:
        assert spool.audit() == []
        read = spool.ledger()[SENSOR].read
        counts = [json.loads(kept.body)["count"] for kept in spool.queued(SENSOR)]
    assert len(counts) == len(set(counts)), "a reading is there twice"
    return Outcome(replies, read, replies - len(counts), slowest_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcome = asyncio.run(stops(Path(name), options.rounds, options.seed))
    print(
        f"  {options.rounds} rounds, {WRITERS} writers, fsync {FSYNC_MS} ms, seed {options.seed}: "
        f"{outcome.replies} replies, {outcome.read} readings in the books, {outcome.missing} lost; "
        f"slowest stop {outcome.slowest_s:.1f} s"
    )
    raise SystemExit(outcome.missing != 0 or outcome.read != outcome.replies)
