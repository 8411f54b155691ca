"""Readings that were taken before anyone knew the date, and get one later.

Once the time of their boot is known they are dated exactly. A boot that ended without ever knowing it can
only be placed: after the newest time that was trusted before it, and before the boot that came next began; as
late as that allows, because a gateway that restarts is seldom off for long. Order and spacing stay as
measured, and how many were placed, and where, is kept for `status`.

A dated reading goes to the end of the queue under a new id, where every consumer will come by.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bridge.spool.database import Database
from bridge.spool.steps import last_id, steps

logger = logging.getLogger(__name__)

_NS_PER_MS = 1_000_000
_APART_NS = _NS_PER_MS  # the least by which a placed boot keeps from its neighbours


@dataclass(frozen=True, slots=True)
class Placed:
    """Readings of boots that never learned the time: how many, and the stamps between which they were put."""

    readings: int
    from_ms: int
    to_ms: int


def date(database: Database, boot_id: str, offset_ns: int) -> None:
    """The present boot began `offset_ns` after 1970: date what waits of it, place what waits of others."""
    with database.read() as db:
        waiting = db.execute(
            "SELECT id, boot_id, undated_from, not_before FROM boot"
            " WHERE undated_from NOTNULL ORDER BY id DESC"
        ).fetchall()
    next_began_ns = offset_ns
    for boot, name, undated_from, not_before in waiting:
        if name == boot_id:
            moved = _move(database, boot, undated_from, offset_ns)
            logger.info("the time is known: %d readings that waited for it are dated", moved)
        else:
            next_began_ns = _place(database, boot, undated_from, not_before, next_began_ns)


def placed(database: Database) -> Placed | None:
    """What was placed so far; None if nothing."""
    with database.read() as db:
        count, from_ms, to_ms = db.execute(
            "SELECT sum(placed), min(placed_from), max(placed_to) FROM boot WHERE placed > 0"
        ).fetchone()
    return Placed(count, from_ms, to_ms) if count else None


def _place(
    database: Database, boot: int, undated_from: int, not_before: int | None, next_began_ns: int
) -> int:
    """Date the readings of a boot that is over; when it began, as far as one can say."""
    first, last = _extent(database, boot, undated_from)
    if first is None or last is None:
        _forget(database, boot, undated_from - 1)
        return next_began_ns
    offset_ns = next_began_ns - _APART_NS - last
    if not_before is not None:
        offset_ns = max(offset_ns, not_before * _NS_PER_MS + _APART_NS - first)
    moved = _move(database, boot, undated_from, offset_ns)
    from_ms, to_ms = ((boottime + offset_ns) // _NS_PER_MS for boottime in (first, last))
    with database.write() as db:
        db.execute(
            "UPDATE boot SET placed = placed + ?1, placed_from = min(coalesce(placed_from, ?2), ?2),"
            " placed_to = max(coalesce(placed_to, ?3), ?3) WHERE id = ?4",
            (moved, from_ms, to_ms, boot),
        )
    logger.warning("%d readings of a boot that never knew the time are placed before the next boot", moved)
    return offset_ns


def _extent(database: Database, boot: int, undated_from: int) -> tuple[int | None, int | None]:
    """The boottimes of the first and the last undated reading of a boot."""
    found: list[int] = []
    for after, upto in steps(database, last_id(database), after=undated_from - 1):
        with database.read() as db:
            extent = db.execute(
                "SELECT min(boottime), max(boottime) FROM reading"
                " WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL",
                (after, upto, boot),
            ).fetchone()
        found += [boottime for boottime in extent if boottime is not None]
    return min(found, default=None), max(found, default=None)


def _move(database: Database, boot: int, undated_from: int, offset_ns: int) -> int:
    """Move the undated readings of a boot, dated, to the end of the queue; how many."""
    last = last_id(database)
    moved = 0
    for after, upto in steps(database, last, after=undated_from - 1):
        with database.write() as db:
            db.execute(
                "INSERT INTO reading(sensor, ts, points, body)"
                " SELECT sensor, (boottime + ?) / ?, points, body FROM reading"
                " WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL ORDER BY id",
                (offset_ns, _NS_PER_MS, after, upto, boot),
            )
            moved += db.execute(
                "DELETE FROM reading WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL",
                (after, upto, boot),
            ).rowcount
    _forget(database, boot, last)
    return moved


def _forget(database: Database, boot: int, upto: int) -> None:
    """No reading of the boot up to that id is undated any more; another process may have added some since."""
    with database.write() as db:
        db.execute(
            "UPDATE boot SET undated_from ="
            " (SELECT min(id) FROM reading WHERE id > ? AND boot = boot.id AND ts IS NULL) WHERE id = ?",
            (upto, boot),
        )
