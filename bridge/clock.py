"""When a reading was on the wire, told so that it can be dated before anyone knows the date.

A gateway without a battery-backed clock boots in 1970, or at the hour of its last shutdown, and learns the
time later or never. So a reading is taken with an `Instant`: the boot it happened in, and the time since that
boot (CLOCK_BOOTTIME, which no one sets and which counts suspend). What turns an instant into a date is an
offset, wall clock minus boottime, and an offset counts only while the wall clock is trusted. An instant taken
before that gets no stamp yet; any offset trusted later in the same boot dates it.

A reading gets the offset that was valid when it was taken, not the one valid when it is stamped, and its
stamp is fixed once. Stamps of one sensor strictly increase, because ThingsBoard keeps one value per key and
millisecond: after a small backward step they go on at +1 ms until time catches up; a large step is believed
and logged.

Everything here is pure: the clocks are arguments.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

logger = logging.getLogger(__name__)

BUILD_DATE = datetime(2026, 11, 22, tzinfo=UTC)
"""No trustworthy clock shows less than this: the software did not exist. Moved forward with each release."""

LIFETIME_YEARS = 20
"""Nor more than this after `BUILD_DATE`: a clock with a flat battery may come up anywhere."""

BACKWARD_STEP_MS = 60_000
"""A backward step up to this is a correction: stamps wait for time to catch up. A larger one is believed."""

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_SAMPLING_NS = _NS_PER_MS  # two clocks are read as one if no more than this passed in between
_OFFSETS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Instant:
    """When something happened, in nanoseconds since the boot that `boot_id` names."""

    boot_id: str
    boottime_ns: int


class Clock:
    """Tells instants and dates them.

    Args:
        boot_id: name of this boot.
        boottime_ns: nanoseconds since boot, suspend included; never steps.
        wall_ns: nanoseconds since 1970 UTC; may step.
        trusted: whether the wall clock is to be believed when it shows that many nanoseconds.
    """

    def __init__(
        self,
        boot_id: str,
        boottime_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        trusted: Callable[[int], bool],
    ) -> None:
        self._boot_id = boot_id
        self._boottime_ns = boottime_ns
        self._wall_ns = wall_ns
        self._trusted = trusted
        self._offsets: deque[tuple[int, int]] = deque(maxlen=_OFFSETS_KEPT)  # (valid from boottime, offset)
        self._stamps: dict[str, int] = {}

    def now(self) -> Instant:
        """This instant."""
        return Instant(self._boot_id, self._observe())

    def ts_ms(self, instant: Instant, sensor: str) -> int | None:
        """The stamp of a reading of `sensor` taken at `instant`: milliseconds since 1970 UTC.

        Ask once a reading: the next stamp of that sensor is greater than this one.

        Returns:
            None while the time is not trusted, and for an instant of another boot.
        """
        self._observe()
        if instant.boot_id != self._boot_id or not self._offsets:
            return None
        stamp = (instant.boottime_ns + self._offset_ns(instant.boottime_ns)) // _NS_PER_MS
        newest = self._stamps.get(sensor)
        if newest is not None and stamp <= newest:
            if newest - stamp <= BACKWARD_STEP_MS:
                stamp = newest + 1
            else:
                logger.warning("%s: the clock went back %.0f s; believed", sensor, (newest - stamp) / 1000)
        self._stamps[sensor] = stamp
        return stamp

    def continue_after(self, stamps: Mapping[str, int]) -> None:
        """Go on above these stamps (of a process that ran before), as if this clock had given them."""
        for sensor, stamp in stamps.items():
            self._stamps[sensor] = max(stamp, self._stamps.get(sensor, stamp))

    @property
    def state(self) -> str:
        """One line for `status`: where the time comes from, or what is missing."""
        self._observe()
        wall_ns = self._wall_ns()
        if self._trusted(wall_ns):
            return "system clock"
        shown = _date(wall_ns)
        if self._offsets:
            return f"going on from the last trusted time: the system clock shows {shown}"
        return f"waiting for the time: the system clock shows {shown}"

    def _observe(self) -> int:
        """Note the offset if it is trusted and new; return the boottime."""
        before, wall_ns, boottime_ns = self._boottime_ns(), self._wall_ns(), self._boottime_ns()
        while boottime_ns - before > _SAMPLING_NS:  # preempted between the two clocks
            before, wall_ns, boottime_ns = boottime_ns, self._wall_ns(), self._boottime_ns()
        if not self._trusted(wall_ns):
            return boottime_ns
        offset_ns = wall_ns - boottime_ns
        if not self._offsets:
            logger.info("time is trusted: the system clock shows %s", _date(wall_ns))
        elif abs(change_ns := offset_ns - self._offsets[-1][1]) <= _SAMPLING_NS:
            return boottime_ns
        elif abs(change_ns) > _NS_PER_S:
            logger.info("the system clock was set %+.1f s, to %s", change_ns / _NS_PER_S, _date(wall_ns))
        self._offsets.append((boottime_ns, offset_ns))
        return boottime_ns

    def _offset_ns(self, boottime_ns: int) -> int:
        """The offset valid at `boottime_ns`; for what came before the first, the first."""
        for since, offset_ns in reversed(self._offsets):
            if since <= boottime_ns:
                return offset_ns
        return self._offsets[0][1]


def system_clock(trust: Literal["auto", "system"]) -> Clock:
    """The clock of this machine.

    `trust`: "system" believes the wall clock whatever it shows; "auto" if it shows a time between
    `BUILD_DATE` and `LIFETIME_YEARS` later.
    """
    return Clock(
        Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        time.time_ns,
        _is_plausible if trust == "auto" else lambda _: True,
    )


_EARLIEST_NS = int(BUILD_DATE.timestamp()) * _NS_PER_S
_LATEST_NS = int(BUILD_DATE.replace(year=BUILD_DATE.year + LIFETIME_YEARS).timestamp()) * _NS_PER_S


def _is_plausible(wall_ns: int) -> bool:
    return _EARLIEST_NS <= wall_ns <= _LATEST_NS


def _date(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
