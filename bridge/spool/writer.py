"""What stands between a reader and the disk: a thread that commits readings in groups.

A commit costs an SD card the same wear whether it holds one reading or five hundred, and may take it seconds.
So the event loop only puts readings into memory, and a thread of its own commits them: the first of a group
waits `commit_every_s` at most, which is also the most that a power cut can lose. While the disk is full or
the spool locked, readings wait in memory up to a bound; what comes beyond it is lost, and booked as dropped
with the next commit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, deque
from concurrent.futures import Future
from itertools import islice

from bridge.errors import BridgeError, SpoolDamaged, SpoolFull
from bridge.spool.queue import Spool
from bridge.spool.readings import Reading
from bridge.spool.schema import SpoolUnavailable

logger = logging.getLogger(__name__)

GROUP = 500
"""So many readings are committed without waiting any longer."""

KEPT_IN_MEMORY = 10_000
"""So many readings wait for a disk that takes none."""

_COMMIT_ROWS = 5000
_RETRY_S = 1.0


class SpoolWriter:
    """Takes readings from the event loop and commits them to `spool`, which it owns from here on.

    Args:
        commit_every_s: the longest a reading waits in memory while the disk takes it.
    """

    def __init__(self, spool: Spool, *, commit_every_s: float = 2.0) -> None:
        self._spool = spool
        self._commit_every_s = commit_every_s
        self._changed = threading.Condition()  # guards all that follows
        self._pending: deque[Reading] = deque()
        self._lost: Counter[str] = Counter()
        self._flushes: list[Future[None]] = []
        self._is_closing = False
        self._failure: BaseException | None = None
        self._is_failing = self._is_losing = False  # the thread alone uses these
        self._dropped = 0
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name="spool writer", daemon=True).start()

    def put(self, reading: Reading) -> None:
        """Take a reading; returns at once.

        Raises:
            SpoolDamaged: the spool's file is damaged; the process should end.
            ValueError: the writer is closed.
        """
        with self._changed:
            if self._failure is not None:
                raise SpoolDamaged(str(self._failure)) from self._failure
            if self._is_closing:
                raise ValueError("the spool writer is closed")
            if len(self._pending) >= KEPT_IN_MEMORY:
                self._lost[reading.sensor] += 1
                return
            self._pending.append(reading)
            if len(self._pending) in (1, GROUP):
                self._changed.notify()

    async def flush(self) -> None:
        """Wait until everything put so far is on the disk.

        Raises:
            SpoolFull, SpoolUnavailable: the disk does not take it; it is kept and tried again.
            SpoolDamaged: the spool's file is damaged.
        """
        flushed: Future[None] = Future()
        with self._changed:
            if self._failure is not None:
                raise SpoolDamaged(str(self._failure)) from self._failure
            if self._is_closing:
                raise ValueError("the spool writer is closed")
            self._flushes.append(flushed)
            self._changed.notify()
        await asyncio.wrap_future(flushed)

    async def close(self) -> None:
        """Commit everything and close the spool. What the disk does not take now is lost, and logged."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def _run(self) -> None:
        try:
            while self._serve():
                pass
        except SpoolDamaged:
            pass  # told to who puts or flushes; anything else is our mistake, and threading reports it
        finally:
            with self._changed:
                self._is_closing = True
                flushes, self._flushes = self._flushes, []
                if self._pending:
                    logger.error("%d readings could not be kept", len(self._pending) + self._lost.total())
            self._settle(flushes, self._failure)
            self._spool.close()
            self._ended.set_result(None)

    def _serve(self) -> bool:
        """Wait for a group, and commit it; whether to go on."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._is_asked())
            self._changed.wait_for(
                lambda: len(self._pending) >= GROUP or self._is_asked(), timeout=self._commit_every_s
            )
            flushes, self._flushes = self._flushes, []
            is_closing = self._is_closing
        try:
            error = self._commit()
        except BaseException as damage:
            with self._changed:
                self._failure = damage  # first: who waits for the flush may put again at once
            self._settle(flushes, damage)
            raise
        self._settle(flushes, error)
        if is_closing:
            return False
        if error is not None:
            with self._changed:
                self._changed.wait_for(self._is_asked, timeout=max(self._commit_every_s, _RETRY_S))
        return True

    def _is_asked(self) -> bool:
        return self._is_closing or bool(self._flushes)

    def _commit(self) -> BridgeError | None:
        """Commit what is pending now; the reason if the disk does not take it."""
        with self._changed:
            remaining = len(self._pending)
        while True:
            with self._changed:
                group = list(islice(self._pending, min(remaining, _COMMIT_ROWS)))
                lost, self._lost = self._lost, Counter()
            if not group and not lost:
                self._all_is_well()
                return None
            try:
                self._spool.add(group, lost=lost)
            except (SpoolFull, SpoolUnavailable) as error:
                with self._changed:
                    self._lost += lost
                self._is_taking_none(error, is_losing=bool(lost))
                return error
            with self._changed:
                for _ in group:
                    self._pending.popleft()
            remaining -= len(group)
            self._dropped += lost.total()

    def _is_taking_none(self, error: BridgeError, *, is_losing: bool) -> None:
        """Say once that the disk takes nothing, and once that readings are lost."""
        if not self._is_failing:
            logger.error("%s: up to %d readings wait in memory", error, KEPT_IN_MEMORY)
        if is_losing and not self._is_losing:
            logger.error("%s, and the memory kept for readings is full: they are lost from now on", error)
        self._is_failing = True
        self._is_losing = is_losing

    def _all_is_well(self) -> None:
        """Say once that it takes readings again, and what was lost meanwhile."""
        if self._is_failing:
            logger.warning(
                "the spool takes readings again; %d were lost, and count as dropped", self._dropped
            )
        self._is_failing = self._is_losing = False
        self._dropped = 0

    @staticmethod
    def _settle(flushes: list[Future[None]], error: BaseException | None) -> None:
        for flushed in flushes:
            if not flushed.set_running_or_notify_cancel():
                continue
            if error is None:
                flushed.set_result(None)
            else:
                flushed.set_exception(error)
