"""Bring back what a damaged file, set aside earlier, still holds.

The rows are read by ranges of ids: a range that SQLite cannot read is halved until the ids that lie on
damaged pages are alone. What is read is checked, because a damaged page can also be read as something else.
Each step inserts rows, books them and notes how far it came, in one transaction: an interrupted salvage goes
on where it was, and a second one of the same file brings nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bridge.errors import BridgeError
from bridge.files import acting_as_owner
from bridge.spool.database import Database
from bridge.spool.ledger import sensor_id
from bridge.spool.locks import beside
from bridge.spool.steps import STEP_ROWS

_SEARCHED_IDS = 5_000_000  # how far back from the newest if the oldest is on a damaged page: minutes at worst

_COLUMNS: dict[Literal["reading", "refused"], str] = {
    "reading": "id, sensor, ts, points, body, boot, boottime",
    "refused": "id, sensor, ts, points, body, NULL, NULL",
}


class NothingToSalvage(BridgeError):
    """The file cannot be read as a spool at all, or is no damaged one."""


@dataclass(slots=True)
class Salvaged:
    """What came back: readings queued again, by sensor, and how many ids gave nothing readable."""

    queued: Counter[str]
    unreadable: int = 0


def salvage(database: Database, file: Path) -> Salvaged:
    """Queue what `file` holds, queued or refused there; it is left as it is.

    Readings of a file whose books were carried over counted as dropped since, and are queued again. Those of
    any other file are new here.

    Raises:
        NothingToSalvage: it is the spool itself, missing, or neither its tables nor its sensors can be read.
    """
    with acting_as_owner(database.path.parent):
        return _salvage(database, file)


def _salvage(database: Database, file: Path) -> Salvaged:
    if not file.is_file():
        raise NothingToSalvage(f"{file} is no file")
    if file.resolve() == database.path.resolve():
        raise NothingToSalvage(f"{file} is the spool itself: salvage is for one that was set aside")
    had_index = beside(file, "-shm").exists()
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as wreck:
            return _bring_back(database, wreck, file.name)
    except sqlite3.DatabaseError as error:
        raise NothingToSalvage(f"nothing in {file} can be read ({error})") from error
    finally:
        if not had_index:  # made anew from the log when it was opened
            beside(file, "-shm").unlink(missing_ok=True)


def _bring_back(database: Database, wreck: sqlite3.Connection, name: str) -> Salvaged:
    names = dict(wreck.execute("SELECT id, name FROM sensor"))
    boots = _boots(wreck)
    done = Salvaged(Counter())
    with database.write() as db:
        db.execute("INSERT OR IGNORE INTO aside(name, has_books) VALUES (?, 0)", (name,))
    for table in _COLUMNS:
        with database.read() as db:
            after, has_books = db.execute(
                f"SELECT {table}_upto, has_books FROM aside WHERE name = ?",  # noqa: S608 (our words)
                (name,),
            ).fetchone()
        first, last = _extent(wreck, table)
        after = max(after, first - 1)
        while after < last:
            upto = min(after + STEP_ROWS, last)
            rows = [
                row for row in _readable(wreck, table, after + 1, upto, done) if _is_sane(row, names, boots)
            ]
            after = upto
            if not rows:
                continue
            with database.write() as db:
                brought = _insert(db, rows, names, boots)
                _book(db, brought, counted_as_dropped=has_books)
                db.execute(f"UPDATE aside SET {table}_upto = ? WHERE name = ?", (upto, name))  # noqa: S608
            done.queued += brought
    return done


def _readable(
    wreck: sqlite3.Connection, table: Literal["reading", "refused"], first: int, last: int, done: Salvaged
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows with these ids that lie on pages that can be read."""
    try:
        rows = wreck.execute(
            f"SELECT {_COLUMNS[table]} FROM {table} WHERE id >= ? AND id <= ? ORDER BY id",  # noqa: S608
            (first, last),
        ).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        if first == last:
            done.unreadable += 1
            return
        middle = (first + last) // 2
        yield from _readable(wreck, table, first, middle, done)
        yield from _readable(wreck, table, middle + 1, last, done)
    else:
        yield from rows


def _is_sane(row: tuple[Any, ...], names: dict[int, str], boots: dict[int, str]) -> bool:
    """Return whether this can be a reading that we wrote."""
    _, sensor, ts_ms, points, body, boot, boottime = row
    if sensor not in names or not isinstance(points, int) or not isinstance(body, bytes):
        return False
    is_dated = isinstance(ts_ms, int)
    if not is_dated and not (ts_ms is None and boot in boots and isinstance(boottime, int)):
        return False
    try:
        values = json.loads(body)
    except ValueError:
        return False
    return isinstance(values, dict) and len(values) == points


def _insert(
    db: sqlite3.Connection, rows: list[tuple[Any, ...]], names: dict[int, str], boots: dict[int, str]
) -> Counter[str]:
    """Queue the rows; how many of each sensor."""
    brought: Counter[str] = Counter()
    for _, sensor, ts_ms, points, body, boot, boottime in rows:
        boot_id = boots[boot] if ts_ms is None else None
        if boot_id is not None:
            db.execute("INSERT OR IGNORE INTO boot(boot_id) VALUES (?)", (boot_id,))
        id_ = db.execute(
            "INSERT INTO reading(sensor, ts, points, body, boot, boottime)"
            " VALUES (?, ?, ?, ?, (SELECT id FROM boot WHERE boot_id = ?), ?)",
            (sensor_id(db, names[sensor]), ts_ms, points, body, boot_id, boottime if boot_id else None),
        ).lastrowid
        if boot_id is not None:
            db.execute(
                "UPDATE boot SET undated_from = coalesce(undated_from, ?) WHERE boot_id = ?", (id_, boot_id)
            )
        brought[names[sensor]] += 1
    return brought


def _book(db: sqlite3.Connection, brought: Counter[str], *, counted_as_dropped: bool) -> None:
    column, sign = ("dropped", "-") if counted_as_dropped else ("read", "+")
    db.executemany(
        f"UPDATE sensor SET {column} = {column} {sign} ?1, queued = queued + ?1 WHERE name = ?2",  # noqa: S608
        [(count, name) for name, count in brought.items()],
    )


def _boots(wreck: sqlite3.Connection) -> dict[int, str]:
    try:
        return dict(wreck.execute("SELECT id, boot_id FROM boot"))
    except sqlite3.DatabaseError:
        return {}  # only readings without a date need them


def _extent(wreck: sqlite3.Connection, table: Literal["reading", "refused"]) -> tuple[int, int]:
    """Return the lowest and the highest id that a row may have, by the rows, or else by the sequence."""
    try:
        last = wreck.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]  # noqa: S608
    except sqlite3.DatabaseError:
        last = wreck.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
    try:
        first = wreck.execute(f"SELECT coalesce(min(id), 1) FROM {table}").fetchone()[0]  # noqa: S608
    except sqlite3.DatabaseError:
        first = max(1, last - _SEARCHED_IDS)
    return int(first), int(last)
