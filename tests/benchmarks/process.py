"""Memory and CPU of each process while a line of 115200 baud is read without pause and delivered."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bridge.simulator.server.stand_in import StandIn
from tests.benchmarks import table
from tests.benchmarks.line import SENSOR, UNITS
from tests.benchmarks.services import cpu_s, rss_mb
from tests.benchmarks.wire import wire

SETTLE_S = 10.0
REGISTERS = 10
SITE = """\
site = "bench"
[thingsboard]
url = "coap://127.0.0.1:{port}"
[spool]
path = "{folder}/spool.db"
[bus.meters]
adapter = "{path}"
protocol = "modbus-rtu"
line = "{line}"
"""


def main(*, seconds: float = 20.0) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [table.Row("process, 115200 baud saturated", "RSS at first", "RSS at last", "CPU", "CPU a poll")]
    for names in (("read meters", "uplink"), ("run",)):
        found = asyncio.run(_measure(names, seconds))
        for name, (first, last, cpu, poll_us) in found.items():
            a_poll = f"{poll_us:.0f} µs"
            print(
                f"  {name:<12} RSS {first:.1f} MB, {last:.1f} MB after {seconds:.0f} s, "
                f"CPU {100 * cpu:.1f} %, {a_poll} a poll"
            )
            rows.append(
                table.Row(f"`{name}`", f"{first:.1f} MB", f"{last:.1f} MB", f"{100 * cpu:.1f} %", a_poll)
            )
    return rows


async def _measure(names: tuple[str, ...], seconds: float) -> dict[str, tuple[float, float, float, float]]:
    """For each command: memory at first and last in MB, CPU as a share of a core, and µs of it a poll."""
    server = StandIn(tokens={f"T{unit}" for unit in UNITS})
    port = await server.start()
    with tempfile.TemporaryDirectory() as name, wire(115200) as bus:
        folder = Path(name)
        keys = "\n".join(f"r{at} = {{ holding = {at} }}" for at in range(REGISTERS))
        site = SITE.format(port=port, folder=folder, path=bus.path, line=bus.line)
        site += "".join(SENSOR.format(unit=unit, registers=keys) for unit in UNITS)
        (folder / "site.toml").write_text(site)
        (folder / "credentials.toml").touch(mode=0o600)
        tokens = "\n".join(f's{unit} = "T{unit}"' for unit in UNITS)
        (folder / "credentials.toml").write_text(f"[sensors]\n{tokens}\n")
        environment = {
            **os.environ,
            "RUNTIME_DIRECTORY": str(folder / "run"),
            "SERIAL_BRIDGE_SITE": str(folder / "site.toml"),
            "SERIAL_BRIDGE_CREDENTIALS": str(folder / "credentials.toml"),
        }
        processes = {name: _start(name, environment) for name in names}
        try:
            await asyncio.sleep(SETTLE_S)
            bus.start()
            started = time.monotonic()
            before = {name: (rss_mb(p.pid), cpu_s(p.pid)) for name, p in processes.items()}
            await asyncio.sleep(seconds)
            elapsed_s = time.monotonic() - started
            polls = bus.stop().polls
            found = {}
            for name, process in processes.items():
                first_mb, first_s = before[name]
                spent_s = cpu_s(process.pid) - first_s
                found[name] = first_mb, rss_mb(process.pid), spent_s / elapsed_s, 1e6 * spent_s / polls
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.wait(10)
            await server.stop()
    return found


def _start(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bridge", *name.split()]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    main(seconds=parser.parse_args().seconds)
