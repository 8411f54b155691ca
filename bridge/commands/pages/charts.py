"""Charts of the last 24 hours as paths of an SVG: pure, without scripts, fonts or styles of their own.

x   a bucket is one unit wide, the newest at the right edge
y   from 0 at the bottom to the largest value at the top
a bucket that is missing, or has no value, leaves a gap: a line across it would claim what nobody measured
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.status.line_history import BUCKET_S, BUCKETS, Bucket
from bridge.status.value_history import MINUTES, Minute

WIDTH: Final = BUCKETS
HEIGHT: Final = 56


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of a chart.

    Attributes:
        name: what it shows.
        path: the `d` of its path.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows, with the unit.
        top: the value at its upper edge, as text; `bottom` that at its lower one.
        curves: its curves, the first one in front.
        width: in units of a bucket.
        hours: how long it goes back.
    """

    title: str
    top: str
    curves: tuple[Curve, ...]
    width: int = WIDTH
    hours: int = 24
    bottom: str = "0"


Value = Callable[[Bucket], float | None]

_CHARTS: Final[tuple[tuple[str, tuple[tuple[str, Value], ...]], ...]] = (
    (
        "Turn-around, ms",
        (
            ("median", lambda bucket: bucket.turn_around_p50_ms),
            ("99 of 100 within", lambda bucket: bucket.turn_around_p99_ms),
        ),
    ),
    ("Errors, % of requests", (("errors", lambda bucket: _share(bucket)),)),
    ("Lateness, ms", (("99 of 100 within", lambda bucket: bucket.lateness_p99_ms),)),
)


def charts(ring: Sequence[Bucket], width: int = WIDTH) -> list[Chart]:
    """Return the charts of one sensor; a chart without one value is left out.

    Args:
        ring: its buckets, the newest last.
        width: how many buckets back.
    """
    if not ring:
        return []
    newest = ring[-1].number
    buckets = [bucket for bucket in ring if bucket.number > newest - width]
    drawn = []
    for title, curves in _CHARTS:
        values = {
            name: [(bucket.number - newest + width - 1, value(bucket)) for bucket in buckets]
            for name, value in curves
        }
        numbers = [value for points in values.values() for _, value in points if value is not None]
        if numbers:
            top = max(*numbers, 0.0, 0.0) or 1.0
            paths = tuple(Curve(name, _path(points, 0.0, top)) for name, points in values.items())
            drawn.append(Chart(title, f"{top:g}", paths, width, round(width * BUCKET_S / 3600)))
    return drawn


def value_charts(ring: Sequence[Minute], units: Mapping[str, str]) -> list[Chart]:
    """Return a chart of the last hour of each value of a sensor.

    Args:
        ring: its minutes, the newest last.
        units: of its values.
    """
    if not ring:
        return []
    newest = ring[-1][0]
    drawn = []
    for key in dict.fromkeys(key for _, values in ring for key in values):
        points = [
            (number - newest + MINUTES - 1, values[key])
            for number, values in ring
            if key in values and number > newest - MINUTES
        ]
        if points:
            low, high = min(value for _, value in points), max(value for _, value in points)
            curve = Curve(key, _path(points, low, high))
            title = f"{key}, {units[key]}" if units.get(key) else key
            drawn.append(Chart(title, f"{high:g}", (curve,), MINUTES, 1, f"{low:g}"))
    return drawn


def _share(bucket: Bucket) -> float | None:
    return round(100 * bucket.errors / bucket.requests, 1) if bucket.requests else None


def _path(points: Iterable[tuple[int, float | None]], low: float, high: float) -> str:
    """Return a path with a level piece for each point, joined where points follow each other."""
    parts: list[str] = []
    end = None
    for x, value in points:
        if value is None:
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        y = round(HEIGHT * (1 - share), 1)
        parts.append(f"{'L' if x == end else 'M'}{x},{y:g}h1")
        end = x + 1
    return "".join(parts)
