"""Whether a path can be that of the spool, and whether what stands there has ever been one.

The services may write the whole folder of the spool, and a file that is damaged is set aside. So the folder
must be the spool's own and no part of the system, and a file that never was a spool is nothing to set aside.
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
"""Nothing in these is for data. Memory that calls itself a disk is in /dev, and allowed."""
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
"""Every program has something in these, so they are nobody's own."""
_MEMORY = Path("/dev/shm")  # noqa: S108 — named to be let through
_USUAL = "/var/lib/serial-bridge/spool.db"


def refusal(path: Path) -> str | None:
    """Return why a spool cannot be at `path`, with what to write instead; None if it can be."""
    named = Path(os.path.normpath(path.absolute()))
    for folder in dict.fromkeys((named.parent, _real(named.parent), _real(named).parent)):
        if why := folder_refusal(folder):
            return why
    try:
        return occupied(named) or _unwritable(named.parent)
    except OSError:
        return None  # this user may not look


def folder_refusal(folder: Path) -> str | None:
    """Return why a folder cannot be that of a spool, going by its name alone; None if it can."""
    if folder in _SHARED:
        return f"{folder} is a folder that all programs share: give the spool its own, as in {_USUAL}"
    for system in _SYSTEM:
        if folder.is_relative_to(system) and not folder.is_relative_to(_MEMORY):
            return f"{folder} is the system's: give the spool a folder of its own, as in {_USUAL}"
    return None


def occupied(path: Path) -> str | None:
    """Return why what stands at a path is no spool and must stay as it is; None if it is one, or nothing.

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
    if status.st_size and _head(path) != _SQLITE and not _was_ours(path):
        return f"{path} is a file of something else, name one that is not there yet"
    return None


def _was_ours(path: Path) -> bool:
    """Whether a spool was ever opened at this path: who opens one makes a lock beside it first."""
    return path.with_name(path.name + ".lock").exists()


def _head(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, len(_SQLITE), 0)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path) -> str | None:
    """Why nobody could make a file in a folder, or make that folder."""
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
