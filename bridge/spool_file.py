"""Checks of the spool's path: whether a spool may be there, and whether the file there has ever been one.

The services may write the whole folder of the spool, and a damaged spool is set aside. So the folder
must be the spool's own and no part of the system, and a file that never was a spool must not be moved.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shlex import quote

_SQLITE = b"SQLite format 3\0"  # sqlite.org/fileformat.html §1.3
_SYSTEM = tuple(
    map(Path, ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr"))
)
"""The system's own folders. A RAM disk lies in /dev, and is allowed."""
_SHARED = frozenset(
    map(
        Path,
        (
            *("/", "/home", "/media", "/mnt", "/opt", "/run", "/run/lock", "/srv", "/var", "/var/backups"),
            *(
                "/var/cache",
                "/var/lib",
                "/var/local",
                "/var/lock",
                "/var/log",
                "/var/mail",
                "/var/opt",
                "/var/run",
            ),
            *("/var/spool",),
        ),
    )
)
"""Folders in which every program has something, so that none of them is the spool's own."""
_MEMORY = Path("/dev/shm")  # noqa: S108 — named to be let through
_USUAL = "/var/lib/serial-bridge/spool.db"


def refusal(path: Path) -> str | None:
    """Return why a spool cannot be at `path`, and what to write instead; None if it can."""
    absolute_path = Path(os.path.normpath(path.absolute()))
    for folder in dict.fromkeys(
        (absolute_path.parent, _real(absolute_path.parent), _real(absolute_path).parent)
    ):
        if reason := folder_refusal(folder):
            return reason
    try:
        return occupied(absolute_path) or _unwritable(absolute_path.parent)
    except OSError:
        return None  # this user may not look


def folder_refusal(folder: Path) -> str | None:
    """Return why a folder cannot be that of a spool, judged by its name alone; None if it can."""
    if folder in _SHARED:
        return f"{folder} is a folder that all programs share: give the spool its own, as in {_USUAL}"
    for system in _SYSTEM:
        if folder.is_relative_to(system) and not folder.is_relative_to(_MEMORY):
            return f"{folder} is the system's: give the spool a folder of its own, as in {_USUAL}"
    return None


def occupied(path: Path) -> str | None:
    """Return why the file at `path` is no spool and must stay as it is; None if it is a spool, or missing.

    Raises:
        OSError: this user may not look.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return f"{path.parent} is no folder, name a file in one, as in {_USUAL}"
    if stat.S_ISDIR(status.st_mode):
        return f"{path} is a folder, name the file in it: {path / 'spool.db'}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no regular file, name one in a folder, as in {_USUAL}"
    # In this order: to close a file that SQLite has open drops its locks; who closes the database next then
    # takes itself for the last and deletes the log of the others (sqlite.org/howtocorrupt.html §2.2).
    if status.st_size and not _was_ours(path) and _head(path) != _SQLITE:
        return f"{path} is a file of something else, name one that is not there yet"
    return None


def _was_ours(path: Path) -> bool:
    """Return whether a spool was ever opened at this path: opening one makes a lock beside it first."""
    return path.with_name(path.name + ".lock").exists()


def _head(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, len(_SQLITE), 0)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path) -> str | None:
    """Return why nobody could make a file in a folder, or make that folder; None if somebody could."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is no folder, name a file in one, as in {_USUAL}"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"{folder} is on a disk that cannot be written, choose another"
    status = folder.stat()
    if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWUSR:
        return f"{folder} cannot be written by its owner, run: chmod u+w {quote(str(folder))}"
    return None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
