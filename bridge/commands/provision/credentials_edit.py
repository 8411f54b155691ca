"""Edit tokens in credentials.toml: comments, order and owner stay, and a reader always finds a whole file.

The edited text is parsed as plain TOML before it is written: an edit that would change anything else is not
made.
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

from bridge.config.edit import edit
from bridge.errors import AlreadyRunning, ConfigError

_PENDING_COMMENT = "asked for, not confirmed yet: `serial-bridge provision` goes on with these"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock the file against other processes that edit it, until the end of the block.

    Raises:
        AlreadyRunning: another process holds the lock.
        ConfigError: the folder of the file is missing or may not be entered.
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


def store(path: Path, tokens: Mapping[str, str], pending_tokens: Mapping[str, str]) -> None:
    """Add tokens to [sensors], and make [pending] hold exactly `pending`; remove it if that is empty.

    Raises:
        ConfigError: the file cannot be replaced, or is written in a way that cannot be edited safely.
    """
    edit(path, lambda text: _edited_text(path, text, tokens, pending_tokens))


def _edited_text(path: Path, text: str, tokens: Mapping[str, str], pending_tokens: Mapping[str, str]) -> str:
    expected_tables = tomllib.loads(text)
    with suppress(tomllib.TOMLDecodeError, TOMLKitError):
        document = tomlkit.parse(text)
        _add(document, expected_tables, "sensors", tokens)
        _remove(
            document,
            expected_tables,
            [name for name in expected_tables.get("pending", ()) if name not in pending_tokens],
        )
        _add(document, expected_tables, "pending", pending_tokens)
        if pending_tokens:
            document["pending"].comment(_PENDING_COMMENT)
        edited_text = tomlkit.dumps(document)
        if tomllib.loads(edited_text) == expected_tables:
            return edited_text
    raise ConfigError([f"{path}: cannot be edited as it is written: begin the tokens with a line [sensors]"])


def _add(
    document: tomlkit.TOMLDocument, expected_tables: dict[str, Any], name: str, tokens: Mapping[str, str]
) -> None:
    if not tokens:
        return
    if name not in document:
        document[name] = tomlkit.table()
    table: Any = document[name]  # a table: load_credentials has checked that
    body = _body(table)
    end = _end(body)
    next_table_items, body[end:] = body[end:], []
    table.update(tokens)
    body += next_table_items
    expected_tables.setdefault(name, {}).update(tokens)


def _remove(document: tomlkit.TOMLDocument, expected_tables: dict[str, Any], names: Sequence[str]) -> None:
    """Remove tokens from [pending], and the table with the last of them unless it holds a comment."""
    for name in names:
        del document["pending"][name], expected_tables["pending"][name]
    if names and not expected_tables["pending"]:
        if any(isinstance(item, Comment) for _, item in _body(document["pending"])):
            return
        del document["pending"], expected_tables["pending"]


def _body(table: Any) -> list[tuple[Key | None, Item]]:
    """Return the table's keys, comments and blank lines; nothing if only dotted keys make up the table."""
    return getattr(table.value, "body", [])


def _end(body: list[tuple[Key | None, Item]]) -> int:
    """Return the index where a table ends for a person: at the first blank line after its last key."""
    last = max((at for at, (key, _) in enumerate(body) if key is not None), default=-1)
    blank = (at for at, (_, item) in enumerate(body) if at > last and isinstance(item, Whitespace))
    return next(blank, len(body))
