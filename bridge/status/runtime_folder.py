"""The folders of the runtime documents: which one is ours, and whom to believe.

Where the folder lies below /tmp, any user can have made it first. So a folder counts, and a file in it, only
if this user, root or the owner of the spool owns it, and nobody else may write it; links are not followed;
only a regular file of at most 10 MB is read. So nobody else can forge a status or the time.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.files import open_regular, read_all

_LARGEST_BYTES = 10_000_000
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotOurFolder(OSError):
    """A runtime folder that another user owns or may write."""


def own_root() -> Path:
    """Return the folder in which this process publishes."""
    if directories := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(directories.split(":")[0])  # systemd lists several so
    if directory := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(directory) / "serial-bridge"
    return temporary_root(os.getuid())


def temporary_root(uid: int) -> Path:
    """Return the folder of a user who has none of the system's."""
    directory = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 — who may write there is looked at in `opened`
    return Path(directory) / f"serial-bridge-{uid}"


def make(folder: Path | str, outer: int | None = None) -> None:
    """Make a folder that every user may read, whatever the umask; do nothing if it exists."""
    if outer is None:
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.mkdir(folder, 0o700, dir_fd=outer)
    except FileExistsError:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
    try:
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


@contextmanager
def opened(folder: Path | str, owners: set[int], outer: int | None = None) -> Iterator[int]:
    """Open a folder that one of `owners` owns and nobody else may write; yield its descriptor.

    Raises:
        OSError: the folder is missing or a link.
        NotOurFolder: another user owns it, or may write it.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags, dir_fd=outer)
    try:
        if not _is_trusted(descriptor, owners):
            raise NotOurFolder(f"the folder {folder} is of another user, or others may write it: remove it")
        yield descriptor
    finally:
        os.close(descriptor)


def _is_trusted(descriptor: int, owners: set[int]) -> bool:
    status = os.fstat(descriptor)
    return status.st_uid in owners and not status.st_mode & _WRITTEN_BY_OTHERS


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content: a JSON object that says which process published it, and when."""

    pid: int
    updated_ms: int
    keys: dict[str, object]


def documents_in(folder: int, owners: set[int]) -> Iterator[tuple[str, Document]]:
    """Yield the documents of an open folder, each after its name, sorted by name."""
    for name in sorted(os.listdir(folder)):
        stem, dot, suffix = name.rpartition(".")
        if stem and not name.startswith(".") and dot + suffix == ".json":
            document = read_document(name, folder, owners)
            if document is not None:
                yield stem, document


def read_document(name: str, folder: int, owners: set[int]) -> Document | None:
    """Return the document in a file; None if the file holds none, or is not to be trusted."""
    try:
        descriptor = open_regular(name, os.O_RDONLY, folder=folder)
        try:
            if not _is_trusted(descriptor, owners):
                return None
            document: object = json.loads(read_all(descriptor, _LARGEST_BYTES))
        finally:
            os.close(descriptor)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    pid, updated_ms = document.get("pid"), document.get("updated")
    if not isinstance(pid, int) or not isinstance(updated_ms, int):
        return None
    return Document(pid, updated_ms, document)


def is_alive(pid: int) -> bool:
    """Return whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
