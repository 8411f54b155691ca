"""How much the spool may take: the oldest readings expire, and the file gives back what it does not need."""

from __future__ import annotations

import logging
import time
from collections import Counter

from bridge.spool.database import PAGE_BYTES, Database, wal_bytes, wal_target
from bridge.spool.ledger import book

logger = logging.getLogger(__name__)

_EXPIRE_ROWS = 1000
_SHRINK_PAGES = 8192
_VACUUM_PAGES = 1000
_LOG_EVERY_S = 3600.0


class Room:
    """The limit of one spool, kept by whoever inserts: a reader alone, with no uplink, keeps it too."""

    def __init__(self, database: Database, *, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._expired = 0
        self._logged_at: float | None = None

    def make(self, incoming: int) -> None:
        """Expire the oldest readings until `incoming` bytes fit under the limit."""
        while self._left() < incoming:
            if not self._expire():
                break
        pages, free = self._pages()
        if free and pages * PAGE_BYTES > self._limit:  # of a spool whose limit was lowered
            self._database.vacuum(_VACUUM_PAGES)

    def shrink(self) -> None:
        """Give back a part of the free pages once they are most of the file.

        Not sooner: giving back moves what lies behind them, which is wear, and a queue needs them again.
        """
        pages, free = self._pages()
        if free > _SHRINK_PAGES and free > pages // 2:
            self._database.vacuum(_VACUUM_PAGES)

    def _left(self) -> int:
        """Bytes to the limit. Free pages inside the file are room; it grows only when they are used up."""
        pages, free = self._pages()
        # The log overshoots its target by a transaction; by more only while someone holds an old snapshot,
        # which no expiry could help.
        target = wal_target(self._limit)
        log = min(max(wal_bytes(self._database.path), 3 * target // 2), 2 * target)
        return self._limit - log - (pages - free) * PAGE_BYTES

    def _pages(self) -> tuple[int, int]:
        """Pages of the file, and how many of them are free."""
        with self._database.read() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            (free,) = db.execute("PRAGMA freelist_count").fetchone()
        return int(pages), int(free)

    def _expire(self) -> int:
        """Delete the oldest readings of the queue; how many there were."""
        with self._database.write() as db:
            removed = db.execute(
                "DELETE FROM reading WHERE id IN (SELECT id FROM reading ORDER BY id LIMIT ?)"
                " RETURNING sensor",
                (_EXPIRE_ROWS,),
            )
            counts = Counter(sensor for (sensor,) in removed)
            book(db, "expired", counts)
        expired = sum(counts.values())
        self._expired += expired
        now = time.monotonic()
        if expired and (self._logged_at is None or now - self._logged_at > _LOG_EVERY_S):
            self._logged_at = now
            logger.warning(
                "%s has reached its limit of %d bytes: the oldest readings expire, %d so far",
                self._database.path,
                self._limit,
                self._expired,
            )
        return expired
