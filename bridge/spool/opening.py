"""How a spool is opened, and what is done about a file that is no database any more.

Each process holds the spool's lock shared for as long as it uses it. One that finds itself alone examines the
file first: a damaged one is renamed together with its write-ahead log, and a new one begun with the books
carried over where they can be read. A small file is examined whole; a large one only if a process left a mark
of damage, because reading it all would delay every start.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from shlex import quote

from bridge.errors import BridgeError, SpoolDamaged
from bridge.files import acting_as_owner
from bridge.spool.database import Database, is_marked_damaged, mark, quick_check, translated
from bridge.spool.locks import Presence, beside
from bridge.spool.schema import SpoolUnavailable
from bridge.spool_file import occupied

logger = logging.getLogger(__name__)

_EXAMINED_BYTES = 32_000_000
_ATTEMPTS = 20
_RETRY_S = 0.1

_Books = list[tuple[str, int | None, int, int, int, int]]


def open_or_begin_anew(path: Path, *, limit: int) -> tuple[Database, Presence]:
    """Open the spool, and hold it shared.

    Raises:
        SpoolDamaged: the file is damaged, and another process still has it open.
        SpoolFull: the disk has no room for what SQLite needs to open it.
        SpoolUnavailable: it cannot be opened, or is no spool that this version knows.
    """
    with translated(path), acting_as_owner(path.parent):
        with suppress(OSError):  # what cannot be looked at cannot be opened, which is said below
            if why := occupied(path):
                raise SpoolUnavailable(why)
        return _open_or_begin_anew(path, limit)


def _open_or_begin_anew(path: Path, limit: int) -> tuple[Database, Presence]:
    presence = Presence(path)
    try:
        for _ in range(_ATTEMPTS):
            if is_alone := presence.is_alone():
                _quarantine_if_damaged(path, limit)
            else:
                presence.share()
            try:
                database = Database.open(path, limit=limit)
            except SpoolDamaged as error:
                if is_alone:
                    raise
                damage = error
            else:
                presence.share()
                return database, presence
            presence.leave()  # whoever else was there may be gone by now
            time.sleep(_RETRY_S)
    except BaseException:
        presence.close()
        raise
    presence.close()
    raise SpoolDamaged(f"{damage}; another process still uses it: it is set aside once one starts alone")


def _quarantine_if_damaged(path: Path, limit: int) -> None:
    """Begin anew beside a damaged file. Call only while holding the spool lock exclusively."""
    damage = _examine(path) if path.exists() else None
    if damage is None:
        mark(path).unlink(missing_ok=True)
        return
    aside = _quarantine(path)
    mark(path).unlink(missing_ok=True)
    carried = _begin_anew(path, aside, limit)
    logger.error("%s; set aside as %s; %s", damage, aside.name, carried)


def _examine(path: Path) -> SpoolDamaged | None:
    """Look whether the file can serve."""
    size = path.stat().st_size
    if size == 0:
        return SpoolDamaged(f"{path} is damaged: 0 bytes")
    try:
        quick_check(path, whole=size <= _EXAMINED_BYTES or is_marked_damaged(path))
    except SpoolDamaged as damage:
        return damage
    return None


def _quarantine(path: Path) -> Path:
    """Rename the file and its write-ahead log, so that they still are a database together."""
    suffix = time.strftime(".damaged-%Y%m%dT%H%M%SZ", time.gmtime())
    aside = beside(path, suffix)
    number = 1
    while aside.exists():
        number += 1
        aside = beside(path, f"{suffix}-{number}")
    with suppress(FileNotFoundError):
        beside(path, "-wal").rename(beside(aside, "-wal"))
    beside(path, "-shm").unlink(missing_ok=True)  # an index of the log, made anew from it
    path.rename(aside)
    return aside


def _begin_anew(path: Path, aside: Path, limit: int) -> str:
    """Make a new spool with the books of the old one; say what became of them.

    What the old file still holds is booked as dropped: it is not in the spool any more.
    """
    try:
        books, last_id, asides = _read_books(aside)
    except (BridgeError, sqlite3.Error):
        books, last_id, asides = [], 0, []
        mark(aside).unlink(missing_ok=True)
    with closing(Database.open(path, limit=limit)) as database, database.write() as db:
        db.executemany(
            "INSERT INTO sensor(name, newest_ts, read, delivered, expired, dropped)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            books,
        )
        db.execute("INSERT INTO sqlite_sequence(name, seq) VALUES ('reading', ?)", (last_id,))
        db.executemany("INSERT INTO aside VALUES (?, ?, ?, ?)", asides)
        db.execute("INSERT INTO aside(name, has_books) VALUES (?, ?)", (aside.name, bool(books)))
    rescue = f"`serial-bridge spool salvage {quote(str(aside))}` brings back what can be read"
    if not books:
        return f"its books cannot be read and begin again at 0; {rescue}"
    return f"its books are carried over, what it still holds counts as dropped; {rescue}"


def _read_books(aside: Path) -> tuple[_Books, int, list[tuple[str, int, int, int]]]:
    """Return the accounts in a damaged file, its last id, and the files that were set aside before it."""
    with closing(Database.view(aside)) as database, database.read() as db:
        books = db.execute(
            "SELECT name, newest_ts, read, delivered, expired, dropped + queued + refused FROM sensor"
        ).fetchall()
        (last_id,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        asides = db.execute("SELECT name, has_books, reading_upto, refused_upto FROM aside").fetchall()
    return books, last_id, asides
