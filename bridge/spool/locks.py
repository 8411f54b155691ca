"""Who may do what to a spool, as locks on small files beside it.

A lock belongs to an open file, so it is gone with its process, however that ends. The files stay: removing
one that another process is about to lock would give two owners.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bridge.errors import AlreadyRunning
from bridge.files import NotOurFile, acting_as_owner, open_regular
from bridge.spool.schema import SpoolUnavailable


def beside(spool: Path, suffix: str) -> Path:
    """Return the path of the spool's file with that suffix."""
    return spool.with_name(spool.name + suffix)


@contextmanager
def lock(spool: Path, name: str) -> Iterator[None]:
    """Be the only one to do `name` on this spool: "uplink", or "bus-meters" to read the bus `meters`.

    The spool's folder is made if missing.

    Raises:
        AlreadyRunning: another process does it; the message names its pid.
        SpoolUnavailable: the folder can neither be made nor written.
    """
    descriptor = _open_in_folder(beside(spool, f".{name}.lock"))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise AlreadyRunning(_conflict(name, f"process {pid}" if pid else "another process")) from None
        with suppress(OSError):  # a file that may only be read is a lock all the same, without the pid
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _conflict(name: str, who: str) -> str:
    kind, _, bus = name.partition("-")
    if kind == "bus":
        return f"bus {bus} is already being read by {who}"
    return f"the {name} of this spool is already being run by {who}"


class Presence:
    """A process's hold on a spool: shared to use it, exclusive to create it or set it aside.

    Raises:
        SpoolUnavailable: the spool's folder can neither be made nor written.
    """

    def __init__(self, spool: Path) -> None:
        self._descriptor = _open_in_folder(beside(spool, ".lock"))

    def is_alone(self) -> bool:
        """Take the spool exclusively, if no one else is there."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Let others in, or join them; waits for one who creates the spool or sets it aside."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Let go, to begin again."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go for good."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _open_in_folder(path: Path) -> int:
    """Open a lock file, made if missing, in a folder made if missing. Raises SpoolUnavailable."""
    try:
        with acting_as_owner(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        return _open(path)
    except NotOurFile:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SpoolUnavailable(
            f"the spool's folder {path.parent} cannot be used ({reason}: {error.filename or path}): "
            "make it and give it to the service's user, or set path in [spool] of the site file"
        ) from error


def _open(path: Path) -> int:
    """Open a lock file, made if missing; made by root, it belongs to the owner of its folder.

    Raises:
        OSError: the folder is missing or closed to this user, or a link or no regular file has the name.
    """
    with acting_as_owner(path.parent):
        try:
            return open_regular(path, os.O_RDWR | os.O_CREAT)
        except PermissionError:
            return open_regular(path, os.O_RDONLY)  # enough for who only looks
