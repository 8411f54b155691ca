"""Edit a person's file: a reader, or a power cut, finds the old one or the new one, whole.

The owner of the folder may put a link there meanwhile, so the folder is opened once and its files are reached
through its descriptor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import ConfigError
from bridge.files import NotOurFile, acting_as_owner, open_regular, read_all, replace_regular

_LARGEST_BYTES = 100_000_000


def edit(path: Path, transform: Callable[[str], str]) -> None:
    """Replace the text of a person's file by `transform` of it; do nothing if that is the same.

    Owner and mode of the file stay. A link stays one, to the replaced file.

    Raises:
        ConfigError: the file cannot be read or replaced.
    """
    try:
        with acting_as_owner(path if path.stat().st_uid == 0 else path.parent):
            _edit(path.resolve(), transform)
    except NotOurFile as error:
        raise ConfigError([str(error)]) from None
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be replaced ({error.strerror}): run this as the file's owner or with sudo"]
        ) from None


def _edit(path: Path, transform: Callable[[str], str]) -> None:
    with _closing(os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as folder:
        with _closing(open_regular(path.name, os.O_RDONLY, folder=folder)) as file:
            old_status = os.fstat(file)
            old_text = read_all(file, _LARGEST_BYTES).decode("utf-8-sig")
        new_text = transform(old_text)
        if new_text != old_text:
            replace_regular(
                path.name,
                new_text.encode(),
                folder=folder,
                mode=stat.S_IMODE(old_status.st_mode),
                owner=(old_status.st_uid, old_status.st_gid),
                is_durable=True,
            )


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
