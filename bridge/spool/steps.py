"""Long work on the spool in short transactions, so that readers and the uplink hardly wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from bridge.spool.database import Database

STEP_ROWS = 5000
"""The most rows that one transaction deletes or one call looks at: a few milliseconds."""


def steps(
    database: Database, last: int, *, after: int = 0, table: Literal["reading", "refused"] = "reading"
) -> Iterator[tuple[int, int]]:
    """Yield ranges (after, upto] of ids, at most `STEP_ROWS` rows each, that cover all rows up to `last`."""
    while after < last:
        with database.read() as db:
            (upto,) = db.execute(
                f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)",  # noqa: S608 (our words)
                (after, last, STEP_ROWS),
            ).fetchone()
        if upto is None:
            return
        yield after, upto
        after = upto


def last_id(database: Database) -> int:
    """Return the highest id given so far, whether its row is still there or not; 0 if none."""
    with database.read() as db:
        return int(db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0])
