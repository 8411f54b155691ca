"""Replaces a file in one step: a reader, or a power cut, finds the old one or the new one, whole.

The new file is written beside the old one, flushed to the disk, and takes its name. The folder may be of
somebody who lays a link meanwhile, so it is opened once, and everything in it is reached through that.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import ConfigError
from bridge.files import NotOurFile, acting_as_owner, open_regular, read_all

_LARGEST_BYTES = 100_000_000


def edit(path: Path, edited: Callable[[str], str]) -> None:
    """Give a file of somebody's the text that `edited` makes of its own; nothing if that is the same.

    Its owner and mode stay. A link stays one, to the replaced file.

    Raises:
        ConfigError: it cannot be read or replaced.
    """
    try:
        with acting_as_owner(path if path.stat().st_uid == 0 else path.parent):
            _edit(path.resolve(), edited)
    except NotOurFile as error:
        raise ConfigError([str(error)]) from None
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be replaced ({error.strerror}): run this as the file's owner or with sudo"]
        ) from None


def _edit(path: Path, edited: Callable[[str], str]) -> None:
    with _opened(os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as folder:
        with _opened(open_regular(path.name, os.O_RDONLY, folder=folder)) as file:
            old = os.fstat(file)
            before = read_all(file, _LARGEST_BYTES).decode("utf-8-sig")
        after = edited(before)
        if after != before:
            _replace(folder, path.name, after.encode(), old)


def _replace(folder: int, name: str, data: bytes, old: os.stat_result) -> None:
    """Put a file with these contents in the place of another in an open folder."""
    draft = f".{name}.{secrets.token_hex(8)}"
    descriptor = open_regular(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, folder=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(draft, dir_fd=folder)
        raise
    os.fsync(folder)


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
