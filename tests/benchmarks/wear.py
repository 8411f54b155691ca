"""What an SD card has to bear: bytes written per reading of 10 values, from the queue to the confirmation.

`write_bytes` of /proc/self/io counts what this process sends to the block device, so the spool must lie on a
disk and not in memory. The readings come as 50 a second would, a commit for each group, and are confirmed in
the same groups, as the uplink does; no time passes in between.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import closing
from pathlib import Path

from bridge.clock import Instant
from bridge.spool import Reading, Spool
from bridge.thingsboard import encode_values

PER_S = 50
MOST_BYTES = {1: 1300, 5: 700}  # by commit_every in seconds
SENSORS = 50


def main(seconds: int = 120, folder: Path | None = None) -> None:
    """Print a row for each rhythm, and fail if one is beyond its bound.

    Args:
        seconds: how long the readings would take to come.
        folder: on the disk that is asked; by default where temporary files are.
    """
    for commit_every_s, most in MOST_BYTES.items():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            written, size = _wear(Path(name) / "spool.db", commit_every_s, seconds)
        if not written:
            print(f"  {folder or tempfile.gettempdir()} is no disk: name one with --folder")
            return
        print(
            f"  {PER_S} readings/s, commit_every {commit_every_s} s: {written:5.0f} B a reading "
            f"(at most {most}), {written / size:.1f} times its JSON of {size:.0f} B"
        )
        if written > most:
            raise SystemExit(f"{written:.0f} B a reading is more than {most} B")


def _wear(path: Path, commit_every_s: int, seconds: int) -> tuple[float, float]:
    """Bytes written per reading, and bytes of its values."""
    group = PER_S * commit_every_s
    total = size = 0
    with closing(Spool.open(path)) as reader, closing(Spool.open(path)) as uplink:
        before = _written()
        after = 0
        for second in range(0, seconds, commit_every_s):
            readings = [_reading(second * PER_S + number) for number in range(group)]
            reader.add(readings)
            rows, after = uplink.rows(after, limit=group)
            uplink.confirm(row.id for row in rows)
            total += group
            size += sum(len(reading.body) for reading in readings)
        os.sync()  # what the file system still holds back
        written = _written() - before
    return written / total, size / total


def _reading(number: int) -> Reading:
    body, points = encode_values({f"value_{n}": round(230 + number * 0.01 + n, 2) for n in range(10)})
    ts_ms = 1_800_000_000_000 + number * 1000 // PER_S
    return Reading(f"sensor-{number % SENSORS}", Instant("boot", number), ts_ms, body, points)


def _written() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        name, _, count = line.partition(": ")
        if name == "write_bytes":
            return int(count)
    raise SystemExit("this kernel does not count what a process writes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--folder", type=Path)
    main(**vars(parser.parse_args()))
