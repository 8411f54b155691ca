"""What stands between a reader and the disk: a thread that commits readings in groups.

A commit costs an SD card the same wear whether it holds one reading or five hundred, and may take it seconds.
So the event loop only puts readings into memory, and a thread of its own commits them: the first of a group
waits `commit_every_s` at most, which is also the most that a power cut can lose. While the disk is full or
the spool locked, readings wait in memory up to a bound; what comes beyond it is lost, and booked as dropped
with the next commit.

The invocation counters of meters that encrypt go with the readings, in the same transaction. Where no reading
comes for a minute, because most telegrams are thinned out, they get a commit of their own: so long a process
that is killed forgets what it has refused.

At the end the thread goes on trying as long as it is given. What is not in the spool then waits in a file for
the next start (`leftover.py`); if there is no room for that either, it is booked as dropped, and said.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.clock import Told
from bridge.errors import BridgeError, SpoolDamaged, SpoolFull
from bridge.spool.leftover import Leftovers
from bridge.spool.loss_watch import LossWatch
from bridge.spool.queue import Spool
from bridge.spool.readings import Reading
from bridge.spool.schema import SpoolUnavailable

if TYPE_CHECKING:
    from bridge.status.documents import SpoolDocument

logger = logging.getLogger(__name__)

GROUP = 500
"""So many readings are committed without waiting any longer."""

KEPT_IN_MEMORY = 10_000
"""So many readings wait for a disk that takes none."""

CLOSE_WITHIN_S = 8.0
"""So long a writer goes on trying when its process is to end; systemd allows the service ten seconds."""

COUNTERS_WAIT_S = 60.0
"""So long invocation counters wait for a reading that they can go with."""

_COMMIT_ROWS = 5000
_RETRY_S = 1.0
_RETRY_CLOSING_S = 0.05
_LAST_WORDS_S = 0.5  # for what is written of a spool that took nothing to the end
_LOOK_EVERY_S = 10.0  # at the books, while a reading is on its way whose loss somebody asks about


class SpoolWriter:
    """Takes readings from the event loop and commits them to `spool`, which it owns from here on.

    Args:
        commit_every_s: the longest a reading waits in memory while the disk takes it.
        is_first_urgent: the first reading is committed at once; whoever plugged in an adapter waits for it.
        leftovers: files in which earlier writers left what the spool did not take; this one writes the first.
        known: what dates the readings of this boot that wait for the time, once a dated one was put.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        commit_every_s: float = 2.0,
        is_first_urgent: bool = False,
        leftovers: Sequence[Path] = (),
        known: Callable[[], Told | None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._commit_every_s = commit_every_s
        self._leftovers = Leftovers(leftovers)
        self._ask_time = known
        self._watch = LossWatch()
        self._changed = threading.Condition()  # guards all that follows
        self._pending: deque[Reading] = deque()
        self._lost: Counter[str] = Counter()
        self._counters: dict[str, int] = {}
        self._flushes: list[Future[None]] = []
        self._is_closing = False
        self._close_by = 0.0
        self._known: Told | None = None
        self._has_dated = False  # a dated reading was put
        self._failure: BaseException | None = None
        self._reason: str | None = None  # why the disk takes nothing
        self._is_failing = self._is_losing = False  # the thread alone uses these, and the next
        self._is_urgent = is_first_urgent
        self._dropped = 0
        self._unkept = 0
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name="spool writer", daemon=True).start()

    def put(self, reading: Reading) -> None:
        """Take a reading; returns at once.

        Raises:
            SpoolDamaged: the spool's file is damaged; the process should end.
            ValueError: the writer is closed.
        """
        with self._changed:
            self._require_open()
            if reading.ts_ms is not None and not self._has_dated:
                self._has_dated = True
                self._known = self._ask_time()
            if len(self._pending) >= KEPT_IN_MEMORY:
                self._lose(reading.sensor)
                return
            self._pending.append(reading)
            if len(self._pending) in (1, GROUP):
                self._changed.notify()

    def lose(self, sensor: str) -> None:
        """Book a reading that cannot be kept as read and dropped. Errors as for `put`."""
        with self._changed:
            self._require_open()
            self._lose(sensor)
            self._changed.notify()

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep the last invocation counters of meters; those of a telegram before its readings are put.

        Errors as for `put`.
        """
        with self._changed:
            self._require_open()
            is_first = not self._counters
            self._counters |= counters
            if is_first:
                self._changed.notify()

    def was_lost(self, sensor: str) -> bool:
        """Return whether the last reading of the sensor was lost, since the last call, to the server."""
        return self._watch.was_lost(sensor)

    @property
    def backlog(self) -> SpoolDocument | None:
        """Return how many readings wait in memory while the disk takes nothing, and why; None if it does."""
        if self._reason is None:
            return None
        return {"in_memory": len(self._pending), "reason": self._reason}

    async def flush(self) -> None:
        """Wait until everything put so far is on the disk.

        Raises:
            SpoolFull, SpoolUnavailable: the disk does not take it; it is kept and tried again.
            SpoolDamaged: the spool's file is damaged.
        """
        flushed: Future[None] = Future()
        with self._changed:
            self._require_open()
            self._flushes.append(flushed)
            self._changed.notify()
        await asyncio.wrap_future(flushed)

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> int:
        """Commit everything and close the spool, trying for at most `within_s`.

        Returns:
            How many readings were lost; it is logged why. Those left in a file for the next start are not.
        """
        with self._changed:
            if not self._is_closing:
                self._close_by = time.monotonic() + within_s
            self._is_closing = True
            self._changed.notify()
        ended = asyncio.shield(asyncio.wrap_future(self._ended))
        try:
            await asyncio.wait_for(ended, within_s + _LAST_WORDS_S)
        except TimeoutError:
            with self._changed:
                waiting = len(self._pending)
            logger.warning("the disk did not answer: %d readings may not be in %s", waiting, self._spool.path)
            return waiting
        return self._unkept

    def _require_open(self) -> None:
        if self._failure is not None:
            raise SpoolDamaged(str(self._failure)) from self._failure
        if self._is_closing:
            raise ValueError("the spool writer is closed")

    def _lose(self, sensor: str) -> None:
        self._lost[sensor] += 1
        self._watch.lose(sensor)

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
                pending, lost = list(self._pending), self._lost
            self._unkept = self._leftovers.leave(self._spool, pending, lost)
            self._settle(flushes, self._failure)
            self._spool.close()
            self._ended.set_result(None)

    def _serve(self) -> bool:
        """Wait for a group, and commit it; whether to go on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._pending or self._lost or self._counters or self._is_asked(),
                timeout=self._patience_s(),
            )
            if self._counters:
                self._changed.wait_for(
                    lambda: self._pending or self._lost or self._is_asked(), timeout=COUNTERS_WAIT_S
                )
            self._changed.wait_for(
                lambda: len(self._pending) >= GROUP or self._is_asked(),
                timeout=0.0 if self._is_urgent or not (self._pending or self._lost) else self._commit_every_s,
            )
            flushes, self._flushes = self._flushes, []
            is_closing = self._is_closing
        try:
            if is_closing:
                self._spool.wait_for_lock(max(0.1, self._close_by - time.monotonic()))
            error = self._commit()
        except BaseException as damage:
            with self._changed:
                self._failure = damage  # first: who waits for the flush may put again at once
            self._settle(flushes, damage)
            raise
        self._settle(flushes, error)
        if is_closing:
            return self._goes_on_closing(error)
        if error is not None:
            with self._changed:
                self._changed.wait_for(self._is_asked, timeout=max(self._commit_every_s, _RETRY_S))
        return True

    def _patience_s(self) -> float | None:
        """Return how long nothing needs to be done while nothing is put."""
        if self._leftovers.is_waiting:
            return 0.0
        return _LOOK_EVERY_S if self._watch.is_waiting else None

    def _goes_on_closing(self, error: BridgeError | None) -> bool:
        """Return whether to try once more, though the process is to end."""
        if not isinstance(error, SpoolUnavailable) or time.monotonic() >= self._close_by:
            return False
        time.sleep(_RETRY_CLOSING_S)
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
                counters, self._counters = self._counters, {}
            try:
                self._leftovers.take_up(self._spool)
                if not group and not lost and not counters:
                    self._all_is_well()
                    return None
                group = self._until_dated(group)
                self._add(group, lost, counters)
                self._is_urgent = False
            except SpoolDamaged:
                raise
            except Exception as error:
                with self._changed:
                    self._lost += lost
                    self._counters = counters | self._counters
                if not isinstance(error, BridgeError):
                    if not self._is_failing:
                        logger.exception("the spool fails as nobody foresaw")
                    error = SpoolUnavailable(f"{self._spool.path} fails: {error!r}")
                self._is_taking_none(error, is_losing=bool(lost))
                return error
            with self._changed:
                for _ in group:
                    self._pending.popleft()
            remaining -= len(group)
            self._dropped += lost.total()

    def _add(self, group: list[Reading], lost: Counter[str], counters: Mapping[str, int]) -> None:
        sensors = {reading.sensor for reading in group}
        if self._watch.concerns(sensors):
            self._watch.expect(sensors, self._spool.ledger())
        self._spool.add(group, lost=lost, counters=counters)

    def _until_dated(self, group: list[Reading]) -> list[Reading]:
        """Return the beginning of `group` that may be added now: what waits for its date is dated first."""
        first = next((at for at, reading in enumerate(group) if reading.ts_ms is not None), None)
        if first is None or self._known is None:
            return group
        if first > 0:
            return group[:first]
        self._spool.date(self._known.boot_id, self._known.offset_ns)
        self._known = None
        return group

    def _is_taking_none(self, error: BridgeError, *, is_losing: bool) -> None:
        """Say once that the disk takes nothing, and once that readings are lost."""
        if not self._is_failing:
            logger.error("%s: up to %d readings wait in memory", error, KEPT_IN_MEMORY)
        if is_losing and not self._is_losing:
            logger.error("%s, and the memory kept for readings is full: they are lost from now on", error)
        self._is_failing = True
        self._is_losing = is_losing
        self._reason = "disk full" if isinstance(error, SpoolFull) else str(error)

    def _all_is_well(self) -> None:
        """Say once that it takes readings again, and what was lost meanwhile."""
        if self._is_failing:
            logger.warning(
                "the spool takes readings again; %d were lost, and count as dropped", self._dropped
            )
        self._is_failing = self._is_losing = False
        self._reason = None
        self._dropped = 0
        if self._watch.is_waiting:
            self._watch.look(self._spool.ledger())

    @staticmethod
    def _settle(flushes: list[Future[None]], error: BaseException | None) -> None:
        for flushed in flushes:
            if not flushed.set_running_or_notify_cancel():
                continue
            if error is None:
                flushed.set_result(None)
            else:
                flushed.set_exception(error)
