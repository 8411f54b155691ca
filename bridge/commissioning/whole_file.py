"""Replaces a file in one step: a reader, or a power cut, finds the old one or the new one, whole.

The new file is written beside the old one, flushed to the disk, and takes its name.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from bridge.errors import ConfigError


def edit(path: Path, edited: Callable[[str], str]) -> None:
    """Gives a file of somebody's the text that `edited` makes of its own; nothing if that is the same.

    Raises:
        ConfigError: it cannot be read or replaced.
    """
    try:
        before = path.read_bytes().decode("utf-8-sig")
        after = edited(before)
        if after != before:
            replace(path, after.encode())
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be replaced ({error.strerror}): run this as the file's owner or with sudo"]
        ) from None


def replace(path: Path, data: bytes) -> None:
    """Gives an existing file new contents; its owner and mode stay. A link stays one, to the replaced file.

    Raises:
        OSError: it, or its folder, may not be written.
    """
    path = path.resolve()
    old = path.stat()
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
