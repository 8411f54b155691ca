"""Wakes who waits for readings when a process writes to the spool.

The kernel tells of a write (inotify(7)) before what was written can be seen: SQLite appends to its log, has
the disk take it, and only then shows it to others. So a write means "look again soon", never that a look will
find something, and nobody may rely on being woken: a file system across a network tells nothing, and the
kernel grants a user so many watches and no more.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_IN_MODIFY: Final = 0x2
_ENOUGH_BYTES: Final = 4096  # writes to one file wait as one event


class WriteWatch:
    """Tell of writes to the log of an open spool, while somebody waits for one.

    Args:
        spool_path: the spool's file; its log lies beside it while any process has it open.
    """

    def __init__(self, spool_path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        log_path = os.fsencode(f"{spool_path}-wal")
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, log_path, _IN_MODIFY) < 0:
            log.debug("no watch on %s: %s", spool_path, os.strerror(ctypes.get_errno()))
            self.close()

    def skip(self) -> bool:
        """Forget the writes so far and return whether there were any: a look may be too early for them."""
        was_written = False
        if self._descriptor >= 0:
            with suppress(BlockingIOError):
                while os.read(self._descriptor, _ENOUGH_BYTES):
                    was_written = True
        return was_written

    @contextmanager
    def telling(self, written: Callable[[], None]) -> Iterator[None]:
        """Call `written` in the event loop, once or more, if there is a write since the last `skip`."""
        if self._descriptor < 0:
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(self._descriptor, written)
        try:
            yield
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
