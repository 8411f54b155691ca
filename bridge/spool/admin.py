"""What a person does to a spool, while readers and the uplink work on it: look at the rows, and move them.

Rows that are to be sent (again) go to the end of the queue under a new id, where every consumer will come by.
The books follow in the same transactions.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import BridgeError
from bridge.spool.ledger import book, discrepancies, rebook, sensor_id
from bridge.spool.queue import Spool
from bridge.spool.salvage import Salvaged, salvage
from bridge.spool.steps import last_id, steps

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reading in the spool: queued, or refused with the server's answer and our reason.

    `ts_ms` is None while its time is not known.
    """

    id: int
    sensor: str
    ts_ms: int | None
    body: bytes
    answer: str | None = None
    reason: str | None = None


class UnknownSensor(BridgeError):
    """No reading of a sensor of that name ever came in."""


class SpoolAdmin(Spool):
    """The spool for a person at a terminal: what else can be seen of it, and what is done by hand."""

    def queued(self, sensor: str | None = None) -> Iterator[Kept]:
        """Yield the readings to be delivered, dated or not, in order; of one sensor or of all."""
        for after, upto in steps(self._database, last_id(self._database)):
            with self._database.read() as db:
                rows = db.execute(
                    "SELECT reading.id, name, ts, body FROM reading JOIN sensor ON sensor.id = reading.sensor"
                    " WHERE reading.id > ? AND reading.id <= ? AND name = coalesce(?, name)"
                    " ORDER BY reading.id",
                    (after, upto, sensor),
                ).fetchall()
            yield from (Kept(*row) for row in rows)

    def refused(self, sensor: str | None = None) -> Iterator[Kept]:
        """Yield the refused readings, in order; of one sensor or of all."""
        for after, upto in steps(self._database, last_id(self._database), table="refused"):
            with self._database.read() as db:
                rows = db.execute(
                    "SELECT refused.id, name, ts, body, answer, reason"
                    " FROM refused JOIN sensor ON sensor.id = refused.sensor"
                    " WHERE refused.id > ? AND refused.id <= ? AND name = coalesce(?, name)"
                    " ORDER BY refused.id",
                    (after, upto, sensor),
                ).fetchall()
            yield from (Kept(*row) for row in rows)

    def retry(self, sensor: str | None = None) -> int:
        """Queue the refused readings of one sensor or of all again; return how many there were.

        Raises:
            UnknownSensor: that sensor has no account.
        """
        number = self._number(sensor) if sensor is not None else None
        total = 0
        for after, upto in steps(self._database, last_id(self._database), table="refused"):
            with self._database.write() as db:
                which = "id > ?1 AND id <= ?2 AND sensor = coalesce(?3, sensor)"
                db.execute(
                    f"INSERT INTO reading(sensor, ts, points, body)"  # noqa: S608 (our words)
                    f" SELECT sensor, ts, points, body FROM refused WHERE {which} ORDER BY id",
                    (after, upto, number),
                )
                moved = Counter(
                    owner
                    for (owner,) in db.execute(
                        f"DELETE FROM refused WHERE {which} RETURNING sensor",  # noqa: S608 (our words)
                        (after, upto, number),
                    )
                )
                book(db, "refused", {owner: -count for owner, count in moved.items()})
            total += moved.total()
        return total

    def drop(self, sensor: str) -> int:
        """Delete the queued and refused readings of a sensor, dated or not; return how many there were.

        Raises:
            UnknownSensor: it has no account.
        """
        number = self._number(sensor)
        total = 0
        for after, upto in steps(self._database, last_id(self._database)):
            with self._database.write() as db:
                count = db.execute(
                    "DELETE FROM reading WHERE id > ? AND id <= ? AND sensor = ?", (after, upto, number)
                ).rowcount
                book(db, "dropped", {number: count})
            total += count
        for after, upto in steps(self._database, last_id(self._database), table="refused"):
            with self._database.write() as db:
                count = db.execute(
                    "DELETE FROM refused WHERE id > ? AND id <= ? AND sensor = ?", (after, upto, number)
                ).rowcount
                book(db, "refused", {number: -count})
                book(db, "dropped", {number: count})
            total += count
        if total:
            logger.info("%s: %d readings dropped by hand", sensor, total)
        self._room.shrink()
        return total

    def reassign(self, old: str, new: str) -> int:
        """Give the queued and refused readings of one sensor to another; return how many there were.

        They count as readings of the other from then on.

        Raises:
            UnknownSensor: the first has no account.
            ValueError: the two are one.
        """
        if old == new:
            raise ValueError("a sensor's readings are its own already")
        number = self._number(old)
        with self._database.write() as db:
            other = sensor_id(db, new)
        total = 0
        for after, upto in steps(self._database, last_id(self._database)):
            with self._database.write() as db:
                db.execute(
                    "INSERT INTO reading(sensor, ts, points, body, boot, boottime)"
                    " SELECT ?, ts, points, body, boot, boottime FROM reading"
                    " WHERE id > ? AND id <= ? AND sensor = ? ORDER BY id",
                    (other, after, upto, number),
                )
                count = db.execute(
                    "DELETE FROM reading WHERE id > ? AND id <= ? AND sensor = ?", (after, upto, number)
                ).rowcount
                rebook(db, "queued", count, number, other)
            total += count
        for after, upto in steps(self._database, last_id(self._database), table="refused"):
            with self._database.write() as db:
                count = db.execute(
                    "UPDATE refused SET sensor = ? WHERE id > ? AND id <= ? AND sensor = ?",
                    (other, after, upto, number),
                ).rowcount
                rebook(db, "refused", count, number, other)
            total += count
        if total:
            logger.info("%d readings of %s are those of %s now", total, old, new)
        return total

    def salvage(self, file: Path) -> Salvaged:
        """Queue again what a file that was set aside still holds. May raise NothingToSalvage."""
        return salvage(self._database, file)

    def audit(self) -> list[str]:
        """Compare the books with the equation and with every row; one sentence for each discrepancy."""
        with self._database.read() as db:
            return discrepancies(db)

    def check_known(self, sensor: str | None) -> None:
        """Raise UnknownSensor if a sensor has no account; None, for all sensors, is no sensor to look for."""
        if sensor is not None:
            self._number(sensor)

    def _number(self, sensor: str) -> int:
        """Return the number of a sensor's account. Raises UnknownSensor."""
        with self._database.read() as db:
            row = db.execute("SELECT id FROM sensor WHERE name = ?", (sensor,)).fetchone()
            names = [name for (name,) in db.execute("SELECT name FROM sensor ORDER BY name")]
        if row is None:
            raise UnknownSensor(
                f'the spool never had a reading of "{sensor}"; '
                f"it knows: {', '.join(names) or 'no sensor yet'}"
            )
        return int(row[0])
