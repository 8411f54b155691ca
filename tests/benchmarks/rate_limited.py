"""A backlog of an hour and live readings under the rate limit 20:1,600:60: when does what arrive?

Four devices, ten values every ten seconds. The server is silent while the hour is preloaded and for half a
minute after the uplink has started; the clock runs from the moment it answers again.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Spool, read_ledger
from tests.benchmarks.stock import SPOOL_LIMIT, T0, Stopwatch, fill, reading, until, uplink, write_site

SENSORS = ["a", "b", "c", "d"]
LIMIT = "20:1,600:60"
SILENCE_S = 30.0
FIRST_WITHIN_S, ALL_WITHIN_S, MOST_REFUSED = 5, 600, 0.05


def main(*, readings: int = 360, every_s: float = 10.0) -> None:
    """Print the three figures."""
    asyncio.run(_run(readings, every_s))


async def _run(readings: int, every_s: float) -> None:
    server = StandIn([sensor.upper() for sensor in SENSORS], rate_limit=LIMIT)
    await server.start()
    server.cut()
    with tempfile.TemporaryDirectory() as name, closing(_spool(Path(name))) as spool:
        folder = Path(name)
        write_site(folder, server.port, SENSORS)
        fill(folder, SENSORS, readings)
        newest = readings

        async def live() -> None:
            nonlocal newest
            while True:
                spool.add([reading(sensor, newest) for sensor in SENSORS])
                newest += 1
                await asyncio.sleep(every_s)

        reads = asyncio.create_task(live())
        with uplink(folder):
            await asyncio.sleep(SILENCE_S)
            server.restore()
            watch, wanted = Stopwatch(), T0 + 1000 * (newest - 1)
            await until(lambda: all(_newest(server, sensor) >= wanted for sensor in SENSORS))
            print(f"  the newest value of each device after {watch.s:.1f} s (at most {FIRST_WITHIN_S})")
            backlog = {T0 + 1000 * number for number in range(readings)}
            await until(lambda: all(backlog <= _stored(server, sensor).keys() for sensor in SENSORS))
            elapsed_s = watch.s
            reads.cancel()
        answers = server.received.answers
        share = answers["5.00"] / answers.total()
        books = read_ledger(folder / "spool.db")
    await server.stop()
    print(
        f"  {readings} readings of each device after {elapsed_s:.0f} s (at most {ALL_WITHIN_S}), "
        f"{100 * share:.1f} % of {answers.total()} requests "
        f"answered 5.00 (fewer than {100 * MOST_REFUSED:.0f})"
    )
    assert sum(account.refused + account.expired for account in books.values()) == 0


def _spool(folder: Path) -> Spool:
    return Spool.open(folder / "spool.db", limit=SPOOL_LIMIT)


def _stored(server: StandIn, sensor: str) -> dict[int, object]:
    return server.stored.get(sensor.upper(), {}).get("v9", {})


def _newest(server: StandIn, sensor: str) -> int:
    return max(_stored(server, sensor), default=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=360, help="of each device, in the backlog")
    main(readings=parser.parse_args().readings)
