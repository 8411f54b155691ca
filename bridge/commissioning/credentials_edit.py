"""Writes tokens into credentials.toml: comments, order and owner stay, and there is always a whole file.

What was edited is read back as plain TOML before it is written: an edit that would change anything else is
not made.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, Item, Key, Whitespace

from bridge.commissioning.whole_file import edit
from bridge.errors import AlreadyRunning, ConfigError

_PENDING_COMMENT = "asked for, not confirmed yet: `serial-bridge provision` goes on with these"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only one who edits this file.

    Raises:
        AlreadyRunning: another process does.
        ConfigError: its folder is missing or may not be entered.
    """
    try:
        descriptor = os.open(path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError([f"{path}: its folder cannot be opened: {error.strerror}"]) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another `serial-bridge provision` works on {path}: wait for it") from None
        yield
    finally:
        os.close(descriptor)


def store(path: Path, tokens: Mapping[str, str], pending: Mapping[str, str]) -> None:
    """Adds tokens to [sensors] and makes [pending] hold exactly these, or leaves it out if there are none.

    Raises:
        ConfigError: the file cannot be replaced, or its layout does not let itself be edited.
    """
    edit(path, lambda text: _edited(path, text, tokens, pending))


def _edited(path: Path, text: str, tokens: Mapping[str, str], pending: Mapping[str, str]) -> str:
    expected = tomllib.loads(text)
    with suppress(tomllib.TOMLDecodeError, TOMLKitError):
        document = tomlkit.parse(text)
        _add(document, expected, "sensors", tokens)
        _remove(document, expected, [name for name in expected.get("pending", ()) if name not in pending])
        _add(document, expected, "pending", pending)
        if pending:
            document["pending"].comment(_PENDING_COMMENT)
        edited = tomlkit.dumps(document)
        if tomllib.loads(edited) == expected:
            return edited
    raise ConfigError([f"{path}: cannot be edited as it is written: begin the tokens with a line [sensors]"])


def _add(
    document: tomlkit.TOMLDocument, expected: dict[str, Any], name: str, tokens: Mapping[str, str]
) -> None:
    if not tokens:
        return
    if name not in document:
        document[name] = tomlkit.table()
    table: Any = document[name]  # load_credentials took it for a table
    body = _body(table)
    end = _end(body)
    belongs_to_the_next, body[end:] = body[end:], []
    table.update(tokens)
    body += belongs_to_the_next
    expected.setdefault(name, {}).update(tokens)


def _remove(document: tomlkit.TOMLDocument, expected: dict[str, Any], settled: Sequence[str]) -> None:
    """Takes tokens out of [pending]; the table goes with the last of them, unless a comment stands in it."""
    for name in settled:
        del document["pending"][name], expected["pending"][name]
    if settled and not expected["pending"]:
        if any(isinstance(item, Comment) for _, item in _body(document["pending"])):
            return
        del document["pending"], expected["pending"]


def _body(table: Any) -> list[tuple[Key | None, Item]]:
    """Its keys, comments and blank lines; empty if dotted keys all over the file make up the table."""
    return getattr(table.value, "body", [])


def _end(body: list[tuple[Key | None, Item]]) -> int:
    """Where a table ends for its reader: at the first blank line after its last key."""
    last = max((at for at, (key, _) in enumerate(body) if key is not None), default=-1)
    blank = (at for at, (_, item) in enumerate(body) if at > last and isinstance(item, Whitespace))
    return next(blank, len(body))
