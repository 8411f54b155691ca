"""`replace` is killed at each change of the disk that it makes, and said again.

    python -m tests.faults.replace_kills

After each kill site.toml is the old one or the new one, the credentials are untouched and the audit log has
no line that is less than it says; the same command said again ends as one that was never killed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.audit_log import AuditLog
from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World
from tests.faults.stops import preloaded
from tests.support.site import site_head

LINE = LineSettings(115200)
OLD, NEW = 812_345, 30  # tenths of a kWh
SENSOR = """
[[bus.meters.sensor]]   # in the left cabinet
name = "meter"
address = 1             # DIP switches: 0000001
every = "500ms"
registers = { import_energy = { holding = 0, type = "uint32", divide = 10, unit = "kWh" } }
"""
REPLACE = ("replace", "meter", "--address", "7", "--yes")
MOST_CHANGES = 100


@dataclass(frozen=True)
class Plant:
    """A site whose meter has just been exchanged, while its bus is read.

    Attributes:
        world: its folder and its processes.
        library: the environment that has a process killed.
        files: what lies in the folder before the exchange, by name.
        expected_block: the meter's block after it, as a command that nobody kills writes it.
    """

    world: World
    library: dict[str, str]
    files: dict[str, bytes]
    expected_block: dict[str, Any]

    def killed_at(self, change: int) -> bool:
        """Say `replace` on the old files and have it killed at a change; return whether it came so far."""
        self.restore()
        cut = {"KILL_AT": str(change), "KILL_BELOW": str(self.world.folder)}
        done = _replace(self.world, self.library | cut)
        self.check_files()
        if done.returncode == 0:
            return False
        assert done.returncode == -signal.SIGKILL, done.stderr
        return True

    def repeat(self) -> None:
        """Say it again; it ends as if it had never been killed."""
        done = _replace(self.world, {})
        assert done.returncode == 0, done.stderr
        self.check_files()
        assert _block(self.world.site.read_bytes()) == self.expected_block
        changes = [change for entry in self.entries() for change in entry["changes"]]
        addresses = [change for change in changes if change["what"].endswith(".address")]
        assert [(change["before"], change["after"]) for change in addresses] == [(1, 7)], "told once"
        assert not list(self.world.folder.glob(".audit*")), "nothing is unfinished"

    def check_files(self) -> None:
        """Each file is the old one or the new one."""
        assert self.world.credentials.read_bytes() == self.files["credentials.toml"]
        block = _block(self.world.site.read_bytes())
        assert self.world.site.read_bytes() == self.files["site.toml"] or block == self.expected_block
        self.entries()

    def entries(self) -> list[Any]:
        """Return the lines of the audit log, of which a cut may have torn one."""
        entries, torn = AuditLog(self.world.site, self.world.folder / "spool.db").entries()
        assert torn <= 1
        return list(entries)

    def restore(self) -> None:
        """Put back the files as they were before the exchange."""
        for path in self.world.folder.iterdir():
            if path.name.startswith((".", "audit")) or path.suffix == ".toml":
                path.unlink()
        for name, data in self.files.items():
            (self.world.folder / name).write_bytes(data)


@contextmanager
def plant(folder: Path) -> Iterator[Plant]:
    """A reader that has read the old meter, which is silent now; the new one has another address.

    Raises:
        FileNotFoundError: there is no gcc.
    """
    library = preloaded("kill_at_write", folder)
    units = {address: SimulatedUnit(address) for address in (1, 7)}
    for address, count in ((1, OLD), (7, NEW)):
        units[address].holding[0], units[address].holding[1] = divmod(count, 0x10000)
    (folder / "site").mkdir()
    world = World(folder / "site")
    with SimulatedBus(units, LINE) as bus:
        head = site_head(
            adapter=str(bus.path), line=str(LINE), spool="spool.db", reply_timeout="100ms", retries=0
        )
        world.write(head + SENSOR, {"meter": "TokenMeter4711"})
        files = {path.name: path.read_bytes() for path in (world.site, world.credentials)}
        try:
            world.start("read", "meters")
            asyncio.run(world.until(lambda: bus.requests[1] > 2))
            bus.faults[1].silent = 1.0
            asyncio.run(world.until(lambda: world.status()["sensors"]["meter"]["state"] == "silent"))
            done = _replace(world, {})
            assert done.returncode == 0, done.stderr
            yield Plant(world, library, files, _block(world.site.read_bytes()))
        finally:
            world.end()


def kill(folder: Path, changes: Iterable[int]) -> int:
    """Have `replace` killed at these changes, each time on the old files; return how often it was."""
    with plant(folder) as site:
        for count, change in enumerate(changes):
            if not site.killed_at(change):
                return count
            site.repeat()
        return count + 1


def _replace(world: World, cut: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *REPLACE],
        env={**world.environment, "PYTHONDONTWRITEBYTECODE": "1", **cut},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def _block(site: bytes) -> dict[str, Any]:
    """Return the meter's block, without the times of its offsets."""
    block: dict[str, Any] = tomllib.loads(site.decode())["bus"]["meters"]["sensor"][0]
    for offset in block.get("offsets", {}).values():
        del offset["since"]
    return block


def main() -> int:
    """Kill it at every change; return the exit status."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        count = kill(Path(folder), range(1, MOST_CHANGES))
    print(
        f"killed at each of {count} changes of the disk: every file old or new, and said again it ended well"
    )
    return int(count == 0)


if __name__ == "__main__":
    sys.exit(main())
