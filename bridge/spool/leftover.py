"""What the spool did not take before a process had to end: a file beside it, for the next start.

A disk may be slower, or the spool locked longer, than whoever stops a service waits. The readings are written
to a small file of their own then, which needs neither the lock nor a forced write. They go into the spool
first thing when their bus is read again, in their order and before any newer one.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bridge.clock import Instant
from bridge.errors import BridgeError
from bridge.files import acting_as_owner, read_regular, replace_regular
from bridge.spool.queue import Spool
from bridge.spool.readings import Reading

logger = logging.getLogger(__name__)

_MOST_BYTES = 256_000_000


class Leftovers:
    """The files of one writer.

    Args:
        paths: of every file that earlier writers for the same buses may have left; the first is written.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._waiting = list(paths)

    @property
    def is_waiting(self) -> bool:
        """Return whether a file may hold what is not in the spool yet."""
        return bool(self._waiting)

    def take_up(self, spool: Spool) -> None:
        """Queue what the files hold, and remove them. A file that makes no sense is said and left alone.

        Raises:
            SpoolDamaged, SpoolFull, SpoolUnavailable: the spool does not take it; ask again later.
        """
        while self._waiting:
            path = self._waiting[0]
            try:
                readings, lost = _load(path)
            except (OSError, ValueError) as error:
                logger.warning("%s cannot be read, and is left as it is: %s", path, error)
                self._paths = tuple(each for each in self._paths if each != path)
            else:
                if readings or lost:
                    spool.add(readings, lost=lost)
                    _remove(path)
                    logger.info("%d readings that waited in %s are in the spool", len(readings), path)
            self._waiting.pop(0)

    def leave(self, spool: Spool, pending: Sequence[Reading], lost: Counter[str]) -> int:
        """Keep what did not get into the spool for the next start; book and say what cannot be kept.

        Returns:
            How many readings are lost.
        """
        if not pending and not lost:
            return 0
        if self._paths:
            path = self._paths[0]
            try:
                earlier, lost_earlier = _load(path) if path in self._waiting else ([], Counter())
                _save(path, [*earlier, *pending], lost_earlier + lost)
            except (OSError, ValueError) as error:
                logger.warning("%s cannot be written: %s", path, error)
            else:
                logger.warning(
                    "the spool does not take %d readings now: they wait in %s for the next start",
                    len(pending),
                    path,
                )
                return 0
        lost = lost + Counter(reading.sensor for reading in pending)
        try:
            spool.book_lost(lost)
            booked = "they count as dropped"
        except BridgeError:
            booked = "and are not in the books either"
        counts = ", ".join(f"{sensor} {count}" for sensor, count in lost.items())
        logger.error("%d readings could not be kept, %s: %s", lost.total(), booked, counts)
        return lost.total()


def _save(path: Path, readings: Sequence[Reading], lost: Mapping[str, int]) -> None:
    rows = [
        (each.sensor, each.taken.boot_id, each.taken.boottime_ns, each.ts_ms, each.body.decode(), each.points)
        for each in readings
    ]
    with acting_as_owner(path.parent):
        document = json.dumps({"readings": rows, "lost": dict(lost)})
        replace_regular(path, document.encode(), is_sole_writer=True)


def _load(path: Path) -> tuple[list[Reading], Counter[str]]:
    """Return what `_save` wrote; nothing if there is no such file. Raises OSError, ValueError."""
    try:
        document = json.loads(read_regular(path, _MOST_BYTES))
    except FileNotFoundError:
        return [], Counter()
    try:
        readings = [
            Reading(sensor, Instant(boot_id, boottime_ns), ts_ms, body.encode(), points)
            for sensor, boot_id, boottime_ns, ts_ms, body, points in document["readings"]
        ]
        return readings, Counter(document["lost"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are no readings: {error}") from error


def _remove(path: Path) -> None:
    with suppress(OSError), acting_as_owner(path.parent):
        path.unlink()
