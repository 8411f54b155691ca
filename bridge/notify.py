"""Notifications to systemd: the service is up, makes progress, stops (sd_notify(3)).

Nothing is sent where systemd did not ask for it by setting NOTIFY_SOCKET and WATCHDOG_USEC.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> None:
    """Send assignments such as "READY=1", "WATCHDOG=1", "STOPPING=1" or "STATUS=…" to systemd.

    Never waits, never fails; does nothing where systemd gave no socket.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel,
        suppress(OSError),
    ):
        channel.sendto("\n".join(assignments).encode(), "\0" + address[1:] if address[0] == "@" else address)


def watchdog_s() -> float | None:
    """Return the longest time between two notifications before systemd ends this process, in seconds.

    Returns:
        None if systemd does not watch this process.
    """
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    return microseconds / 1e6 or None
