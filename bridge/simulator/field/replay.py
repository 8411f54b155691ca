"""A capture played on a pseudo terminal with its own timing, for a bus that listens or whose sensors push."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bridge.captures import Record
from bridge.simulator.field.pty import Pty


def replay(
    records: Iterable[Record],
    link: Path,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Play records at the end of a line.

    Args:
        records: of a capture, in their order.
        link: where the symbolic link to the device shall stand; it is gone afterwards.
        say: called with one sentence when the device is there, and when all is played.
        sleep: waits so many seconds.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    pty = Pty(link)
    pty.plug()
    try:
        say(f"{link}: the capture begins in a second")
        sleep(1.0)
        began, first_us, octets = time.monotonic(), None, 0
        for record in records:
            first_us = record.at_us if first_us is None else first_us
            sleep(max(0.0, began + (record.at_us - first_us) / 1e6 - time.monotonic()))
            pty.write(record.data)
            octets += len(record.data)
        say(f"{link}: {octets} octets played")
        sleep(1.0)  # for the reader to take what is still in the terminal
    finally:
        pty.close()
