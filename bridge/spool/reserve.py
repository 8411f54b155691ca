"""A little room kept back on the disk, so that a full one does not stop what frees it.

Even a transaction that only deletes must be written before it counts. When the disk is full the reserve is
given up for confirmations, refusals and expiry; it is taken again once there is room to spare. SQLite needs
room to open a file, too: half of the reserve is given up for that, if a process starts on a full disk.
"""

from __future__ import annotations

import os
from pathlib import Path

from bridge.files import acting_as_owner, open_regular
from bridge.spool.locks import beside

RESERVE_BYTES = 2_000_000
_ROOM_TO_SPARE = 4  # times the reserve
_ROOM_TO_START = 500_000  # bytes; SQLite's index of its log and some commits


class Reserve:
    """The file that holds the room."""

    def __init__(self, spool: Path) -> None:
        self._path = beside(spool, ".reserve")

    def hold(self) -> None:
        """Take the room, or what is missing of it, unless the disk has none to spare."""
        try:
            missing = RESERVE_BYTES - (self._path.stat().st_size if self._path.exists() else 0)
            if missing <= 0 or self._free() < _ROOM_TO_SPARE * RESERVE_BYTES:
                return
            with acting_as_owner(self._path.parent):
                descriptor = open_regular(self._path, os.O_WRONLY | os.O_CREAT)
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

    def release_for_start(self) -> bool:
        """Give up half of the room if the disk has none left; whether it did.

        The other half stays for what frees room once the spool is open.
        """
        try:
            if self._free() >= _ROOM_TO_START or self._path.stat().st_size <= RESERVE_BYTES // 2:
                return False
            with acting_as_owner(self._path.parent):
                descriptor = open_regular(self._path, os.O_WRONLY)
            try:
                os.ftruncate(descriptor, RESERVE_BYTES // 2)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        return True

    def _free(self) -> int:
        """Return the bytes that this user may still write to the disk."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize
