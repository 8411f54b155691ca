"""Readings a second into the spool, books and all, beside bare SQLite with the same commits.

Both keep one row a reading of ten values in a write-ahead log, synchronous=FULL, 500 readings a commit. Bare
SQLite has one table and nothing else: no ledger, no limit, no reserve.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from bridge.clock import Instant
from bridge.spool import Reading, Spool
from tests.benchmarks import table

READINGS, COMMIT, RUNS = 20_000, 500, 5
BODY = b'{"v1":230.1,"v2":231.2,"v3":229.9,"a1":1.25,"a2":2.5,"a3":0.75,"p1":287,"p2":578,"p3":172,"f":50.01}'


def main() -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    ours_s, bare_s = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            ours_s.append(_ours(Path(folder) / "spool.db"))
            bare_s.append(_bare(Path(folder) / "bare.db"))
    ours, bare = READINGS / median(ours_s), READINGS / median(bare_s)
    print(f"  spool {ours:8.0f} readings/s, bare SQLite {bare:8.0f}, {ours / bare:.2f} of it")
    return [
        table.Row("storing readings of 10 values", "serial-bridge", "bare SQLite"),
        table.Row("readings/s, 500 a commit", f"{ours:.0f}", f"{bare:.0f}"),
    ]


def _ours(path: Path) -> float:
    spool = Spool.open(path)
    batches = [
        [
            Reading("meter", Instant("boot", at), 1_790_000_000_000 + at, BODY, 10)
            for at in range(start, start + COMMIT)
        ]
        for start in range(0, READINGS, COMMIT)
    ]
    begun = time.perf_counter()
    for batch in batches:
        spool.add(batch)
    elapsed_s = time.perf_counter() - begun
    spool.close()
    return elapsed_s


def _bare(path: Path) -> float:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, sensor TEXT, ts INT, n INT, body BLOB)")
    rows = [("meter", 1_790_000_000_000 + at, 10, BODY) for at in range(READINGS)]
    begun = time.perf_counter()
    for start in range(0, READINGS, COMMIT):
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO q(sensor, ts, n, body) VALUES(?, ?, ?, ?)", rows[start : start + COMMIT]
        )
        database.execute("COMMIT")
    elapsed_s = time.perf_counter() - begun
    database.close()
    return elapsed_s


if __name__ == "__main__":
    main()
