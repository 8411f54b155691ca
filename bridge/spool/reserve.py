"""A little room kept back on the disk, so that a full one does not stop what frees it.

Even a transaction that only deletes must be written before it counts. When the disk is full the reserve is
given up for confirmations, refusals and expiry; it is taken again once there is room to spare.
"""

from __future__ import annotations

import os
from pathlib import Path

from bridge.files import acting_as_owner, open_regular
from bridge.spool.locks import beside

RESERVE_BYTES = 2_000_000
_ROOM_TO_SPARE = 4  # times the reserve


class Reserve:
    """The file that holds the room."""

    def __init__(self, spool: Path) -> None:
        self._path = beside(spool, ".reserve")

    def hold(self) -> None:
        """Take the room, unless it is held already or the disk has none to spare."""
        if self._path.exists():
            return
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < _ROOM_TO_SPARE * RESERVE_BYTES:
                return
            with acting_as_owner(self._path.parent):
                descriptor = open_regular(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()

    def release(self) -> bool:
        """Give the room up; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
