"""A TOML file that a person wrote, and everything that is wrong with it.

Each mistake is one sentence: the file as the caller named it, its line, the key, the rule and the fix.

    site.toml:14: bus.meters.sensor[2].address: 300 is not a Modbus unit address, use 1–247

List elements are counted from 1 there, as people count the blocks of a file.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from errno import EINVAL
from pathlib import Path
from typing import Any, Self, TypeVar

from bridge.config.keys import Table, keys_of
from bridge.config.kinds import Context
from bridge.config.syntax import advice, plain_bus_headers
from bridge.config.toml_bounds import MOST_BYTES, out_of_bounds
from bridge.config.toml_lines import KeyPath, nearest_line, toml_lines
from bridge.config.wording import value_text
from bridge.errors import ConfigError
from bridge.plain_text import one_line
from protocols.toolkit.keys import nearest

_HINTS = 100  # mistakes up to which unknown keys get a hint; a file of thousands is for another program
_LONGEST_KEY = 100  # characters; a longer key is shortened in messages
_LONGEST_SENTENCE = 3000
_BARE = re.compile(r"[A-Za-z0-9_-]+")


T = TypeVar("T", bound=Table)


class Document:
    """One TOML file: its tables, and the mistakes noted so far.

    Attributes:
        path: the file, as the caller named it.
        tables: the contents, parsed by tomllib.
    """

    def __init__(
        self,
        path: Path,
        text: str,
        *,
        secret: bool = False,
        public_keys: Collection[str] = (),
        homes: Mapping[str, str] | None = None,
    ) -> None:
        """Parse the text of the file.

        Args:
            secret: no value of this file may appear in a message, and of its keys only `public_keys`.
            public_keys: the keys of a secret file that are no secret: its own, and the names of the sensors.
            homes: the header of the table in which each key belongs, for keys that stand elsewhere.

        Raises:
            ConfigError: the text is not TOML, is nested too deep, or holds an integer of more than 64 bits.
        """
        self.path = path
        self._secret = secret
        self._public_keys = public_keys
        self._homes = homes or {}
        self._mistakes: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []
        if excess := out_of_bounds(text):
            raise ConfigError([f"{path}:{excess[0]}: {excess[1]}"])
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
            text, self._mistakes = plain_bus_headers(text)
            try:
                self.tables = tomllib.loads(text)
            except (ValueError, RecursionError) as error:
                self._mistakes.append(advice(error, text, secret=secret))
                raise ConfigError(self.mistakes) from None
        self._lines = toml_lines(text)
        large_numbers = list(_too_large(self.tables))
        for place in large_numbers:
            self.mistake(place, "the number needs more than 64 bits")
        if large_numbers:
            raise ConfigError(self.mistakes)

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        secret: bool = False,
        public_keys: Collection[str] = (),
        homes: Mapping[str, str] | None = None,
    ) -> Self:
        """Read a file and parse it; the arguments are those of the class.

        Raises:
            ConfigError: the file is missing, may not be read, is too large, is not UTF-8 or not TOML.
        """
        option = "--credentials" if secret else "--site"
        try:
            data = _read(path)
        except FileNotFoundError:
            message = f"{path}: there is no such file: write it, or name it with {option}"
            raise ConfigError([message]) from None
        except PermissionError:
            message = f"{path}: this user may not read it; run as the service's user or with sudo"
            raise ConfigError([message]) from None
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}; name a file with {option}"
            raise ConfigError([message]) from None
        if len(data) > MOST_BYTES:
            megabytes = f"{MOST_BYTES / 1e6:g} MB"
            raise ConfigError([f"{path}: is larger than {megabytes}: is this the right file?"])
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            utf_16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
            fault = "is UTF-16" if utf_16 else "holds a character that is not UTF-8"
            message = f'{path}:{line}: the file {fault}; save it with the encoding "UTF-8"'
            raise ConfigError([message]) from None
        return cls(path, text, secret=secret, public_keys=public_keys, homes=homes)

    def line(self, path: KeyPath) -> int:
        """Return the line of `path`, or of the table that it is missing from."""
        return nearest_line(self._lines, path)

    def mistake(self, path: KeyPath, message: str) -> None:
        """Note a mistake at `path`."""
        self._note(self._mistakes, path, message)

    def warn(self, path: KeyPath, message: str) -> None:
        """Note what is odd but allowed at `path`."""
        self._note(self._warnings, path, message)

    @property
    def mistakes(self) -> list[str]:
        """Return every mistake noted, in the order of the file."""
        return self._in_order(self._mistakes)

    @property
    def warnings(self) -> list[str]:
        """Return every warning noted, in the order of the file."""
        return self._in_order(self._warnings)

    def check(
        self,
        model: type[T],
        path: KeyPath,
        table: object,
        *,
        overrides: Mapping[str, Any] | None = None,
        misspelt: Collection[str] | None = None,
    ) -> T | None:
        """Check the table at `path` and note its mistakes.

        Args:
            table: the value at `path`, which need not be a table.
            overrides: values that replace those of the table, by key, or by the name of a field that is not
                written. Mistakes in these are not noted again.
            misspelt: the result of `unknown_keys` for this table, if it was called already.

        Returns:
            The model, or None if the table has a mistake.
        """
        if not isinstance(table, Mapping):
            self.mistake(path, _table_wanted(path, model.fields_by_key()))
            return None
        known_keys, overrides = model.fields_by_key(), overrides or {}
        misspelt = self.unknown_keys(path, table, known_keys) if misspelt is None else misspelt
        values = {**{key: value for key, value in table.items() if key in known_keys}, **overrides}
        fields: dict[str, Any] = {}
        context = Context(self.path.absolute().parent, self._secret, fields)
        is_right = all(key in known_keys for key in table)
        for key in keys_of(model):
            try:
                fields[key.field] = (
                    key.read(values[key.name], context) if key.name in values else key.absent()
                )
            except ValueError as error:
                is_right = False
                if key.name not in overrides and (key.name in table or key.name not in misspelt):
                    self.mistake((*path, key.name), str(error))
        return model(**fields) if is_right else None

    def unknown_keys(
        self,
        path: KeyPath,
        table: Mapping[str, Any],
        known_keys: Collection[str],
        homes: Mapping[str, str] | None = None,
    ) -> set[str]:
        """Note every key that the table may not have.

        Args:
            homes: like `homes` of the class, for this table alone.

        Returns:
            The known keys that are probably meant by misspelt ones.
        """
        if all(key in known_keys for key in table):
            return set()
        from bridge.config.foreign_words import meaning  # here, because a right file has no use for it

        misspelt: set[str] = set()
        homes = {**(homes or {}), **self._homes}
        for key in table:
            if key in known_keys:
                continue
            foreign = None if self._secret else meaning(key, table, known_keys, homes)
            if foreign and foreign.key in known_keys:
                misspelt.add(foreign.key)
                hint = foreign.advice
            elif key in homes:
                hint = f"it belongs to {homes[key]}"
            elif foreign:
                hint = f"{foreign.advice}{f', in {homes[foreign.key]}' if foreign.key in homes else ''}"
            elif near := nearest(key, known_keys) if len(self._mistakes) < _HINTS else None:
                misspelt.add(near)
                hint = f"did you mean {near}?"
            else:
                hint = f"use {', '.join(sorted(known_keys))}"
            self.mistake((*path, key), f"unknown key; {hint}")
        return misspelt

    def _note(self, notes: list[tuple[int, str]], path: KeyPath, message: str) -> None:
        text = f"{self._key_text(path)}: {message}" if path else message
        notes.append((self.line(path), one_line(text[:_LONGEST_SENTENCE])))

    def _key_text(self, path: KeyPath) -> str:
        """Return the path as the file would write it; in a secret file, hide keys that are not public."""
        if not self._secret:
            return key_text(path)
        return ".".join(
            key_text((part,)) if part in self._public_keys else "…" for part in path if isinstance(part, str)
        )

    def _in_order(self, notes: list[tuple[int, str]]) -> list[str]:
        return [
            f"{self.path}:{line}: {one_line(text)}" for line, text in sorted(notes, key=lambda note: note[0])
        ]


def _read(path: Path) -> bytes:
    """Return at most `MOST_BYTES` + 1 bytes of a regular file.

    Raises:
        OSError: the file cannot be read; EINVAL if it is a pipe or a device, which may never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(EINVAL, "it is no regular file")
        return file.read(MOST_BYTES + 1)


def key_text(path: KeyPath) -> str:
    """Return a path as the file would write it, with list elements counted from 1.

    For example `bus.meters.sensor[2].address`.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            part_text = part if _BARE.fullmatch(part) and len(part) <= _LONGEST_KEY else value_text(part)
            text += f".{part_text}" if text else part_text
    return text


def _table_wanted(path: KeyPath, keys: Iterable[str]) -> str:
    """Return the sentence for a value in the place of a table."""
    if len(path) == 1:
        return f"this must be a table: write [{path[0]}] on a line of its own, and its keys below it"
    return f"this must be a table: write {path[-1]} = {{ {next(iter(keys))} = … }}"


def _too_large(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the places of integers of more than 64 bits, which tomllib takes and TOML does not allow."""
    match value:
        case dict():
            pairs: Iterable[tuple[str | int, object]] = value.items()
        case list():
            pairs = enumerate(value)
        case int() if not -(2**63) <= value < 2**64:
            yield path
            return
        case _:
            return
    for key, inner in pairs:
        yield from _too_large(inner, (*path, key))
