"""The counters of a bus on the disk, written without its polls waiting for the disk.

An SD card that is busy takes a second for a file of some kilobytes, and during that second the event loop
would serve no bus. So a thread writes, one write at a time for each bus. The buses of a site start together
and do not write together: each has a moment of its own within the ten minutes, which its name decides.

Where the file belongs to another user than this process (`run` as root on a spool in a home folder), the
whole process takes that user's rights while it writes. Nothing else may run meanwhile, so there it waits.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from functools import partial
from typing import TYPE_CHECKING

from bridge.event_loop import call_in_thread

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument
    from bridge.status.line_statistics import Memory

_log = logging.getLogger(__name__)

LAST_SAVE_WITHIN_S = 0.5
"""The longest that a stop waits for it: the readings, which matter more, are committed after."""


class SavedCounters:
    """Save the counters of one bus every ten minutes, and when it stops.

    Args:
        bus: its name.
        memory: the counters from before, and their file.
    """

    def __init__(self, bus: str, memory: Memory) -> None:
        self._bus = bus
        self._memory = memory
        self._due_at: float | None = None
        self._saving: asyncio.Future[None] | None = None

    def note(self, total: BusDocument, now: float) -> None:
        """Take the newest document from `Memory.total`, at `now` (loop time); begin to save it if due."""
        if self._due_at is None:
            self._due_at = now + _phase(self._bus) * self._memory.save_every_s
        elif now >= self._due_at and not self._is_saving:
            self._due_at = now + self._memory.save_every_s
            self._save(total)

    async def save_last(self, total: BusDocument) -> None:
        """Save the last document of a bus that stops; log it if the disk does not take it in time."""
        try:
            async with asyncio.timeout(LAST_SAVE_WITHIN_S):
                await self._saved()
                self._save(total)
                await self._saved()
        except TimeoutError:
            _log.warning(
                "bus %s: the disk did not take the line statistics within %.1f s: those of the last minutes "
                "may be lost, no reading is",
                self._bus,
                LAST_SAVE_WITHIN_S,
            )

    @property
    def _is_saving(self) -> bool:
        return self._saving is not None and not self._saving.done()

    def _save(self, total: BusDocument) -> None:
        text = self._memory.text(total)  # not in the thread: the polls change what is counted
        if self._memory.is_of_another_user:
            self._memory.save(text)
        else:
            self._saving = call_in_thread(partial(self._memory.save, text), f"save {self._bus}")

    async def _saved(self) -> None:
        """Wait until nothing is being saved."""
        if self._saving is not None:
            await asyncio.shield(self._saving)


def _phase(bus: str) -> float:
    """Return the moment of a bus within the time between two saves: above 0, at most 1."""
    return (zlib.crc32(bus.encode()) + 1) / 2**32
