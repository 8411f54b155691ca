"""The spool's side of the uplink: what is there to be sent, and what may leave.

Two positions walk along the ids. The head follows the end of the spool: what comes after it is live. Each
feed's own `next_id` walks through the backlog behind it. A step looks at a bounded stretch of ids and
serves every feed that needs readings and has come as far; the feed that ran short first says where it
begins. So a million readings of a sensor that must wait are passed over once, in steps of milliseconds, and
cost the others nothing.

SQLite may wait for a slow disk, so it is used from one thread of its own; the event loop never waits for
it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TypeVar

from bridge.errors import SpoolFull
from bridge.spool import Row, Spool, SpoolUnavailable
from bridge.systemd import Heartbeat
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace, news

log = logging.getLogger(__name__)

SPOOL_WITHIN_S = 60.0  # for one look or commit, on an SD card that is busy

_SCAN_ROWS = 1000  # the most readings that one look brings into memory

_T = TypeVar("_T")


class Drain:
    """Fills the feeds from the spool and confirms what they delivered. Open it, run it, close it.

    Attributes:
        work: set when there may be something new to send.
        refill_needed: to be set when a feed runs short.
        unassigned: sensors whose readings wait for somebody to act, and why.
    """

    def __init__(
        self, feeds: Sequence[Feed], unassigned: dict[str, str], *, commit_every_s: float, pace: Pace
    ) -> None:
        self.work = asyncio.Event()
        self.refill_needed = asyncio.Event()
        self.unassigned = dict(unassigned)
        self._feeds = feeds
        self._feed_of = {sensor: feed for feed in feeds for sensor in feed.sensors}
        self._commit_every_s = commit_every_s
        self._pace = pace
        self._heartbeat = Heartbeat()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="uplink-spool")
        self._head = 0
        self._steps = count(1)
        self._fed_at = dict.fromkeys(feeds, 0)
        self._delivered: list[int] = []
        self._refused: list[tuple[int, str, str]] = []
        self._confirmed_at = 0.0
        self._is_confirming_late = False

    async def open(self, path: Path, limit: int) -> None:
        """Opens the spool; what it holds now is backlog. Errors as for `Spool.open`."""
        try:
            self._spool = await self._in_thread(lambda: Spool.open(path, limit=limit))
            self._head = await self._in_thread(self._spool.last_id)
        except BaseException:
            self._thread.shutdown()
            raise

    async def close(self) -> None:
        """Commits what was delivered so far and lets go of the spool."""
        try:
            await self._confirm()
        finally:
            self._thread.submit(self._spool.close)
            self._thread.shutdown()

    def delivered(self, ids: Sequence[int]) -> None:
        """The server accepted these."""
        self._delivered += ids

    def refused(self, row: Row, answer: str, reason: str) -> None:
        """The server will never accept this one."""
        self._refused.append((row.id, answer, reason))

    def is_advancing(self) -> bool:
        """Whether its work moves: a look at the spool ended, or the next lies ahead with its timer armed."""
        return self._heartbeat.is_alive

    def has_more_for(self, feed: Feed, now: float) -> bool:
        """The feed ran short, and the spool was not read to its end for it."""
        return feed.is_hungry(self._head, now)

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            SpoolDamaged, SpoolUnavailable: the spool cannot be read.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._follow()
            if loop.time() - self._confirmed_at >= self._commit_every_s:
                await self._confirm()
            if not await self._fill():
                self._heartbeat.extend(self._pace.look_every_s)
                await news(self.refill_needed, self._pace.look_every_s)

    async def _follow(self) -> None:
        """Hands out what has come since the last look."""
        while True:
            head = self._head
            rows, scanned = await self._scan(head, self.unassigned)
            if scanned == head:
                return
            self._head = scanned
            now = asyncio.get_running_loop().time()
            for feed in self._feeds:
                if feed.next_id >= head:
                    feed.next_id = scanned
            for row in rows:
                if (feed_of_row := self._owner(row)) is not None:
                    feed_of_row.follow(row, now)
            self.work.set()

    async def _fill(self) -> bool:
        """Goes one step through the backlog; whether any feed wanted it."""
        now = asyncio.get_running_loop().time()
        for feed in self._feeds:
            feed.reconsider(now)
        hungry = [feed for feed in self._feeds if feed.is_hungry(self._head, now)]
        if not hungry:
            return False
        first = min(hungry, key=self._fed_at.__getitem__)
        self._fed_at[first] = next(self._steps)
        after = first.next_id
        served = [feed for feed in hungry if feed.next_id >= after]
        others = set(self._feed_of).difference(*(feed.sensors for feed in served))
        rows, scanned = await self._scan(after, others.union(self.unassigned))
        scanned = self._head if scanned == after else min(scanned, self._head)
        rows_of: defaultdict[Feed, list[Row]] = defaultdict(list)
        for row in rows:
            if row.id <= self._head and (owner := self._owner(row)) is not None:
                rows_of[owner].append(row)
        for feed in served:
            feed.fill(rows_of[feed], after, scanned)
        self.work.set()
        return True

    def _owner(self, row: Row) -> Feed | None:
        """The feed of a reading; None, said once, if its sensor is not configured."""
        feed = self._feed_of.get(row.sensor)
        if feed is None and row.sensor not in self.unassigned:
            self.unassigned[row.sensor] = "it is no longer configured"
            log.error(
                "%s: it is not configured; its readings wait in the spool until you assign or drop them",
                row.sensor,
            )
        return feed

    async def _confirm(self) -> None:
        """Commits what was delivered and refused. If the spool cannot now, that is kept for the next time."""
        self._confirmed_at = asyncio.get_running_loop().time()
        delivered, self._delivered = self._delivered, []
        refused, self._refused = self._refused, []
        if not delivered and not refused:
            return

        def commit() -> None:
            if delivered:
                self._spool.confirm(delivered)
            for id_, answer, reason in refused:
                self._spool.refuse(id_, answer, reason)

        try:
            await self._in_thread(commit)
        except (SpoolFull, SpoolUnavailable) as error:
            if not self._is_confirming_late:
                log.warning("what was delivered cannot be confirmed yet: %s", error)
            self._is_confirming_late = True
            self._delivered += delivered
            self._refused += refused
            return
        self._is_confirming_late = False
        gone = delivered + [id_ for id_, _, _ in refused]
        for feed in self._feeds:
            feed.forget(gone)

    async def _scan(self, after: int, skip: Collection[str]) -> tuple[list[Row], int]:
        names = frozenset(skip)
        return await self._in_thread(lambda: self._spool.rows(after, limit=_SCAN_ROWS, skip=names))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        self._heartbeat.extend(SPOOL_WITHIN_S)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
