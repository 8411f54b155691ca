"""Files in folders that another user may write: the spool's, the runtime folder, a site in a home folder.

The user who may write a folder decides where its names lead. A link there can make root overwrite a file of
the system, or hand a new one to a stranger; a named pipe can make a reader wait for ever. Two rules prevent
both,

    acting_as_owner   while it lasts, root has no more rights than the owner of the folder
    open_regular      never through a link, never waiting; a regular file with one name, or an error

and one way to change a file that others read:

    replace_regular   the new file is written beside the old one and takes its name in one step
    write_whole       the same for a file that a person named, which may be a link or a device

A file that is open is checked, read and changed by its descriptor; its path may lead elsewhere a moment
later.
"""

from __future__ import annotations

import os
import pwd
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EFBIG, ELOOP, EMLINK
from pathlib import Path

from bridge.errors import BridgeError

_identity_lock = threading.RLock()  # effective ids belong to the process: one thread at a time changes them


class NotOurFile(BridgeError, OSError):
    """A file of ours has a name that is a link, a pipe or a folder, or that is another file's too."""

    def __init__(self, errno: int, fault: str, path: Path | str) -> None:
        super().__init__(errno, fault, str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}, so it is left alone; remove it, then try again"


@contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """Act as the owner of `folder` until the end of the block, if this process is root and the owner is not.

    Effective user, group and supplementary groups become those of the owner. A folder that is missing has the
    owner of the nearest one above it; one behind a link that is not root's, the owner of that link.

    Raises:
        OSError: root may not become another user here, or the folder cannot be looked at.
    """
    if 0 not in os.getresuid():
        yield
        return
    with _identity_lock:
        uid, gid = _owner(folder)
        if uid == 0 or os.geteuid() != 0:
            yield
            return
        groups, own_gid = os.getgroups(), os.getegid()
        try:
            os.setgroups(_groups(uid, gid))
            os.setegid(gid)
            os.seteuid(uid)
            yield
        finally:
            os.seteuid(0)
            os.setegid(own_gid)
            os.setgroups(groups)


def acts_as_another(folder: Path) -> bool:
    """Return whether `acting_as_owner` changes the rights of this process, of all its threads."""
    return 0 in os.getresuid() and _owner(folder)[0] != 0


def open_regular(path: Path | str, flags: int, mode: int = 0o644, *, folder: int | None = None) -> int:
    """Open a regular file with `os.open`'s flags and return its descriptor, which the caller closes.

    Args:
        mode: the mode of a file that is created.
        folder: descriptor of the folder in which a relative `path` lies.

    Raises:
        NotOurFile: `path` is a link, no regular file, or a file with a second name.
        OSError: as for `os.open`.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, mode, dir_fd=folder)
    except OSError as error:
        if error.errno == ELOOP:
            raise NotOurFile(ELOOP, "this is a link", path) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotOurFile(ELOOP, "this is no regular file", path)
    if status.st_nlink > 1:
        os.close(descriptor)
        raise NotOurFile(EMLINK, "this file has a second name elsewhere", path)
    return descriptor


def read_regular(path: Path, most: int) -> bytes:
    """Return the contents of a file of at most `most` bytes. Errors as for `open_regular` and `read_all`."""
    descriptor = open_regular(path, os.O_RDONLY)
    try:
        return read_all(descriptor, most)
    finally:
        os.close(descriptor)


def replace_regular(
    path: Path | str,
    data: bytes,
    *,
    folder: int | None = None,
    mode: int | None = None,
    owner: tuple[int, int] | None = None,
    is_durable: bool = False,
    is_sole_writer: bool = False,
) -> None:
    """Replace the file `path`, or make it; a reader finds the old one or the new one, whole.

    The new file is written beside the old one and takes its name when it is complete.

    Args:
        folder: descriptor of the folder in which a relative `path` lies.
        mode: the mode of the file, whatever the umask says; None: 0644 as far as the umask allows.
        owner: user and group of the file; None: those of this process.
        is_durable: return only when file and name are on the disk. Else a power cut may bring the old file
            back or leave an empty one, and the disk is written when the kernel likes.
        is_sole_writer: nobody else writes this file at the same time, so that what a crash left half written
            can be overwritten; it lies in `path` with ".new".

    Raises:
        OSError: the folder may not be written, or the disk is full; the old file is as it was.
    """
    with _draft(path, folder, is_sole_writer=is_sole_writer) as draft:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = open_regular(draft, flags, 0o644 if mode is None else 0o600, folder=folder)
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, *owner)
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(data)
            if is_durable:
                file.flush()
                os.fsync(descriptor)
    if is_durable:
        place = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that a person named, whole or not at all; what is no regular file gets the data as it is.

    A link stays, and the file behind it keeps its mode and, if root replaces it, its owner.

    Raises:
        OSError: the file cannot be written, or the disk is full; a file that was there is as it was.
    """
    target = path.resolve()
    if not target.exists():
        replace_regular(target, data)
    elif target.is_file():
        status = target.stat()
        owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
        replace_regular(target, data, mode=stat.S_IMODE(status.st_mode), owner=owner)
    else:
        path.write_bytes(data)


def replace_by_link(path: Path | str, target: str, *, folder: int | None = None) -> None:
    """Replace what is at `path` by a link to `target`, in one step; arguments and errors as above."""
    with _draft(path, folder) as draft:
        os.symlink(target, draft, dir_fd=folder)


@contextmanager
def _draft(path: Path | str, folder: int | None, *, is_sole_writer: bool = False) -> Iterator[Path]:
    """Yield the path for a draft of `path`; at the end it takes that name, after an error it is removed."""
    path = Path(path)
    draft = path.with_name(f"{path.name}.new" if is_sole_writer else f".{path.name}.{os.urandom(8).hex()}")
    if is_sole_writer:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
    try:
        yield draft
        os.replace(draft, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        raise


def read_all(descriptor: int, most: int) -> bytes:
    """Return the contents of a file from its beginning.

    Raises:
        OSError: EFBIG if the file holds more than `most` bytes, or it cannot be read.
    """
    data = bytearray()
    while chunk := os.pread(descriptor, most + 1 - len(data), len(data)):
        data += chunk
    if len(data) > most:
        raise OSError(EFBIG, f"it holds more than {most} bytes")
    return bytes(data)


def _owner(folder: Path) -> tuple[int, int]:
    """Return the user and group whose rights apply in a folder."""
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        if place.is_symlink() and (link := place.lstat()).st_uid != 0:
            return link.st_uid, link.st_gid
    while not folder.exists():
        folder = folder.parent
    status = folder.stat()
    return status.st_uid, status.st_gid


def _groups(uid: int, gid: int) -> list[int]:
    """Return the supplementary groups of a user; for one without a name, `gid` alone."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return [gid]
    return os.getgrouplist(user.pw_name, gid)
