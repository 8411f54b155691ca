"""The spool's file: SQLite's settings, its transactions, and its errors in our words."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from bridge.errors import SpoolDamaged, SpoolFull
from bridge.files import NotOurFile, acting_as_owner, open_regular
from bridge.spool.locks import beside
from bridge.spool.schema import LATEST, SpoolUnavailable, migrate, schema_version

PAGE_BYTES = 2048
"""Half of SQLite's default: a commit of a few readings touches ten pages, mostly for a few bytes each."""

_BUSY_TIMEOUT_S = 5.0
_WAL_PAGES = 1000


class Database:
    """One connection to the spool's file, used by one thread at a time.

    A process that finds damage leaves a mark beside the file; every other process sees it at its next
    transaction, so all of them end, and the first to start alone examines the file.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, limit: int) -> Self:
        """Open the file, made if missing, its schema brought up to date.

        `limit` is what the spool may take in bytes: the write-ahead log is kept small against it.

        Raises:
            SpoolDamaged: the file is empty, or no database.
            SpoolUnavailable: it cannot be opened, is another program's, or of a newer schema.
        """
        with translated(path), acting_as_owner(path.parent):
            return cls._open(path, limit)

    @classmethod
    def _open(cls, path: Path, limit: int) -> Self:
        if is_marked_damaged(path):
            raise SpoolDamaged(f"{path} was found damaged by another process")
        is_new = not path.exists()
        if not is_new and path.stat().st_size == 0:
            raise SpoolDamaged(f"{path} is damaged: 0 bytes")  # SQLite would take it for a new database
        with translated(path):
            connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        database = cls(connection, path)
        try:
            with translated(path):
                _set_up(connection, path, limit, is_new=is_new)
                is_outdated = schema_version(connection, path) < LATEST
            if is_outdated:
                with database.write():
                    migrate(connection, path)
        except BaseException:
            connection.close()
            if is_new and path.stat().st_size == 0:  # no room for its first page: at the next start it is new
                path.unlink()
            raise
        return database

    @classmethod
    def view(cls, path: Path) -> Self:
        """Open an existing file to read it.

        Raises:
            SpoolDamaged: the file holds no spool.
            SpoolUnavailable: it is missing, cannot be opened, is another program's, or of another schema.
        """
        with acting_as_owner(path.parent):
            return cls._view(path)

    @classmethod
    def _view(cls, path: Path) -> Self:
        with translated(path):
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with translated(path):
                version = schema_version(connection, path)
        except BaseException:
            connection.close()
            raise
        if version == 0:
            connection.close()
            raise SpoolDamaged(f"{path} holds no spool yet")
        if version < LATEST:
            connection.close()
            raise SpoolUnavailable(
                f"{path} was made by an older serial-bridge: start the services, then look"
            )
        return cls(connection, path)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction that writes; commit it at the end, or roll it back if anything is raised.

        Raises:
            SpoolDamaged: what SQLite found, or another process.
            SpoolFull: no room on the disk.
            SpoolUnavailable: locked for longer than the busy timeout, read-only, or failing.
        """
        with translated(self.path):
            is_damaged = is_marked_damaged(self.path)
        if is_damaged:
            raise SpoolDamaged(f"{self.path} was found damaged by another process")
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Begin a snapshot to read from. Keep it short: while it lasts, the write-ahead log cannot shrink.

        Raises:
            SpoolDamaged, SpoolUnavailable: as `write`.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    def vacuum(self, pages: int) -> None:
        """Give up to so many free pages back to the file system."""
        with self._noticing_damage():
            # executescript, because execute steps the pragma once and so frees a single page
            self.connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log into the file."""
        self.connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self.connection
        with self._noticing_damage():
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has rolled back by itself when the disk was full
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """Translate SQLite's errors, and leave a mark of damage for other processes."""
        try:
            with translated(self.path):
                yield
        except SpoolDamaged:
            with suppress(OSError):  # the disk is full or fails: the others will find the damage themselves
                _leave(mark(self.path))
            raise


def mark(path: Path) -> Path:
    """Return the path of the file that says a spool was found damaged."""
    return beside(path, ".damaged")


def _leave(sign: Path) -> None:
    """Make an empty file, if it is not there."""
    with acting_as_owner(sign.parent):
        os.close(open_regular(sign, os.O_WRONLY | os.O_CREAT))


def is_marked_damaged(path: Path) -> bool:
    """Return whether a process found the spool damaged since it was last examined."""
    return mark(path).exists()


def wal_target(limit: int) -> int:
    """Return the bytes at which the write-ahead log of a spool with that limit is folded into the file."""
    return max(8, min(_WAL_PAGES, limit // 8 // PAGE_BYTES)) * PAGE_BYTES


def wal_bytes(path: Path) -> int:
    """Return what the write-ahead log takes on the disk; 0 where there is none, or the disk does not say."""
    try:
        return beside(path, "-wal").stat().st_size
    except OSError:
        return 0


def quick_check(path: Path, *, whole: bool) -> None:
    """Examine a file that no one else uses; the `whole` of it, or only what is at its head.

    Raises:
        SpoolDamaged: it cannot serve as a database.
        SpoolUnavailable: it cannot be opened.
    """
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if whole else "ok"
        finally:
            connection.close()
    if verdict != "ok":
        raise SpoolDamaged(f"{path} is damaged: {verdict.splitlines()[-1]}")


def _set_up(connection: sqlite3.Connection, path: Path, limit: int, *, is_new: bool) -> None:
    """Apply SQLite's settings, in this order: the first two only take before WAL and the first table.

    Only those two take the lock to write, even where they change nothing, while others may wait for it.
    """
    wal_pages = wal_target(limit) // PAGE_BYTES
    if is_new:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise SpoolUnavailable(
            f"{path}: this file system cannot share memory between processes; use a local disk"
        )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={wal_pages}")
    connection.execute(f"PRAGMA journal_size_limit={wal_pages * PAGE_BYTES // 2}")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA secure_delete=OFF")  # Debian's default, to zero it, is wear for nothing


_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: f"was locked for {_BUSY_TIMEOUT_S:g} s by another process",
    sqlite3.SQLITE_READONLY: "cannot be written: read-only, or not yours",
    sqlite3.SQLITE_PERM: "cannot be used: not yours",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is it there, and yours?",
    sqlite3.SQLITE_IOERR: "could not be read or written: the disk fails",
}
_WRONG_CALL = (  # 0: errors of Python's module itself
    0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG,
)  # fmt: skip


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate SQLite's errors and the system's to the spool's; those of a wrong call stay as they are.

    Only what says that the file's contents are wrong is damage. All else may be over at the next try.
    """
    try:
        yield
    except sqlite3.Error as error:
        whole_code = getattr(error, "sqlite_errorcode", 0)
        code = whole_code & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise SpoolDamaged(f"{path} is damaged: {error}") from error
        if code == sqlite3.SQLITE_FULL or whole_code == sqlite3.SQLITE_IOERR_SHMSIZE:
            raise SpoolFull(f"no room on the disk for {path}") from error
        if code in _WRONG_CALL:
            raise
        reason = _UNAVAILABLE.get(code, "cannot be used at the moment")
        raise SpoolUnavailable(f"{path} {reason} ({error})") from error
    except NotOurFile:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SpoolFull(f"no room on the disk for {path}") from error
        raise SpoolUnavailable(f"{path} could not be read or written: {error}") from error
