"""Readings that were taken before anyone knew the date, and get one later.

Once the time of their boot is known they are dated exactly. A boot that ended without ever knowing it can
only be placed: after the newest time that was trusted before it, and before the boot that came next began; as
late as that allows, because a gateway that restarts is seldom off for long. Order and spacing stay as
measured, and how many were placed, and where, is kept for `status`.

A dated reading goes to the end of the queue under a new id, where every consumer will come by. Its stamp is
after every other that its sensor was given, as everywhere: readings of one millisecond go on at +1 ms. So a
reader has the readings that wait dated before it queues the first that comes with a date.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bridge.clock import following
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the undated readings of a boot go.

    Attributes:
        boot: number of the boot.
        undated_from: none of them has a lower id.
        offset_ns: when the boot began, after 1970.
        extent_ns: boottimes of the first and the last, if they are placed; None if the boot's time is known.
    """

    boot: int
    undated_from: int
    offset_ns: int
    extent_ns: tuple[int, int] | None = None


def date(database: Database, boot_id: str, offset_ns: int) -> None:
    """Date the waiting readings of the present boot, which began `offset_ns` after 1970; place the others."""
    with database.read() as db:
        waiting = db.execute(
            "SELECT id, boot_id, undated_from, not_before FROM boot"
            " WHERE undated_from NOTNULL ORDER BY id DESC"
        ).fetchall()
    plans: list[_Plan] = []  # where a boot lies depends on the one after it
    next_began_ns = offset_ns
    for boot, name, undated_from, not_before in waiting:
        if name == boot_id:
            plans.append(_Plan(boot, undated_from, offset_ns))
        elif plan := _plan(database, boot, undated_from, not_before, next_began_ns):
            next_began_ns = plan.offset_ns
            plans.append(plan)
    stamps: dict[int, int] = {}
    for plan in reversed(plans):  # and a sensor's stamps on those before them
        moved = _move(database, plan, stamps)
        if plan.extent_ns is None:
            logger.info("the time is known: %d readings that waited for it are dated", moved)
        elif moved:
            _note_placed(database, plan, moved)


def placed(database: Database) -> Placed | None:
    """Return what was placed so far; None if nothing was."""
    with database.read() as db:
        count, from_ms, to_ms = db.execute(
            "SELECT sum(placed), min(placed_from), max(placed_to) FROM boot WHERE placed > 0"
        ).fetchone()
    return Placed(count, from_ms, to_ms) if count else None


def _plan(
    database: Database, boot: int, undated_from: int, not_before: int | None, next_began_ns: int
) -> _Plan | None:
    """Return when a boot that is over began, as far as one can say; None if nothing of it is left."""
    first, last = _extent(database, boot, undated_from)
    if first is None or last is None:
        _forget(database, boot, undated_from - 1)
        return None
    offset_ns = next_began_ns - _APART_NS - last
    if not_before is not None:
        offset_ns = max(offset_ns, not_before * _NS_PER_MS + _APART_NS - first)
    return _Plan(boot, undated_from, offset_ns, (first, last))


def _note_placed(database: Database, plan: _Plan, moved: int) -> None:
    """Keep for `status` how many readings were placed, and where."""
    assert plan.extent_ns is not None
    from_ms, to_ms = ((boottime + plan.offset_ns) // _NS_PER_MS for boottime in plan.extent_ns)
    with database.write() as db:
        db.execute(
            "UPDATE boot SET placed = placed + ?1, placed_from = min(coalesce(placed_from, ?2), ?2),"
            " placed_to = max(coalesce(placed_to, ?3), ?3) WHERE id = ?4",
            (moved, from_ms, to_ms, plan.boot),
        )
    logger.warning("%d readings of a boot that never knew the time are placed before the next boot", moved)


def _extent(database: Database, boot: int, undated_from: int) -> tuple[int | None, int | None]:
    """Return the boottimes of the first and the last undated reading of a boot; None if there is none."""
    boottimes: list[int] = []
    for after, upto in steps(database, last_id(database), after=undated_from - 1):
        with database.read() as db:
            extent = db.execute(
                "SELECT min(boottime), max(boottime) FROM reading"
                " WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL",
                (after, upto, boot),
            ).fetchone()
        boottimes += [boottime for boottime in extent if boottime is not None]
    return min(boottimes, default=None), max(boottimes, default=None)


def _move(database: Database, plan: _Plan, stamps: dict[int, int]) -> int:
    """Move the undated readings of a boot, dated, to the end of the queue; return how many.

    `stamps`: the last one given here to each sensor, kept up to date.
    """
    last = last_id(database)
    moved = 0
    for after, upto in steps(database, last, after=plan.undated_from - 1):
        with database.write() as db:
            rows = db.execute(
                "SELECT sensor, boottime, points, body FROM reading"
                " WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL ORDER BY id",
                (after, upto, plan.boot),
            ).fetchall()
            newest: dict[int, int | None] = {
                sensor: db.execute("SELECT newest_ts FROM sensor WHERE id = ?", (sensor,)).fetchone()[0]
                for sensor in {row[0] for row in rows}
            }
            dated = []
            for sensor, boottime_ns, points, body in rows:
                stamp = following((boottime_ns + plan.offset_ns) // _NS_PER_MS, newest[sensor])
                stamps[sensor] = stamp = max(stamp, stamps.get(sensor, stamp - 1) + 1)
                newest[sensor] = max(stamp, newest[sensor] or stamp)
                dated.append((sensor, stamp, points, body))
            db.executemany("INSERT INTO reading(sensor, ts, points, body) VALUES (?, ?, ?, ?)", dated)
            db.executemany(
                "UPDATE sensor SET newest_ts = ? WHERE id = ?",
                [(stamp, sensor) for sensor, stamp in newest.items()],
            )
            moved += db.execute(
                "DELETE FROM reading WHERE id > ? AND id <= ? AND boot = ? AND ts IS NULL",
                (after, upto, plan.boot),
            ).rowcount
    _forget(database, plan.boot, last)
    return moved


def _forget(database: Database, boot: int, upto: int) -> None:
    """Record that a boot has no undated reading up to that id; another process may have added some."""
    with database.write() as db:
        db.execute(
            "UPDATE boot SET undated_from ="
            " (SELECT min(id) FROM reading WHERE id > ? AND boot = boot.id AND ts IS NULL) WHERE id = ?",
            (upto, boot),
        )
