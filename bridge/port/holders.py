"""The programs that have a device open, as far as this user may see."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROCFS = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A running program.

    Attributes:
        command: its name, as the kernel has it.
        arguments: its command line; empty for the kernel's own.
        unit: the system service it belongs to, or "".
    """

    pid: int
    command: str
    arguments: tuple[str, ...]
    unit: str


def processes(procfs: Path = PROCFS) -> Iterator[Process]:
    """Yield every process of this machine; one that ends meanwhile is left out."""
    for folder in procfs.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            yield Process(
                int(folder.name),
                (folder / "comm").read_text(errors="replace").strip(),
                tuple((folder / "cmdline").read_text(errors="replace").split("\0")[:-1]),
                _unit((folder / "cgroup").read_text(errors="replace")),
            )
        except OSError:
            continue


def holders(device: Path, procfs: Path = PROCFS) -> Iterator[Process]:
    """Yield the processes, other than this one, that have the device open."""
    for process in processes(procfs):
        try:
            links = list((procfs / str(process.pid) / "fd").iterdir())
            is_open = any(link.readlink() == device for link in links)
        except OSError:
            continue
        if is_open and process.pid != os.getpid():
            yield process


def _unit(cgroup: str) -> str:
    """Return the system service that the text of /proc/PID/cgroup names, or "".

    It reads "0::/system.slice/gpsd.service", or has a line for each of the older hierarchies.
    """
    service = re.search(r":/system\.slice/(?:[^/\n]+/)*([^/\n]+\.service)", cgroup)
    return service[1] if service else ""
