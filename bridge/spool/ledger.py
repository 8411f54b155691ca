"""The books: what became of every reading, per sensor.

Each counter changes in the very transaction that inserts or deletes the rows it counts. `queued` is a counter
of its own and not counted from the rows, so that comparing the two proves something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from sqlite3 import Connection
from typing import Literal

Outcome = Literal["delivered", "expired", "refused", "dropped"]

_BOOK = {
    outcome: f"UPDATE sensor SET {outcome} = {outcome} + ?1, queued = queued - ?1 WHERE id = ?2"  # noqa: S608 (our words)
    for outcome in ("delivered", "expired", "refused", "dropped")
}


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a sensor's readings.

    Attributes:
        read: every reading the sensor gave.
        delivered: accepted by the server, and gone from the spool.
        queued: in the spool, to be delivered.
        expired: gone because the spool reached its limit.
        refused: the server will not have it; kept apart with its answer.
        dropped: not kept: full disk, damaged file, or by hand.
    """

    read: int
    delivered: int
    queued: int
    expired: int
    refused: int
    dropped: int

    def __str__(self) -> str:
        outcomes = ("delivered", "queued", "expired", "refused", "dropped")
        total = sum(getattr(self, outcome) for outcome in outcomes)
        return " + ".join(f"{outcome} {getattr(self, outcome)}" for outcome in outcomes) + f" = {total}"

    @property
    def lost(self) -> int:
        """Return how many of them the server never got and will not get by itself."""
        return self.expired + self.refused + self.dropped

    @property
    def is_balanced(self) -> bool:
        """Return whether every reading is accounted for."""
        return self.read == self.delivered + self.queued + self.expired + self.refused + self.dropped


def sum_of(accounts: Iterable[Account]) -> Account:
    """Return the accounts of several sensors added up."""
    columns = [field.name for field in fields(Account)]
    counts = [[getattr(account, column) for column in columns] for account in accounts]
    return Account(*map(sum, zip(*counts, strict=True))) if counts else Account(0, 0, 0, 0, 0, 0)


def sensor_id(db: Connection, name: str) -> int:
    """Return the number of a sensor; open an account if it has none."""
    return sensor_and_stamp(db, name)[0]


def sensor_and_stamp(db: Connection, name: str) -> tuple[int, int | None]:
    """Return the number of a sensor and its last stamp; open an account if it has none."""
    row = db.execute("SELECT id, newest_ts FROM sensor WHERE name = ?", (name,)).fetchone()
    if row is None:
        row = db.execute("INSERT INTO sensor(name) VALUES (?) RETURNING id, newest_ts", (name,)).fetchone()
    return int(row[0]), row[1]


def book(db: Connection, outcome: Outcome, counts: Mapping[int, int]) -> None:
    """Book that so many readings of each sensor (by its number) left the queue with this outcome."""
    db.executemany(_BOOK[outcome], ((count, id_) for id_, count in counts.items()))


def rebook(db: Connection, counter: Literal["queued", "refused"], count: int, old: int, new: int) -> None:
    """Book readings of the sensor with one number, which are queued or refused, as read from another."""
    db.executemany(
        f"UPDATE sensor SET read = read + ?1, {counter} = {counter} + ?1 WHERE id = ?2",  # noqa: S608 (our words)
        ((-count, old), (count, new)),
    )


def accounts(db: Connection) -> dict[str, Account]:
    """Return every sensor's account, by its name."""
    return {
        name: Account(*counts)
        for name, *counts in db.execute(
            "SELECT name, read, delivered, queued, expired, refused, dropped FROM sensor ORDER BY name"
        )
    }


def discrepancies(db: Connection) -> list[str]:
    """Compare the books with the equation and with every row; one sentence for each that is wrong."""
    names = dict(db.execute("SELECT id, name FROM sensor"))
    queued = dict(db.execute("SELECT sensor, count(*) FROM reading GROUP BY sensor"))
    refused = dict(db.execute("SELECT sensor, count(*) FROM refused GROUP BY sensor"))
    ledger = accounts(db)
    sentences = [
        f"{name}: {account.read} read, but {account}"
        for name, account in ledger.items()
        if not account.is_balanced
    ]
    for id_, name in names.items():
        account = ledger[name]
        for word, booked, rows in (
            ("queued", account.queued, queued.get(id_, 0)),
            ("refused", account.refused, refused.get(id_, 0)),
        ):
            if booked != rows:
                sentences.append(f"{name}: {booked} {word} in the books, {rows} rows")
    sentences += [
        f"sensor number {id_} has rows but no account" for id_ in (queued | refused).keys() - names.keys()
    ]
    return sentences
