"""What dead sensors cost the living, on a paced line in real time, from the moment of death; and a return."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

from bridge import event_loop
from bridge.clock.kernel_clock import system_clock
from bridge.config import load_site
from bridge.reader import Reader
from bridge.spool import Spool, SpoolWriter
from tests.benchmarks.line import SENSOR, SITE
from tests.benchmarks.wire import Wire, wire

LOAD, REGISTERS, WARM_UP_S = 0.9, 10, 15.0
CASES = ((19200, 5, 1), (9600, 10, 9))  # baud rate, sensors, how many die


def main(*, seconds: float = 120.0) -> None:
    """Print what share of its asked rate each of the living had, and when one that came back was read."""
    for baudrate, count, dying in CASES:
        with wire(baudrate, count) as bus:
            every_s = round(count / bus.limit(REGISTERS) / LOAD, 3)
            rates, _ = event_loop.run(_read(bus, count, dying, every_s, seconds))
            print(
                f"  {baudrate} baud, {dying} of {count} dead for {seconds:.0f} s, {LOAD:.0%} of the wire "
                f"asked for: the living keep {', '.join(f'{rate:.3f}' for rate in rates)} of their rate"
            )
            _, back_s = event_loop.run(_read(bus, count, dying, 1.0, seconds / 4))
            print(f"  {'':11} one that comes back is read after {back_s:.1f} s")


async def _read(
    bus: Wire, count: int, dying: int, every_s: float, seconds: float
) -> tuple[list[float], float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = "\n".join(f"r{at} = {{ holding = {at} }}" for at in range(REGISTERS))
        block = SENSOR.replace('"0s"', f'"{1000 * every_s:.0f}ms"')
        sensors = "".join(block.format(unit=unit, registers=keys) for unit in range(1, count + 1))
        (folder / "site.toml").write_text(SITE.format(path=bus.path, line=bus.line) + sensors)
        site_bus = load_site(folder / "site.toml").buses["meters"]
        writer = SpoolWriter(Spool.open(folder / "spool.db"))
        task = asyncio.create_task(
            Reader(site_bus, writer, system_clock("system"), lambda document: None).run()
        )
        await asyncio.sleep(WARM_UP_S)
        dead = range(count - dying + 1, count + 1)
        bus.start()
        died_at = time.monotonic()
        for unit in dead:
            bus.fault(unit, silent=1.0)
        await asyncio.sleep(seconds)
        elapsed_s = time.monotonic() - died_at
        rates = [len(bus.replies(unit)) * every_s / elapsed_s for unit in range(1, count - dying + 1)]
        back_at = time.monotonic()
        bus.fault(count, silent=0.0)
        while not (found := [at for at in bus.replies(count) if at > back_at]):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.2)
        for unit in dead:
            bus.fault(unit, silent=0.0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await writer.close()
    return rates, found[0] - back_at


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    main(seconds=parser.parse_args().seconds)
