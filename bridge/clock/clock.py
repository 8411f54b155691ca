"""The time at which a reading was on the wire, recorded so that it can be dated once the time is known.

A gateway without a battery-backed clock boots in 1970, or at the hour of its last shutdown, and learns the
time later or never. So a reading is taken with an `Instant`: the boot it happened in, and the time since that
boot (CLOCK_BOOTTIME, which no one sets and which counts suspend). What turns an instant into a date is an
offset, wall clock minus boottime, and an offset counts only if somebody vouches for it: the kernel, a
battery-backed clock, or the server, which reported its own. An instant taken before that gets no stamp yet;
any offset trusted later in the same boot dates it.

A reading gets the offset that was valid when it was taken, not the one valid when it is stamped, and its
stamp is fixed once. Stamps of one sensor strictly increase, because ThingsBoard keeps one value per key and
millisecond: after a small backward step they go on at +1 ms until time catches up; a large step is believed
and logged.

Everything here is pure: the clocks are arguments (`kernel_clock.py` has those of this machine).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.release import RELEASED

logger = logging.getLogger(__name__)

BUILD_DATE = RELEASED
"""No trustworthy clock shows less than this: the software did not exist."""

LIFETIME_YEARS = 20
"""Nor more than this many years after `BUILD_DATE`: a clock with a flat battery may come up anywhere."""

BACKWARD_STEP_MS = 60_000
"""A backward step up to this is a correction: stamps wait for time to catch up. A larger one is believed."""

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_SAMPLING_NS = _NS_PER_MS  # two clocks are read as one if no more than this passed in between
_OFFSETS_KEPT = 64
_VOUCHED_FOR_NS = _NS_PER_S  # so long a clock that nobody set needs no other voucher: the kernel is asked 1/s

_PATIENCE_NS = 600 * _NS_PER_S
MISSING = (
    "nothing synchronized it, no RTC set it, and the server did not tell it; until then readings wait in the "
    "spool: let NTP through (UDP port 123) or connect the server, or set the clock and write "
    '[clock] trust = "system"'
)
"""The message of `status` once a machine has run for ten minutes without a time to trust."""


def following(measured: int, newest: int | None) -> int:
    """Return the stamp of a reading measured at `measured`, after the stamp `newest` of the same sensor.

    All in milliseconds since 1970 UTC. The stamp is greater than `newest`, unless `newest` lies more than
    `BACKWARD_STEP_MS` ahead: then the clock was set back, and `measured` is believed.
    """
    if newest is None or measured > newest or newest - measured > BACKWARD_STEP_MS:
        return measured
    return newest + 1


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, in nanoseconds since the boot that `boot_id` names."""

    boot_id: str
    boottime_ns: int


@dataclass(frozen=True, slots=True)
class Told:
    """The start of a boot, in nanoseconds since 1970 UTC, and the source that reported it."""

    boot_id: str
    offset_ns: int
    source: str


class Clock:
    """The clock of a process: it takes instants, and dates them once the time is trusted.

    Args:
        boot_id: name of this boot.
        boottime_ns: nanoseconds since boot, suspend included; never steps.
        wall_ns: nanoseconds since 1970 UTC; may step.
        vouched: returns why the wall clock is to be trusted while it shows that many nanoseconds; None if it
            is not to be trusted.
        server_time: returns the time as the server reports it, for when nothing vouches for the wall clock.
    """

    def __init__(
        self,
        boot_id: str,
        boottime_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        vouched: Callable[[int], str | None],
        server_time: Callable[[], Told | None] = lambda: None,
    ) -> None:
        self._boot_id = boot_id
        self._boottime_ns = boottime_ns
        self._wall_ns = wall_ns
        self._vouched = vouched
        self._server_time = server_time
        self._source: str | None = None
        self._vouched_until_ns = 0  # boottime; 0 while this machine does not vouch for its clock
        self._offsets: deque[tuple[int, int]] = deque(maxlen=_OFFSETS_KEPT)  # (valid from boottime, offset)
        self._stamps: dict[str, int] = {}  # the newest by sensor, and when that was by the clock:
        self._measured: dict[str, int] = {}

    def now(self) -> Instant:
        """Return this instant."""
        return Instant(self._boot_id, self._observe())

    def ts_ms(self, instant: Instant, sensor: str) -> int | None:
        """Return the stamp of a reading of `sensor` taken at `instant`: milliseconds since 1970 UTC.

        Call once for each reading: the next stamp of that sensor is greater than this one, unless the clock
        is set back by more than `BACKWARD_STEP_MS` at once.

        Returns:
            None while the time is not trusted, and for an instant of another boot.
        """
        measured = self.measured_ms(instant)
        if measured is None:
            return None
        newest, previous_ms = self._stamps.get(sensor), self._measured.get(sensor)
        stamp = following(measured, newest)
        if newest is not None and measured <= newest and previous_ms is not None:
            # Stamps may be ahead of the clock already: only how far the clock itself went back is a step.
            stamp = newest + 1 if previous_ms - measured <= BACKWARD_STEP_MS else measured
        if newest is not None and stamp <= newest:
            logger.warning(
                "%s: the clock was set back %.0f s; stamps follow it", sensor, (newest - stamp) / 1000
            )
        self._stamps[sensor], self._measured[sensor] = stamp, measured
        return stamp

    def measured_ms(self, instant: Instant) -> int | None:
        """Return the date of `instant`, in milliseconds since 1970 UTC; None as for `ts_ms`."""
        self._observe()
        if instant.boot_id != self._boot_id or not self._offsets:
            return None
        return (instant.boottime_ns + self._offset_ns(instant.boottime_ns)) // _NS_PER_MS

    def continue_after(self, stamps: Mapping[str, int]) -> None:
        """Continue above `stamps`, the newest of each sensor, as if this clock and no other had made them."""
        for sensor, stamp in stamps.items():
            self._stamps[sensor] = max(stamp, self._stamps.get(sensor, stamp))

    def newest_ms(self, sensor: str) -> int | None:
        """Return the newest stamp of a sensor, in milliseconds since 1970 UTC; None if it has none."""
        return self._stamps.get(sensor)

    @property
    def known(self) -> Told | None:
        """Return the offset that dates the waiting readings of this boot; None while no time is trusted."""
        self._observe()
        if not self._offsets:
            return None
        return Told(self._boot_id, self._offsets[0][1], self._source or "the last trusted time")

    @property
    def is_vouched(self) -> bool:
        """Return whether this machine itself vouches for the time now, without the server."""
        return self._vouched(self._wall_ns()) is not None

    @property
    def source(self) -> str | None:
        """Return why the time is trusted now; None if it is not, or only carried on from a trusted one."""
        self._observe()
        return self._source

    @property
    def state(self) -> str:
        """Return one line for `status`: where the time comes from, or what is missing."""
        boottime_ns = self._observe()
        if self._source is not None:
            return self._source
        date = _date(self._wall_ns())
        if self._offsets:
            return f"going on from the last trusted time: the system clock shows {date}"
        waiting = f"waiting for the time: the system clock shows {date}"
        return f"{waiting}; {MISSING}" if boottime_ns >= _PATIENCE_NS else waiting

    def _observe(self) -> int:
        """Record the offset if it is trusted and new; return the boottime in nanoseconds."""
        earlier_ns, wall_ns, boottime_ns = self._boottime_ns(), self._wall_ns(), self._boottime_ns()
        while boottime_ns - earlier_ns > _SAMPLING_NS:  # preempted between the two clocks
            earlier_ns, wall_ns, boottime_ns = boottime_ns, self._wall_ns(), self._boottime_ns()
        offset_ns = wall_ns - boottime_ns
        if boottime_ns < self._vouched_until_ns and self._is_known(offset_ns):
            return boottime_ns
        self._source = self._vouched(wall_ns)
        self._vouched_until_ns = 0 if self._source is None else boottime_ns + _VOUCHED_FOR_NS
        if self._source is None:
            server_time = self._server_time()
            if server_time is None or server_time.boot_id != self._boot_id:
                return boottime_ns
            self._source, offset_ns = server_time.source, server_time.offset_ns
        if not self._offsets:
            logger.info("the time is trusted (%s): %s", self._source, _date(boottime_ns + offset_ns))
        elif self._is_known(offset_ns):
            return boottime_ns
        elif abs(change_ns := offset_ns - self._offsets[-1][1]) > _NS_PER_S:
            date = _date(boottime_ns + offset_ns)
            logger.info("the clock was set %+.1f s, to %s", change_ns / _NS_PER_S, date)
        self._offsets.append((boottime_ns, offset_ns))
        return boottime_ns

    def _is_known(self, offset_ns: int) -> bool:
        """Return whether the wall clock goes on as it did when its offset was last recorded."""
        return abs(offset_ns - self._offsets[-1][1]) <= _SAMPLING_NS

    def _offset_ns(self, boottime_ns: int) -> int:
        """Return the offset valid at `boottime_ns`, in nanoseconds; the first one for any earlier time."""
        for since, offset_ns in reversed(self._offsets):
            if since <= boottime_ns:
                return offset_ns
        return self._offsets[0][1]


_EARLIEST_NS = int(BUILD_DATE.timestamp()) * _NS_PER_S
_LATEST_NS = int(BUILD_DATE.replace(year=BUILD_DATE.year + LIFETIME_YEARS).timestamp()) * _NS_PER_S


def is_plausible(wall_ns: int) -> bool:
    """Return whether this software can be running at `wall_ns`, in nanoseconds since 1970 UTC."""
    return _EARLIEST_NS <= wall_ns <= _LATEST_NS


def _date(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
