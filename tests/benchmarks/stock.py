"""A spool full of readings and the uplink that delivers them, each process by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bridge.clock import Instant
from bridge.spool import Reading, Spool
from bridge.thingsboard import encode_values

T0 = 1_790_000_000_000
VALUES = 10  # in each reading
SPOOL_LIMIT = 100_000_000_000

SITE = """\
site = "stock"
[thingsboard]
url = "coap://127.0.0.1:{port}"
[spool]
path = "{folder}/spool.db"
limit = "100GB"
[bus.meters]
adapter = "{folder}/none"
protocol = "modbus-rtu"
line = "9600 8N1"
"""
SENSOR = """
[[bus.meters.sensor]]
name = "{name}"
address = {address}
every = "10s"
[bus.meters.sensor.registers]
value = {{ holding = 0, type = "uint16" }}
"""


def reading(sensor: str, number: int) -> Reading:
    """Return the reading with this number: its timestamp counts in seconds, its values tell it apart."""
    body, points = encode_values({f"v{key}": number + key / 10 for key in range(VALUES)})
    return Reading(sensor, Instant("boot", number), T0 + 1000 * number, body, points)


def write_site(folder: Path, port: int, sensors: list[str]) -> None:
    """Both files for these sensors; each one's token is its name in capitals."""
    text = SITE.format(folder=folder, port=port)
    text += "".join(SENSOR.format(name=name, address=1 + at) for at, name in enumerate(sensors))
    (folder / "site.toml").write_text(text)
    (folder / "credentials.toml").touch(mode=0o600)
    tokens = "".join(f'{name} = "{name.upper()}"\n' for name in sensors)
    (folder / "credentials.toml").write_text("[sensors]\n" + tokens)


def fill(folder: Path, sensors: list[str], each: int) -> None:
    """Queue so many readings of each sensor, in turn as a bus would."""
    with closing(Spool.open(folder / "spool.db", limit=SPOOL_LIMIT)) as spool:
        for start in range(0, each, 1000):
            numbers = range(start, min(start + 1000, each))
            spool.add([reading(sensor, number) for number in numbers for sensor in sensors])


@contextmanager
def uplink(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`serial-bridge uplink` on this folder; it has to end well."""
    command = [sys.executable, "-m", "bridge", "uplink", "--site", str(folder / "site.toml")]
    command += ["--credentials", str(folder / "credentials.toml")]
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder / "run")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(30) != 0:
            raise RuntimeError((folder / "log").read_text())


def rss_mb(pid: int) -> float:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


async def until(claim: Callable[[], object], *, every_s: float = 0.02) -> None:
    """Wait until the claim holds."""
    while not claim():  # noqa: ASYNC110 - the claim is about another process
        await asyncio.sleep(every_s)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def s(self) -> float:
        return time.monotonic() - self._began
