"""The real command on real ptys and sockets, and what the tests need to hold it against the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.reader.intake import STAMP_ERROR
from bridge.simulator.server.stand_in import StandIn
from bridge.thingsboard import Value

END_WITHIN_S = 30.0
COMMAND_WITHIN_S = 90.0
WITHIN_S = 90.0  # far more than anything takes, also on a loaded machine


@dataclass
class World:
    """A folder with a site, and the processes of the bridge that a test started on it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def site(self) -> Path:
        return self.folder / "site.toml"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.toml"

    def write(self, site: str, tokens: dict[str, str]) -> None:
        """Write both files; `{folder}` in the site stands for the folder."""
        self.site.write_text(site.replace("{folder}", str(self.folder)))
        self.credentials.touch(mode=0o600)
        self.credentials.write_text(
            "[sensors]\n" + "".join(f'{name} = "{t}"\n' for name, t in tokens.items())
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "SERIAL_BRIDGE_SITE": str(self.site),
            "SERIAL_BRIDGE_CREDENTIALS": str(self.credentials),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `serial-bridge` with these arguments; its log goes to the folder."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bridge", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def command(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `serial-bridge` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "bridge", *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        done = self.command("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    async def until(self, claim: Any, within_s: float = WITHIN_S) -> None:
        """Wait until `claim()` holds; fail with the bridge's own log if it does not in time."""
        try:
            async with asyncio.timeout(within_s):
                while not claim():  # noqa: ASYNC110 - the claim is about other processes
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"not within {within_s} s; the log says:\n{self.log}")

    @property
    def log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text()
        return ""

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """SIGTERM; returns the exit status."""
        process.send_signal(signal.SIGTERM)
        return process.wait(END_WITHIN_S)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(END_WITHIN_S)


def newest(server: StandIn, token: str) -> dict[str, Value]:
    """Return the newest value of each key of a device.

    How wrong a stamp may be is left out: it is told only when this machine was late.
    """
    series = server.stored.get(token, {})
    return {key: points[max(points)] for key, points in series.items() if key != STAMP_ERROR}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield an empty folder for a site; what was started in it is ended afterwards."""
    found = World(tmp_path)
    yield found
    found.end()


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    """Yield the ThingsBoard stand-in on a free port."""
    found = StandIn()
    await found.start()
    yield found
    await found.stop()
