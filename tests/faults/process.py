"""The real command with shorter waits, for a server whose name only the test knows.

    python -m tests.faults.process FOLDER uplink

Nothing but waits is changed: a hold of a minute would make every cell of the matrix a minute long. `HOST`
resolves to the addresses in the file `hosts` in the folder, a line each, as long as there is one.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from bridge.coap import Client
from bridge.commands.terminal.app import main
from bridge.uplink import Pace, service

HOST = "thingsboard.test"
ANSWER_WITHIN_S = 8.0
PACE = Pace(look_every_s=0.2, back_off_s=(0.5, 8.0), hold_s=(1.0, 4.0), quiet_s=(0.2, 2.0))


def shorten(folder: Path) -> None:
    """Put the shorter waits and the name in place."""
    Client.DEADLINE_S = ANSWER_WITHIN_S
    service.Pace = lambda: PACE  # type: ignore[assignment, misc]
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != HOST:
            return resolve(host, *arguments, **options)
        if not (folder / "hosts").exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        addresses = (folder / "hosts").read_text().split()
        return [found for address in addresses for found in resolve(address, *arguments, **options)]

    socket.getaddrinfo = getaddrinfo


if __name__ == "__main__":
    shorten(Path(sys.argv.pop(1)))
    main()
