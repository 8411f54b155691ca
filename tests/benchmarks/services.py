"""The real services on simulated buses, and what the kernel counts of each process."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(9600)
NOBODY = "coap://127.0.0.1:9"
SERVER = 'site = "bench"\n[thingsboard]\nurl = "{url}"\n{keys}[spool]\npath = "{folder}/spool.db"\n'
BUS = '[bus.{bus}]\nadapter = "{adapter}"\nprotocol = "modbus-rtu"\nline = "{line}"\n'
SENSOR = """\
[[bus.{bus}.sensor]]
name = "{bus}-{unit}"
address = {unit}
every = "{every}"
[bus.{bus}.sensor.registers]
voltage = {{ holding = 0, type = "uint16" }}
"""


def _runtime_folder() -> Path:
    """Return a new folder for status documents: in memory, as at a site, where a disk would slow them."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="serial-bridge-", dir=memory if memory.is_dir() else None))


@dataclass
class Services:
    """A site in a folder, and the services that were started on it.

    Attributes:
        buses: the simulated lines, by the name of their bus.
        runtime: where the services publish; gone once they are stopped.
    """

    folder: Path
    buses: dict[str, SimulatedBus]
    runtime: Path = field(default_factory=_runtime_folder)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that tell a process of this site where its files are."""
        variables = {
            **os.environ,
            "RUNTIME_DIRECTORY": str(self.runtime),
            "SERIAL_BRIDGE_SITE": str(self.folder / "site.toml"),
            "SERIAL_BRIDGE_CREDENTIALS": str(self.folder / "credentials.toml"),
            "PYTHONPYCACHEPREFIX": str(self.folder / "compiled"),
        }
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        return variables

    def start(self, *arguments: str, options: Sequence[str] = (), log: IO[bytes] | None = None) -> int:
        """Start one as systemd would; from the second one on, its modules are compiled already.

        Args:
            options: of the interpreter.
            log: where it logs; nowhere if not given.

        Returns:
            Its pid.
        """
        process = subprocess.Popen(
            [sys.executable, *options, "-m", "bridge", *arguments],
            env=self.environment,
            stderr=subprocess.DEVNULL if log is None else log,
        )
        self._running.append(process)
        return process.pid

    def stop(self) -> None:
        """End every service, and forget what they published."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(30)
        self._running.clear()
        shutil.rmtree(self.runtime, ignore_errors=True)


@contextmanager
def answering_server(tokens: Iterable[str], secure: Secure | None = None) -> Iterator[str]:
    """Yield the URL of a stand-in that knows these tokens and answers from a thread while the block runs.

    Args:
        tokens: of the devices there are.
        secure: the DTLS layer of one that speaks coaps.
    """
    loop, server = asyncio.new_event_loop(), StandIn(tokens=tokens, secure=secure)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield f"{'coaps' if secure else 'coap'}://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def site(
    folder: Path,
    *,
    buses: int = 1,
    sensors: int = 4,
    every: str = "10s",
    url: str = NOBODY,
    keys: str = "",
    line: LineSettings = LINE,
) -> Iterator[Services]:
    """Write a site of so many buses with so many sensors each, which answer while the block runs."""
    names = [f"bus{number}" for number in range(buses)]
    units = range(1, sensors + 1)
    with ExitStack() as stack:
        lines = {
            name: stack.enter_context(
                SimulatedBus({unit: SimulatedUnit(unit, holding={0: 230}) for unit in units}, line)
            )
            for name in names
        }
        write_site(
            folder,
            {name: (str(bus.path), sensors) for name, bus in lines.items()},
            every=every,
            url=url,
            keys=keys,
            line=line,
        )
        services = Services(folder, lines)
        try:
            yield services
        finally:
            services.stop()


def write_site(
    folder: Path,
    buses: Mapping[str, tuple[str, int]],
    *,
    every: str,
    url: str = NOBODY,
    keys: str = "",
    line: LineSettings = LINE,
) -> None:
    """Write site.toml and credentials.toml.

    Args:
        buses: the adapter and the number of sensors of each bus, by its name.
        every: how often each sensor is polled, as site.toml has it.
        url: of the server.
        keys: further keys of its table.
        line: the settings of each bus.
    """
    text, tokens = SERVER.format(url=url, keys=keys, folder=folder), "[sensors]\n"
    for bus, (adapter, sensors) in buses.items():
        text += BUS.format(bus=bus, adapter=adapter, line=line)
        for unit in range(1, sensors + 1):
            text += SENSOR.format(bus=bus, unit=unit, every=every)
            tokens += f'{bus}-{unit} = "{bus}-{unit}"\n'
    (folder / "site.toml").write_text(text)
    (folder / "credentials.toml").touch(mode=0o600)
    (folder / "credentials.toml").write_text(tokens)


def cpu_s(pid: int) -> float:
    """CPU of all threads of a process so far, in seconds, as the scheduler counts it."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def private_mb(pid: int) -> float:
    """Resident memory that a process shares with no other."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    return (_field(rollup, "Private_Clean:") + _field(rollup, "Private_Dirty:")) / 1024


def threads(pid: int) -> int:
    """Threads of a process."""
    return _field(Path(f"/proc/{pid}/status"), "Threads:")


def until(claim: Callable[[], bool], within_s: float = 30.0, look_every_s: float = 0.001) -> None:
    """Wait until `claim()` holds, and look every millisecond.

    Raises:
        TimeoutError: it did not in time.
    """
    ends_at = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > ends_at:
            raise TimeoutError
        time.sleep(look_every_s)


def _field(path: Path, name: str) -> int:
    return int(path.read_text().split(name)[1].split()[0])
