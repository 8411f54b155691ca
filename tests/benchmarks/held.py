"""A million readings of a sensor that the server does not accept, ahead of those of another."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bridge.simulator.server.stand_in import StandIn
from tests.benchmarks.backlog import fill_quickly
from tests.benchmarks.stock import Stopwatch, fill, until, uplink, write_site

LEAST = 0.9


def main(held: int = 1_000_000, others: int = 20_000) -> None:
    """Print how fast the other is delivered without and with them."""
    alone = asyncio.run(_rate(0, others))
    behind = asyncio.run(_rate(held, others))
    print(
        f"  {alone:.0f} readings/s alone, {behind:.0f} behind {held} held ones, "
        f"from the start of the process: {behind / alone:.2f}× (at least {LEAST})"
    )


async def _rate(held: int, others: int) -> float:
    server = StandIn(["OTHER"])
    await server.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder, server.port, ["held", "other"])
        if held:
            fill_quickly(folder, "held", held)
        fill(folder, ["other"], others)
        watch = Stopwatch()
        with uplink(folder):
            await until(lambda: server.received.entries >= others)
            elapsed_s = watch.s
    await server.stop()
    return others / elapsed_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--others", type=int, default=20_000)
    main(**vars(parser.parse_args()))
