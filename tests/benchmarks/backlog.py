"""How long a queue may get: the uplink's steps, start and memory at 10 thousand and at 5 million readings."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Spool
from tests.benchmarks.stock import (
    SPOOL_LIMIT,
    VALUES,
    Stopwatch,
    fill,
    reading,
    rss_mb,
    until,
    uplink,
    write_site,
)

SMALL = 10_000
STEPS, STEP_ROWS = 30, 200


def main(readings: int = 5_000_000, seconds: float = 20.0) -> None:
    """Fills two spools and prints the figures of both."""
    with ExitStack() as stack:
        folders = {
            count: Path(stack.enter_context(tempfile.TemporaryDirectory())) for count in (SMALL, readings)
        }
        for count, folder in folders.items():
            fill_quickly(folder, "meter", count)
        small, large = _steps_ms(*folders.values())
        print(
            f"  a step of {STEP_ROWS} readings, read and confirmed: {small:.2f} ms at {SMALL}, "
            f"{large:.2f} ms at {readings}: {large / small:.2f}× (at most 2)"
        )
        for count, folder in folders.items():
            started_s, before, after = asyncio.run(_uplink(folder, seconds))
            print(
                f"  {count} queued: first reading on the server {started_s:.2f} s after the process started "
                f"(at most 2), RSS {before:.1f} MB, {after:.1f} MB after {seconds:.0f} s"
            )


def fill_quickly(folder: Path, sensor: str, count: int) -> None:
    """Queue copies of one reading: millions in seconds, which no bus could give."""
    fill(folder, [sensor], 1)
    body = reading(sensor, 0).body
    with closing(sqlite3.connect(folder / "spool.db", isolation_level=None)) as spool:
        spool.execute("PRAGMA synchronous=OFF")
        (number,) = spool.execute("SELECT id FROM sensor WHERE name = ?", (sensor,)).fetchone()
        spool.execute("BEGIN")
        spool.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO reading(sensor, ts, points, body) SELECT ?, 1790000000000 + 1000 * i, ?, ? FROM n",
            (count - 1, number, VALUES, body),
        )
        spool.execute("UPDATE sensor SET read = read + ?1, queued = queued + ?1 WHERE id = ?2",
                      (count - 1, number))  # fmt: skip
        spool.execute("COMMIT")
        spool.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _steps_ms(*folders: Path) -> list[float]:
    """Return the median step at the head of each queue, the queues in turn."""
    taken_ms: list[list[float]] = [[] for _ in folders]
    with ExitStack() as stack:
        spools = [
            stack.enter_context(closing(Spool.open(folder / "spool.db", limit=SPOOL_LIMIT)))
            for folder in folders
        ]
        after = [0] * len(spools)
        for _ in range(STEPS):
            for at, spool in enumerate(spools):
                started = time.perf_counter()
                rows, after[at] = spool.rows(after[at], limit=STEP_ROWS)
                spool.confirm([row.id for row in rows])
                taken_ms[at].append(1000 * (time.perf_counter() - started))
    return [median(taken) for taken in taken_ms]


async def _uplink(folder: Path, seconds: float) -> tuple[float, float, float]:
    server = StandIn(["METER"])
    await server.start()
    write_site(folder, server.port, ["meter"])
    watch = Stopwatch()
    with uplink(folder) as process:
        await until(lambda: server.received.entries, every_s=0.005)
        started_s = watch.s
        await asyncio.sleep(2)
        before = rss_mb(process.pid)
        await asyncio.sleep(seconds)
        after = rss_mb(process.pid)
    await server.stop()
    return started_s, before, after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long memory is watched")
    main(**vars(parser.parse_args()))
