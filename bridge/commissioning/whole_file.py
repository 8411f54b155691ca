"""Replaces a file in one step: a reader, or a power cut, finds the old one or the new one, whole.

The new file is written beside the old one, flushed to the disk, and takes its name.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


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
