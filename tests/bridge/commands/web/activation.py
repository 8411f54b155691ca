"""The part of systemd: it holds the listening socket, and starts the page on it when somebody comes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bridge.config import Site
from tests.bridge.commands.web.served import Served

_HANDED_OVER = 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&{0}'  # sd_listen_fds(3)


@dataclass
class Activation:
    """A socket of the page, and the process that serves it at times."""

    site: Site
    listener: socket.socket
    idle_s: float | None  # None: the usual time
    log: Path
    started: list[Served] = field(default_factory=list)

    def start(self, *options: str) -> Served:
        """Start the page on the socket, as systemd does when somebody comes."""
        descriptor = self.listener.fileno()
        page = [sys.executable, *options, "-m", "bridge", "web", "serve"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", _HANDED_OVER.format(descriptor), "bash", *page, "--site", self.site.path]
                + ([] if self.idle_s is None else [f"--idle={self.idle_s}"]),
                pass_fds=(descriptor,),
                stdout=log,
                stderr=log,
                env=os.environ.copy(),
            )
        self.started.append(Served(self.site, process, self.listener.getsockname()[1]))
        return self.started[-1]

    def end(self) -> None:
        """End what still runs."""
        for page in self.started:
            if page.process.poll() is None:
                page.process.terminate()
            page.process.wait(10)
        self.listener.close()
