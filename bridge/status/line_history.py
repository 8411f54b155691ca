"""What the line of each sensor did in the last 24 hours: a ring of five-minute buckets, for charts.

    reader ─ observe, with each status ─▶ LineHistory ─ a bucket is full ─▶ bus-NAME.past (runtime folder)

The file lies in memory and is replaced once in five minutes, so it wears no SD card. A bucket is encoded
once, when it is full: what is done at one time is little, however many sensors and buckets there are.
A bucket is numbered by the time since boot, which nobody can set: a clock that jumps moves no bucket. The
ring does not outlive the boot, and a reader that starts anew goes on with it.

A bucket is what happened in its five minutes alone: counters are differences, and percentiles are those of
the times that were added since the bucket before. Where nothing was published there is no bucket: no zero.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from bridge.status.documents import SensorDocument

BUCKET_S: Final = 300
BUCKETS: Final = 288  # 24 hours


class Times(Protocol):
    """The last times of a kind, as `bridge.line.recent_times` keeps them."""

    @property
    def total(self) -> int:
        """Return how many were ever added."""

    def newest_percentile_s(self, count: int, percent: float) -> float | None:
        """Return a percentile of the newest `count` times, in seconds; None without any."""


class SensorTimes(NamedTuple):
    """The times of one polled sensor."""

    turn_around: Times
    lateness: Times


@dataclass(frozen=True, slots=True)
class Bucket:
    """Five minutes of one sensor.

    Attributes:
        number: how many buckets after the boot it began.
        requests: that were sent to it; of a sensor that pushes, its telegrams.
        errors: requests without a good answer: time-outs, wrong checksums, refusals.
        turn_around_p50_ms: median of the turn-around; None if nothing answered.
        turn_around_p99_ms: the slowest hundredth.
        lateness_p99_ms: how long after its time it was asked, the latest hundredth.
    """

    number: int
    requests: int
    errors: int
    turn_around_p50_ms: float | None = None
    turn_around_p99_ms: float | None = None
    lateness_p99_ms: float | None = None

    @property
    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(astuple(self), separators=(",", ":"))


class _Mark(NamedTuple):
    """The counters at the beginning of a bucket."""

    requests: int
    errors: int
    turn_arounds: int
    latenesses: int


class LineHistory:
    """The ring of each sensor of a bus. Pure: time is passed in.

    Args:
        earlier: the rings of an earlier process of this boot, from `parse`.
    """

    def __init__(self, earlier: Mapping[str, Iterable[Bucket]] | None = None) -> None:
        self._rings = {name: _encoded(ring) for name, ring in (earlier or {}).items()}
        self._number: int | None = None
        self._marks: dict[str, _Mark] = {}

    def observe(
        self,
        boottime_s: float,
        sensors: Mapping[str, SensorDocument],
        times: Mapping[str, SensorTimes],
    ) -> bool:
        """Take note of what is published now.

        Args:
            boottime_s: seconds since boot.
            sensors: the status document of each sensor of the bus.
            times: of the polled ones.

        Returns:
            Whether a bucket was completed by it, so that `text` has news.
        """
        number = int(boottime_s // BUCKET_S)
        if number == self._number:
            return False
        is_completed = self._number is not None
        for name, document in sensors.items():
            mark, before = _mark(document, times.get(name)), self._marks.get(name)
            if self._number is not None and before is not None:
                bucket = _bucket(self._number, before, mark, times.get(name))
                self._rings.setdefault(name, _encoded(())).append((bucket.number, bucket.text))
            self._marks[name] = mark
        self._number = number
        for name in self._rings.keys() - sensors.keys():  # no longer in site.toml
            del self._rings[name]
        for ring in self._rings.values():
            while ring and ring[0][0] <= number - BUCKETS:
                ring.popleft()
        return is_completed

    def text(self, boot_id: str) -> str:
        """Return what is kept as the members of a JSON object, for `parse`."""
        rings = (
            f"{json.dumps(name)}:[{','.join(text for _, text in ring)}]" for name, ring in self._rings.items()
        )
        return f'"boot_id":{json.dumps(boot_id)},"sensors":{{{",".join(rings)}}}'


def _encoded(ring: Iterable[Bucket]) -> deque[tuple[int, str]]:
    """Return the numbers of buckets, each with its JSON."""
    return deque(((bucket.number, bucket.text) for bucket in ring), BUCKETS)


def parse(document: object, boot_id: str) -> dict[str, list[Bucket]]:
    """Return the buckets of each sensor, the newest last; none from another boot or a damaged document."""
    match document:
        case {"boot_id": str(known), "sensors": dict(sensors)} if known == boot_id:
            rings = {str(name): _ring(rows) for name, rows in sensors.items()}
            return {name: ring for name, ring in rings.items() if ring}
    return {}


def _ring(rows: object) -> list[Bucket]:
    ring: list[Bucket] = []
    for row in rows[-BUCKETS:] if isinstance(rows, list) else ():
        match row:
            case [
                int(number),
                int(requests),
                int(errors),
                int() | float() | None as p50,
                int() | float() | None as p99,
                int() | float() | None as lateness,
            ] if not ring or number > ring[-1].number:
                ring.append(Bucket(number, requests, errors, p50, p99, lateness))
    return ring


def _mark(document: SensorDocument, times: SensorTimes | None) -> _Mark:
    requests = document.get("requests", document.get("telegrams", 0))
    errors = document.get("timeouts", 0) + document.get("crc_errors", 0) + document.get("exceptions", 0)
    return _Mark(
        requests,
        errors,
        times.turn_around.total if times else 0,
        times.lateness.total if times else 0,
    )


def _bucket(number: int, before: _Mark, after: _Mark, times: SensorTimes | None) -> Bucket:
    requests = max(0, after.requests - before.requests)
    errors = max(0, after.errors - before.errors)
    if times is None:
        return Bucket(number, requests, errors)
    turn_arounds = max(0, after.turn_arounds - before.turn_arounds)
    latenesses = max(0, after.latenesses - before.latenesses)
    return Bucket(
        number,
        requests,
        errors,
        _ms(times.turn_around.newest_percentile_s(turn_arounds, 50)),
        _ms(times.turn_around.newest_percentile_s(turn_arounds, 99)),
        _ms(times.lateness.newest_percentile_s(latenesses, 99)),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
