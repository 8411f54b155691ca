"""POST/s to a server that answers as ThingsBoard does, at 0 and 100 ms round trip, with 0 and 5 % loss.

Four lanes, and the cap of 150 a second that the server's message ids allow. Loss is of datagrams, each way.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from bridge.coap import Client
from bridge.errors import UplinkError
from bridge.simulator.server.stand_in import StandIn
from tests.benchmarks import table

PATH = ("api", "v1", "A1", "telemetry")


def main(*, seconds: float = 8.0) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [table.Row("delivery", "no loss", "5 % loss")]
    for round_trip_s in (0.0, 0.1):
        cells = []
        for loss in (0.0, 0.05):
            posted, failed = asyncio.run(_flood(round_trip_s, loss, seconds))
            print(
                f"  {1000 * round_trip_s:3.0f} ms round trip, {100 * loss:.0f} % loss: "
                f"{posted / seconds:6.1f} POST/s, {failed} failed"
            )
            cells.append(f"{posted / seconds:.0f} POST/s")
        rows.append(table.Row(f"round trip {1000 * round_trip_s:.0f} ms", *cells))
    return rows


async def _flood(round_trip_s: float, loss: float, seconds: float) -> tuple[int, int]:
    """Return how many were answered with 2.01, and how many never."""
    server = StandIn(tokens={"A1"}, seed=7)
    port = await server.start()
    server.faults.latency_s = round_trip_s / 2
    server.faults.loss_in = server.faults.loss_out = loss
    posted = failed = 0
    until = time.monotonic() + seconds

    async def lane(client: Client, number: int) -> None:
        nonlocal posted, failed
        at = 0
        while time.monotonic() < until:
            at += 1
            body = b'[{"ts":%d,"values":{"voltage":230.1,"power":978}}]' % (
                1_790_000_000_000 + 10 * at + number
            )
            try:
                answer = await client.post(PATH, body)
            except UplinkError:
                failed += 1
            else:
                posted += answer.code.startswith("2.") and time.monotonic() < until

    try:
        async with Client("127.0.0.1", port) as client:
            await asyncio.gather(*(lane(client, number) for number in range(4)))
    finally:
        await server.stop()
    return posted, failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    main(seconds=parser.parse_args().seconds)
