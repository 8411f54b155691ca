"""What systemd is told of a service: that it is up, that it gets on, that it stops (sd_notify(3)).

Nobody is told anything where systemd did not ask: NOTIFY_SOCKET and WATCHDOG_USEC are its question.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> None:
    """Tells systemd "READY=1", "WATCHDOG=1", "STOPPING=1" or "STATUS=…". Never waits, never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel,
        suppress(OSError),
    ):
        channel.sendto("\n".join(assignments).encode(), "\0" + address[1:] if address[0] == "@" else address)


def watchdog_s() -> float | None:
    """How often systemd wants to hear that this process gets on, or it ends it; None if it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    return microseconds / 1e6 or None
