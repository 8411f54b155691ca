"""Edit a person's file: a reader, or a power cut, finds the old one or the new one, whole.

The owner of the folder may put a link there meanwhile, so the folder is opened once and its files are reached
through its descriptor.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bridge.errors import ConfigError
from bridge.files import NotOurFile, acting_as_owner, open_regular, read_all, replace_regular

_LARGEST_BYTES = 100_000_000
_ADVICE = {
    ENOSPC: "make room on its disk",
    EDQUOT: "make room on its disk",
    EROFS: "its disk is mounted read-only, mount it for writing",
}


def check_writable(path: Path) -> None:
    """Check that the file can be replaced, before an installer plugs adapters and answers questions.

    Raises:
        ConfigError: the file cannot be replaced.
    """
    if not os.access(path.resolve().parent, os.W_OK):
        raise ConfigError([f"{path}: cannot be replaced: run this as the file's owner or with sudo"])


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
        advice = _ADVICE.get(error.errno or 0, "run this as the file's owner or with sudo")
        raise ConfigError([f"{path}: cannot be replaced ({error.strerror}): {advice}"]) from None


def edit_tables(path: Path, change: Callable[[Any], None], by_hand: str) -> None:
    """Change values of a person's TOML file; comments and order stay.

    The change is made twice: to the plain tables and to the text. Only a text that means exactly the changed
    tables is written.

    Args:
        path: the file.
        change: changes the tables that it is given, which may be nested dicts or tomlkit's.
        by_hand: what the person is to do if the file is written in a way that cannot be edited safely.

    Raises:
        ConfigError: the file cannot be read, edited or replaced.
    """
    edit(path, lambda text: edited_text(path, text, change, by_hand))


def edited_text(path: Path, text: str, change: Callable[[Any], None], by_hand: str) -> str:
    """Return the text of a TOML file with a change. Arguments and errors as for `edit_tables`."""
    with suppress(tomllib.TOMLDecodeError, TOMLKitError, KeyError):
        expected_tables = tomllib.loads(text)
        change(expected_tables)
        document: Any = tomlkit.parse(text)
        change(document)
        new_text = tomlkit.dumps(document)
        if tomllib.loads(new_text) == expected_tables:
            return new_text
    raise ConfigError([f"{path}: cannot be edited as it is written: {by_hand}"])


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
