"""The spool's side of the uplink: which readings are to be sent, and which may leave.

Two positions walk along the ids. The head follows the end of the spool: what comes after it is live. Each
feed's own `next_id` walks through the backlog behind it. A step scans a bounded range of ids and refills
every feed that needs readings and has come that far; the feed that was refilled longest ago decides where it
begins. So a million readings of a sensor that must wait are passed over once, in steps of milliseconds, and
cost the others nothing.

The first reading that comes after a while is looked for as soon as it is written, and again until it can be
seen; those that follow wait for the next regular look, so that many readers cost no more than one.

SQLite may wait for a slow disk, so it is used from one thread of its own; the event loop never waits for
it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TypeVar

from bridge.errors import SpoolFull
from bridge.event_loop import until_multiple_s
from bridge.spool import Row, Spool, SpoolUnavailable
from bridge.spool.write_watch import WriteWatch
from bridge.systemd import Heartbeat
from bridge.uplink.feed import Feed
from bridge.uplink.pace import Pace, news

log = logging.getLogger(__name__)

SPOOL_WITHIN_S = 60.0  # for one look or commit, on an SD card that is busy

_LOOK_AGAIN_S = 0.05  # after a write that cannot be seen yet
_SCAN_ROWS = 1000  # the most readings that one look brings into memory

_T = TypeVar("_T")


class Drain:
    """Fill the feeds from the spool and confirm what they delivered. Open it, run it, close it.

    Attributes:
        work_available: set when there may be something new to send.
        refill_needed: to be set when a feed runs short.
        unassigned: sensors whose readings wait until a person acts, and why.
    """

    def __init__(
        self, feeds: Sequence[Feed], unassigned: dict[str, str], *, commit_every_s: float, pace: Pace
    ) -> None:
        self.work_available = asyncio.Event()
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
        self._delivered_ids: list[int] = []
        self._refusals: list[tuple[int, str, str]] = []
        self._confirmed_at = 0.0
        self._is_confirming_late = False
        self._found_at = -math.inf  # when a look found readings
        self._written_at = -math.inf  # when a reader wrote what no look has found yet

    async def open(self, path: Path, limit: int) -> None:
        """Open the spool; what it holds now is backlog. Errors as for `Spool.open`."""
        try:
            self._spool = await self._in_thread(lambda: Spool.open(path, limit=limit))
            self._head = await self._in_thread(self._spool.last_id)
        except BaseException:
            self._thread.shutdown()
            raise
        self._watch = WriteWatch(path)

    async def close(self) -> None:
        """Commit the deliveries so far and close the spool."""
        try:
            await self._confirm()
        finally:
            self._watch.close()
            self._thread.submit(self._spool.close)
            self._thread.shutdown()

    def record_delivered(self, ids: Sequence[int]) -> None:
        """Record readings that the server accepted; the next commit removes them from the spool."""
        self._delivered_ids += ids

    def record_refused(self, row: Row, answer: str, reason: str) -> None:
        """Record a reading that the server will never accept; the next commit quarantines it."""
        self._refusals.append((row.id, answer, reason))

    def is_advancing(self) -> bool:
        """Return whether the spool's thread makes progress: a step has ended, or the next is scheduled."""
        return self._heartbeat.is_alive

    def has_more_for(self, feed: Feed, now: float) -> bool:
        """Return whether the feed ran short while the spool still holds readings of its sensors."""
        return feed.is_hungry(self._head, now)

    async def run(self) -> None:
        """Follow the spool, fill the feeds and commit deliveries until cancelled.

        Raises:
            SpoolDamaged, SpoolUnavailable: the spool cannot be read.
        """
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - self._confirmed_at >= self._commit_every_s:
                await self._confirm()
            self._note_writes()
            await self._follow()
            if not await self._fill():
                self._heartbeat.extend(self._pace.look_every_s)
                await self._wait()

    async def _wait(self) -> None:
        """Wait for the next look: a regular one, or after a while without readings that of the next write."""
        every_s = self._pace.look_every_s
        now = asyncio.get_running_loop().time()
        if now < (regular_at := self._found_at + every_s):
            await news(self.refill_needed, regular_at - now)
        elif now - self._written_at < every_s:
            await news(self.refill_needed, min(_LOOK_AGAIN_S, every_s))
        else:
            with self._watch.telling(self.refill_needed.set):
                await news(self.refill_needed, until_multiple_s(every_s))

    def _note_writes(self) -> None:
        """Note what a reader has written up to now; the next look may be too early to see it."""
        if self._watch.skip():
            self._written_at = asyncio.get_running_loop().time()

    async def _follow(self) -> None:
        """Give the feeds the readings that were added since the last scan."""
        while True:
            head = self._head
            rows, scanned_id = await self._scan(head, self.unassigned)
            if scanned_id == head:
                return
            self._head = scanned_id
            now = self._found_at = asyncio.get_running_loop().time()
            self._written_at = -math.inf
            for feed in self._feeds:
                if feed.next_id >= head:
                    feed.next_id = scanned_id
            for row in rows:
                if (feed_of_row := self._owner(row)) is not None:
                    feed_of_row.follow(row, now)
            self.work_available.set()

    async def _fill(self) -> bool:
        """Scan one step of the backlog and return whether any feed needed it."""
        now = asyncio.get_running_loop().time()
        for feed in self._feeds:
            feed.reconsider(now)
        hungry_feeds = [feed for feed in self._feeds if feed.is_hungry(self._head, now)]
        if not hungry_feeds:
            return False
        first = min(hungry_feeds, key=self._fed_at.__getitem__)
        self._fed_at[first] = next(self._steps)
        after = first.next_id
        refilled_feeds = [feed for feed in hungry_feeds if feed.next_id >= after]
        skipped_sensors = set(self._feed_of).difference(*(feed.sensors for feed in refilled_feeds))
        rows, scanned_id = await self._scan(after, skipped_sensors.union(self.unassigned))
        scanned_id = self._head if scanned_id == after else min(scanned_id, self._head)
        rows_of: defaultdict[Feed, list[Row]] = defaultdict(list)
        for row in rows:
            if row.id <= self._head and (owner := self._owner(row)) is not None:
                rows_of[owner].append(row)
        for feed in refilled_feeds:
            feed.fill(rows_of[feed], after, scanned_id)
        self.work_available.set()
        return True

    def _owner(self, row: Row) -> Feed | None:
        """Return the feed of a reading; None, logged once, if its sensor is not configured."""
        feed = self._feed_of.get(row.sensor)
        if feed is None and row.sensor not in self.unassigned:
            self.unassigned[row.sensor] = "it is no longer configured"
            log.error(
                "%s: not in site.toml; its readings wait for serial-bridge spool reassign or spool drop",
                row.sensor,
            )
        return feed

    async def _confirm(self) -> None:
        """Commit deliveries and refusals; keep them for the next attempt if the spool cannot be written."""
        self._confirmed_at = asyncio.get_running_loop().time()
        delivered_ids, self._delivered_ids = self._delivered_ids, []
        refusals, self._refusals = self._refusals, []
        if not delivered_ids and not refusals:
            return

        def commit() -> None:
            try:
                if delivered_ids:
                    self._spool.confirm(delivered_ids)
                for id_, answer, reason in refusals:
                    self._spool.refuse(id_, answer, reason)
            finally:
                self._watch.skip()  # it was this commit, or one before it, which the next look sees

        try:
            await self._in_thread(commit)
        except (SpoolFull, SpoolUnavailable) as error:
            if not self._is_confirming_late:
                log.warning("deliveries cannot be confirmed in the spool yet, next try soon: %s", error)
            self._is_confirming_late = True
            self._delivered_ids += delivered_ids
            self._refusals += refusals
            return
        self._is_confirming_late = False
        settled_ids = delivered_ids + [id_ for id_, _, _ in refusals]
        for feed in self._feeds:
            feed.forget(settled_ids)

    async def _scan(self, after: int, skip: Collection[str]) -> tuple[list[Row], int]:
        """Return readings after an id, without those of the sensors to skip, and the last id scanned."""
        names = frozenset(skip)
        return await self._in_thread(lambda: self._spool.rows(after, limit=_SCAN_ROWS, skip=names))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Run one use of the spool in its thread and return its result."""
        self._heartbeat.extend(SPOOL_WITHIN_S)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
