"""The queue: readings in, rows out, in the order in which they came.

A consumer remembers the id it has come to and asks for rows after it; nothing on disk says who has seen what,
so a crash repeats and never loses. A reading without a date is not handed out.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Self

from bridge.clock import following
from bridge.errors import SpoolFull
from bridge.spool import dating
from bridge.spool.database import Database
from bridge.spool.dating import Placed
from bridge.spool.ledger import Account, accounts, book, sensor_and_stamp
from bridge.spool.locks import Presence
from bridge.spool.opening import open_or_begin_anew
from bridge.spool.readings import Reading, Row
from bridge.spool.reserve import Reserve
from bridge.spool.retention import Room
from bridge.spool.schema import SpoolUnavailable
from bridge.spool.steps import STEP_ROWS, last_id

logger = logging.getLogger(__name__)

LIMIT_BYTES = 1_000_000_000
"""The default limit of a spool, database and write-ahead log together."""

_ROW_BYTES = 40  # what a row takes beside its body


class Spool:
    """One connection to the spool, used by one thread at a time. Several, in several processes, share a file.

    Every method may raise SpoolDamaged (the process should end: whoever starts alone sets the file aside),
    SpoolFull (no room on the disk) or SpoolUnavailable (locked too long, read-only, failing). The transaction
    it was in has then left no trace.
    """

    def __init__(self, database: Database, presence: Presence, *, limit: int) -> None:
        self._database = database
        self._presence = presence
        self._room = Room(database, limit=limit)
        self._reserve = Reserve(database.path)
        self._names: dict[int, str] = {}

    @classmethod
    def open(cls, path: Path, *, limit: int = LIMIT_BYTES) -> Self:
        """Open the spool: made if missing, set aside and begun anew if damaged and no one else uses it.

        `limit` in bytes for database and write-ahead log together: beyond it the oldest readings expire.

        Raises:
            SpoolDamaged: the file is damaged, and another process still has it open.
            SpoolFull: the disk has no room, not even what was kept back.
            SpoolUnavailable: it cannot be opened, or is no spool that this version knows.
        """
        try:
            database, presence = open_or_begin_anew(path, limit=limit)
        except (SpoolFull, SpoolUnavailable) as error:
            if not Reserve(path).release_for_start():
                raise
            logger.warning("%s: half of the room kept back there is given up to start; make room", error)
            database, presence = open_or_begin_anew(path, limit=limit)
        spool = cls(database, presence, limit=limit)
        spool._reserve.hold()
        return spool

    @classmethod
    def view(cls, path: Path) -> Self:
        """Open an existing spool to look at it: nothing in it is made, repaired or changed.

        Raises:
            SpoolDamaged: the file is damaged.
            SpoolUnavailable: there is none, it cannot be opened, or is no spool that this version knows.
        """
        if not path.exists():
            raise SpoolUnavailable(f"{path}: there is no spool yet")
        presence = Presence(path)
        try:
            presence.share()
            return cls(Database.view(path), presence, limit=LIMIT_BYTES)
        except BaseException:
            presence.close()
            raise

    def add(
        self,
        readings: Sequence[Reading],
        *,
        lost: Mapping[str, int] | None = None,
        counters: Mapping[str, int] | None = None,
    ) -> None:
        """Queue readings, in one transaction.

        A stamp that its sensor had already, from an earlier process or a reading dated meanwhile, is put
        behind the newest of that sensor.

        Args:
            readings: in the order in which they were taken.
            lost: how many readings of each sensor could not be kept; booked as read and dropped.
            counters: the last invocation counters of meters that encrypt.
        """
        self._make_way(partial(self._room.make, sum(len(r.body) + _ROW_BYTES for r in readings)))
        lost = lost or {}
        read = Counter(reading.sensor for reading in readings)
        with self._database.write() as db:
            sensors, newest = {}, {}
            for name in (*read, *lost):
                sensors[name], newest[name] = sensor_and_stamp(db, name)
            trusted = None
            for reading in readings:
                sensor = sensors[reading.sensor]
                if reading.ts_ms is None:
                    _insert_undated(db, sensor, reading)
                    continue
                trusted = stamp = following(reading.ts_ms, newest[reading.sensor])
                newest[reading.sensor] = stamp
                db.execute(
                    "INSERT INTO reading(sensor, ts, points, body) VALUES (?, ?, ?, ?)",
                    (sensor, stamp, reading.points, reading.body),
                )
            db.executemany(
                "UPDATE sensor SET read = read + ?1 + ?2, queued = queued + ?1, dropped = dropped + ?2,"
                " newest_ts = ?3 WHERE id = ?4",
                [(read[name], lost.get(name, 0), newest[name], sensor) for name, sensor in sensors.items()],
            )
            if trusted is not None:
                db.execute("REPLACE INTO trusted(id, ts) VALUES (1, ?)", (trusted,))
            db.executemany(
                "INSERT INTO invocation(meter, counter) VALUES (?, ?)"
                " ON CONFLICT(meter) DO UPDATE SET counter = max(counter, excluded.counter)",
                (counters or {}).items(),
            )

    def book_lost(self, lost: Mapping[str, int]) -> None:
        """Book readings that could not be kept as read and dropped, if need be with the room kept back."""
        self._make_way(partial(self.add, [], lost=lost))

    def last_id(self) -> int:
        """Return the highest id given so far, whether its row is still there or not; 0 if none."""
        return last_id(self._database)

    def rows(self, after: int, *, limit: int, skip: Collection[str] = ()) -> tuple[list[Row], int]:
        """Return dated rows with an id above `after`, in order of id, without those of the sensors to `skip`.

        A call looks at no more than `STEP_ROWS` rows, so it takes milliseconds whatever is queued.

        Returns:
            At most `limit` rows, and the id up to which the queue was looked at: the next `after`. It is
            `after` itself when there was nothing to look at.
        """
        dated_rows: list[Row] = []
        with self._database.read() as db:
            cursor = db.execute(
                "SELECT id, sensor, ts, points, body FROM reading WHERE id > ? ORDER BY id LIMIT ?",
                (after, STEP_ROWS),
            )
            for id_, sensor, ts_ms, points, body in cursor:
                if len(dated_rows) >= limit:
                    break
                after = id_
                name = self._names.get(sensor) or self._name(sensor)
                if ts_ms is not None and name not in skip:
                    dated_rows.append(Row(id_, name, ts_ms, points, body))
            cursor.close()
        return dated_rows, after

    def confirm(self, ids: Iterable[int]) -> None:
        """Delete readings that the server accepted; book as delivered those that really were there."""
        ids = sorted(ids)
        for start in range(0, len(ids), STEP_ROWS):
            step = json.dumps(ids[start : start + STEP_ROWS])
            self._make_way(partial(self._confirm, step))
        self._reserve.hold()
        self._room.shrink()

    def refuse(self, id_: int, answer: str, reason: str) -> None:
        """Keep a reading apart that the server will never have, with its answer and our reason."""
        self._make_way(partial(self._refuse, id_, answer, reason))
        self._room.make_for_refused(len(answer) + len(reason) + _ROW_BYTES)

    def date(self, boot_id: str, offset_ns: int) -> None:
        """Date the readings that wait for the time; the present boot began `offset_ns` after 1970.

        What waits of an earlier boot, which never knew the time, is placed before this one.
        """
        dating.date(self._database, boot_id, offset_ns)

    def placed(self) -> Placed | None:
        """Return the readings of boots that never learned the time; None if there were none."""
        return dating.placed(self._database)

    def stamps(self) -> dict[str, int]:
        """Return the last stamp given to each sensor, in ms since 1970: where its clock must go on."""
        with self._database.read() as db:
            return dict(db.execute("SELECT name, newest_ts FROM sensor WHERE newest_ts IS NOT NULL"))

    def invocation_counters(self) -> dict[str, int]:
        """Return the last invocation counter of each meter that encrypts, by a name of meter and key."""
        with self._database.read() as db:
            return dict(db.execute("SELECT meter, counter FROM invocation"))

    def ledger(self) -> dict[str, Account]:
        """Return the account of every sensor that ever gave a reading, by its name."""
        with self._database.read() as db:
            return accounts(db)

    def oldest_ms(self) -> int | None:
        """Return the stamp of the reading that waits longest; None if none waits, or it has none yet."""
        with self._database.read() as db:
            row = db.execute("SELECT ts FROM reading ORDER BY id LIMIT 1").fetchone()
        return None if row is None else row[0]

    def wait_for_lock(self, within_s: float) -> None:
        """Wait at most so long from now on, each time, for another process to finish its transaction."""
        self._database.connection.execute(f"PRAGMA busy_timeout={round(1000 * within_s)}")

    @property
    def path(self) -> Path:
        """Return the path of the spool's file."""
        return self._database.path

    def close(self) -> None:
        """Let go of the spool."""
        self._database.close()
        self._presence.close()

    def _confirm(self, ids: str) -> None:
        with self._database.write() as db:
            removed = db.execute(
                "DELETE FROM reading WHERE id IN (SELECT value FROM json_each(?)) RETURNING sensor", (ids,)
            )
            book(db, "delivered", Counter(sensor for (sensor,) in removed))

    def _refuse(self, id_: int, answer: str, reason: str) -> None:
        with self._database.write() as db:
            row = db.execute(
                "INSERT INTO refused SELECT id, sensor, ts, points, body, ?, ? FROM reading"
                " WHERE id = ? AND ts IS NOT NULL RETURNING sensor",
                (answer, reason, id_),
            ).fetchone()
            if row is not None:
                db.execute("DELETE FROM reading WHERE id = ?", (id_,))
                book(db, "refused", {row[0]: 1})

    def _make_way(self, free: Callable[[], None]) -> None:
        """Do what frees room, if need be with the room kept for it."""
        try:
            free()
        except SpoolFull:
            if not self._reserve.release():
                raise
            free()

    def _name(self, sensor: int) -> str:
        """Return a sensor's name, inside a snapshot; it never changes."""
        (name,) = self._database.connection.execute(
            "SELECT name FROM sensor WHERE id = ?", (sensor,)
        ).fetchone()
        self._names[sensor] = name
        return self._names[sensor]


def read_ledger(path: Path) -> dict[str, Account]:
    """Return every sensor's account by its name, without opening the spool to work; {} if there is none.

    Raises:
        SpoolDamaged, SpoolUnavailable: as `Spool.view`.
    """
    if not path.exists():
        return {}
    with closing(Spool.view(path)) as spool:
        return spool.ledger()


def read_placed(path: Path) -> Placed | None:
    """Return the readings of boots that never learned the time, or None. Errors as for `read_ledger`."""
    if not path.exists():
        return None
    with closing(Spool.view(path)) as spool:
        return spool.placed()


def _insert_undated(db: sqlite3.Connection, sensor: int, reading: Reading) -> None:
    """Add a reading that waits for its date, with the boot it belongs to and the time since then."""
    boot_id = reading.taken.boot_id
    db.execute(
        "INSERT OR IGNORE INTO boot(boot_id, not_before) VALUES (?, (SELECT ts FROM trusted))", (boot_id,)
    )
    id_ = db.execute(
        "INSERT INTO reading(sensor, points, body, boot, boottime)"
        " SELECT ?, ?, ?, id, ? FROM boot WHERE boot_id = ?",
        (sensor, reading.points, reading.body, reading.taken.boottime_ns, boot_id),
    ).lastrowid
    db.execute("UPDATE boot SET undated_from = coalesce(undated_from, ?) WHERE boot_id = ?", (id_, boot_id))
