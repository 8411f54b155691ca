"""30,000 readings of 10 values from the spool to the server, under the cap of 150 messages a second."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bridge.simulator.server.stand_in import StandIn
from bridge.spool import read_ledger
from tests.benchmarks.stock import Stopwatch, fill, reading, until, uplink, write_site

SENSORS = [f"s{number}" for number in range(10)]
MOST_S = 40.0


def main(readings: int = 30_000) -> None:
    """Print how long it took."""
    asyncio.run(_run(readings))


async def _run(readings: int) -> None:
    server = StandIn([sensor.upper() for sensor in SENSORS])
    await server.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder, server.port, SENSORS)
        fill(folder, SENSORS, readings // len(SENSORS))
        with uplink(folder):
            watch = Stopwatch()
            await until(lambda: server.received.entries >= readings)
            elapsed_s = watch.s
        books = read_ledger(folder / "spool.db")
    await server.stop()
    length = len(reading(SENSORS[0], readings // len(SENSORS)).body)
    stored = sum(len(series["v0"]) for series in server.stored.values())
    print(
        f"  {readings} readings of 10 values, {length} bytes, in {elapsed_s:.1f} s "
        f"with the start of the process (at most {MOST_S:.0f}), {server.received.posts} messages, "
        f"at most {server.busiest_second()} in a second; "
        f"{server.received.entries - stored} repeated, "
        f"{readings - sum(account.delivered for account in books.values())} lost"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=30_000)
    main(parser.parse_args().readings)
