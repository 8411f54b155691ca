"""Free ports of 127.0.0.1: for a server that is started in a moment, or to have nobody behind them.

They lie below those that the kernel hands out. One of those could be anybody's before the server is there.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_FIRST, _LAST = 10_000, 32_000
_CHANCE = random.SystemRandom()  # two processes never draw the same ports in the same order


def free_tcp_port() -> int:
    """Return a TCP port that nothing listens on."""
    return _free_port(socket.SOCK_STREAM)


def free_udp_port(*, pairs: bool = False) -> int:
    """Return a UDP port that nothing listens on; with `pairs`, nor on the one above it."""
    return _free_port(socket.SOCK_DGRAM, 2 if pairs else 1)


def _free_port(kind: socket.SocketKind, count: int = 1) -> int:
    while True:
        port = _CHANCE.randrange(_FIRST, _LAST)
        with ExitStack() as probes:
            try:
                for number in range(port, port + count):
                    probes.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
