"""What a service tells systemd (sd_notify(3)): that it is up, makes progress, stops.

Nothing is sent where systemd did not ask for it by setting NOTIFY_SOCKET and WATCHDOG_USEC. A heartbeat is
the proof that a task's own work moves, not only its event loop: the watchdog is fed while every task lives.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from contextlib import suppress

GRACE_S = 10.0  # what a loaded machine may be late


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


class Heartbeat:
    """The deadline of a task's next sign of life: the task extends it, a watchdog asks if it has passed."""

    def __init__(self) -> None:
        self._deadline = math.inf

    def extend(self, within_s: float) -> None:
        """Promise the next `extend` within that many seconds; `GRACE_S` is added for a loaded machine."""
        self._deadline = asyncio.get_running_loop().time() + within_s + GRACE_S

    @property
    def is_alive(self) -> bool:
        """Return whether the deadline has not passed; True before the first `extend`."""
        return asyncio.get_running_loop().time() <= self._deadline
