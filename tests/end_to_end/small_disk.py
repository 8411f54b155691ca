"""A small disk of its own for the spool, to be filled by a test: mounted where nobody else sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import World

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
A_SMALL_DISK = 'mount -t tmpfs -o size=24m tmpfs "$1" && exec sleep infinity'
NEEDS_A_SMALL_DISK = pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine lets no one but root mount a small disk",
)


class SmallDisk:
    """A file system of 24 MB that only processes started here see, and the test through /proc.

    Attributes:
        folder: where those processes find it.
        seen: where the test finds it.
        enter: what to put before a command that shall see it.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.folder / "disk"
        self.folder.mkdir()
        self.holder = subprocess.Popen([*NAMESPACE, "sh", "-c", A_SMALL_DISK, "sh", self.folder])
        world.processes.append(self.holder)
        self.seen = Path(f"/proc/{self.holder.pid}/root{self.folder}")
        self.enter = ["nsenter", "--preserve-credentials", "--user", "--mount", f"--target={self.holder.pid}"]

    @property
    def is_there(self) -> bool:
        return str(self.folder) in Path(f"/proc/{self.holder.pid}/mounts").read_text()

    def command(self, *arguments: str) -> list[str]:
        """`serial-bridge` with these arguments, on the small disk."""
        return [*self.enter, sys.executable, "-m", "bridge", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.world.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(*arguments), env=self.world.environment, stdout=log, stderr=log
            )
        self.world.processes.append(process)
        return process

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            self.command("status", "--json"), env=self.world.environment, capture_output=True, check=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def fill(self) -> None:
        """Take what the disk has left, to the last page."""
        with (self.seen / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.seen / "filler").unlink()
