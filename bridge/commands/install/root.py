"""The system in a folder, such as a mounted card: its links lead to places on the card, not to places here.

A link on a card to /etc/udev means the card's own; followed from here it would lead to this machine's. So a
path below another root is walked folder by folder, and a link on the way is refused. On this machine, whose
links are root's own, they are followed as ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ELOOP, ENOTDIR
from pathlib import Path

from bridge.errors import ConfigError

HERE = Path("/")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def folder_below(root: Path, path: Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder of the system in `root` and yield its descriptor until the end of the block.

    Args:
        path: absolute, as that system names it.
        make: make the folder if it is missing.

    Raises:
        FileNotFoundError: the folder is missing.
        ConfigError: on the way is a link, or something that is no folder.
    """
    links = 0 if root == HERE else os.O_NOFOLLOW
    descriptor = os.open(root, _FOLDER)
    try:
        for part in path.relative_to("/").parts:
            try:
                inner = _entered(part, descriptor, links, make=make)
            except OSError as error:
                if error.errno in (ELOOP, ENOTDIR):
                    raise ConfigError([_refusal(root, path, part)]) from None
                raise
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def within(root: Path, path: Path) -> Path:
    """Return the path from here of a file of the system in `root`.

    Raises:
        ConfigError: links lead out of that system.
    """
    below = root / path.absolute().relative_to("/")
    if root != HERE and not below.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            [f"{below}: a link leads out of {root}, to {below.resolve()}: replace it by the file"]
        )
    return below


def _entered(part: str, outer: int, links: int, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER | links, dir_fd=outer)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(part, 0o755, dir_fd=outer)
    return os.open(part, _FOLDER | links, dir_fd=outer)


def _refusal(root: Path, path: Path, part: str) -> str:
    return (
        f"{root}: on the way to {path} there, {part} is a link or no folder: nothing is written through it; "
        "make it a folder, or install on that machine itself"
    )
