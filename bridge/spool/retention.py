"""How much the spool may take: the oldest readings expire, and the file gives back what it does not need."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Literal

from bridge.spool.database import PAGE_BYTES, Database, wal_bytes, wal_target
from bridge.spool.ledger import book

logger = logging.getLogger(__name__)

_EXPIRE_ROWS = 1000
_REFUSED_SHARE = 8  # refused readings take at most this part of the limit,
_REFUSED_BYTES = 16_000_000  # and at most this: more than anybody looks through
_EXPIRE_REFUSED_ROWS = 100
_REFUSED_ROW_BYTES = 60  # what a row takes beside its texts
_SHRINK_PAGES = 8192
_VACUUM_PAGES = 1000
_LOG_EVERY_S = 3600.0


class Room:
    """The limit of one spool, kept by whoever inserts: a reader alone, with no uplink, keeps it too."""

    def __init__(self, database: Database, *, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._refused_limit = min(limit // _REFUSED_SHARE, _REFUSED_BYTES)
        self._refused_since = self._refused_limit  # bytes refused since they were last counted; none were yet
        self._expired = 0
        self._logged_at: dict[str, float] = {}  # by reason

    def make(self, incoming: int) -> None:
        """Expire the oldest readings until `incoming` bytes fit under the limit.

        Refused readings beyond their share go before any that can still be delivered.
        """
        while self._left() < incoming:
            if not self._expire_refused() and not self._expire():
                break
        pages, free = self._pages()
        if free and pages * PAGE_BYTES > self._limit:  # of a spool whose limit was lowered
            self._database.vacuum(_VACUUM_PAGES)

    def make_for_refused(self, size: int) -> None:
        """Expire the oldest refused readings, if one more of `size` bytes is beyond their share."""
        self._refused_since += size
        if self._refused_since > self._refused_limit // _REFUSED_SHARE:
            while self._expire_refused():
                pass
            self._refused_since = 0

    def shrink(self) -> None:
        """Give back a part of the free pages once they are most of the file.

        Not sooner: giving back moves what lies behind them, which is wear, and a queue needs them again.
        """
        pages, free = self._pages()
        if free > _SHRINK_PAGES and free > pages // 2:
            self._database.vacuum(_VACUUM_PAGES)

    def _left(self) -> int:
        """Return the bytes to the limit. Free pages are room: the file grows only when they are used up."""
        pages, free = self._pages()
        # The log overshoots its target by a transaction; by more only while someone holds an old snapshot,
        # which no expiry could help.
        target = wal_target(self._limit)
        log = min(max(wal_bytes(self._database.path), 3 * target // 2), 2 * target)
        return self._limit - log - (pages - free) * PAGE_BYTES

    def _pages(self) -> tuple[int, int]:
        """Return the pages of the file, and how many of them are free."""
        with self._database.read() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            (free,) = db.execute("PRAGMA freelist_count").fetchone()
        return int(pages), int(free)

    def _expire_refused(self) -> int:
        """Delete the oldest refused readings if all of them take more than their share; return how many."""
        with self._database.read() as db:
            (size,) = db.execute(
                "SELECT coalesce(sum(length(body) + length(answer) + length(reason) + ?), 0) FROM refused",
                (_REFUSED_ROW_BYTES,),
            ).fetchone()
        if size <= self._refused_limit:
            return 0
        reason = "refused readings have reached their share of its limit"
        return self._expire_oldest("refused", _EXPIRE_REFUSED_ROWS, reason)

    def _expire(self) -> int:
        """Delete the oldest readings of the queue; return how many."""
        reason = f"it has reached its limit of {self._limit} bytes"
        return self._expire_oldest("reading", _EXPIRE_ROWS, reason)

    def _expire_oldest(self, table: Literal["reading", "refused"], most: int, reason: str) -> int:
        """Delete the oldest rows of a table, at most that many, and book them; return how many."""
        with self._database.write() as db:
            removed_rows = db.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT ?)"  # noqa: S608 (our words)
                " RETURNING sensor",
                (most,),
            )
            counts = Counter(sensor for (sensor,) in removed_rows)
            if table == "refused":
                book(db, "refused", {sensor: -count for sensor, count in counts.items()})
            book(db, "expired", counts)
        self._note_expired(counts.total(), reason)
        return counts.total()

    def _note_expired(self, count: int, reason: str) -> None:
        """Log now and then that readings expire, and each new reason at once."""
        self._expired += count
        now = time.monotonic()
        is_news = reason not in self._logged_at or now - self._logged_at[reason] > _LOG_EVERY_S
        if count and is_news:
            self._logged_at[reason] = now
            logger.warning("%s: %s: the oldest expire, %d so far", self._database.path, reason, self._expired)
