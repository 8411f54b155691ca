"""What the pages show, as plain data: from the same work that `status`, `report`, `doctor` and `scan` print.

Nothing here asks a process or opens a port. A snapshot is taken once a second at most, however many browsers
look, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.clock.kernel_clock import boot_id
from bridge.commands.pages.charts import Chart, charts, value_charts
from bridge.commands.status.sentences import (
    COLUMNS,
    age,
    books,
    moment,
    rank,
    reason,
    state_in_words,
    summary,
    troubles,
    turn_around,
    value_text,
    word_for,
)
from bridge.commands.status.snapshot import collect
from bridge.plain_text import one_line
from bridge.status import value_history
from bridge.status.line_history import Bucket, parse
from bridge.status.runtime import Runtime

if TYPE_CHECKING:
    from bridge.config import Site
    from bridge.status.documents import Status

_FRESH_S: Final = 0.9
HOUR: Final = 12  # buckets
LINE_FIGURES: Final = (
    "requests",
    "replies",
    "telegrams",
    "timeouts",
    "crc_errors",
    "exceptions",
    "late_replies",
    "missed_slots",
    "incomplete",
    "empty",
    "foreign_frames",
    "stray_octets",
    "echoes",
    "frames",
    "nonsense",
)


@dataclass(frozen=True, slots=True)
class SensorView:
    """A sensor on the pages; all of it text."""

    name: str
    bus: str
    state: str
    said: str
    age: str
    values: Sequence[tuple[str, str]]


class Snapshots:
    """The newest snapshot of a site's status."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._taken_at = -_FRESH_S
        self._document: Status | None = None
        self._lock = asyncio.Lock()

    async def newest(self) -> Status:
        """Return a snapshot that is younger than a second."""
        async with self._lock:
            if self._document is None or time.monotonic() - self._taken_at >= _FRESH_S:
                document = await asyncio.to_thread(collect, self._site)
                self._document, self._taken_at = document, time.monotonic()
                return document
            return self._document


def sensor_views(site: Site, document: Status) -> list[SensorView]:
    """Return all sensors, those in trouble first."""
    names = sorted(document["sensors"], key=lambda name: rank(word_for(document, name)))
    return [sensor_view(site, document, name) for name in names]


def sensor_view(site: Site, document: Status, name: str) -> SensorView:
    """Return one sensor."""
    row, sensor = document["sensors"][name], site.sensors.get(name)
    units: Mapping[str, str] = sensor.settings.units if sensor else {}
    return SensorView(
        name=name,
        bus=row["bus"] or "-",
        state=word_for(document, name),
        said=reason(document, name),
        age=_ago(row["last_ts"]),
        values=[
            (key, value_text(value, units.get(key, ""))) for key, value in (row["last_values"] or {}).items()
        ],
    )


def glance(site: Site, document: Status) -> dict[str, Any]:
    """Return what the first page shows."""
    return {
        "summary": summary(document),
        "edits": document["not_in_force"],
        "troubles": [sentence.strip() for sentence, colour in troubles(document) if colour],
        "sensors": sensor_views(site, document),
        "books": next(books(document)),
    }


def sensor_page(site: Site, document: Status, name: str) -> dict[str, Any]:
    """Return what the page of a sensor shows."""
    row = document["sensors"][name]
    past = Runtime(site.spool.path).past(row["bus"]) if row["bus"] else None
    ring = parse(past, boot_id()).get(name, [])
    sensor = site.sensors.get(name)
    return {
        "measured": value_charts(
            value_history.parse(past, boot_id()).get(name, []), sensor.settings.units if sensor else {}
        ),
        "sensor": sensor_view(site, document, name),
        "state": state_in_words(document, name),
        "doubts": list(row.get("doubts", {}).values()),
        "left_out": list(row.get("left_out", {}).items()),
        "lessons": row.get("lessons", []),
        "states": [(change["state"], moment(change["since"])) for change in row.get("history", [])],
        "figures": figures(row, LINE_FIGURES)
        + ([("turn-around", text)] if (text := turn_around(row)) else []),
        "books": f"read {row['read']} = " + " + ".join(f"{column} {row[column]}" for column in COLUMNS),
        "hour": charts(ring, HOUR),
        "day": charts(ring),
    }


def bus_page(site: Site, document: Status, name: str) -> dict[str, Any]:
    """Return what the page of a bus shows."""
    bus, line = document["buses"][name], document["buses"][name].get("line", {})
    return {
        "bus": name,
        "state": bus["state"],
        "error": bus.get("error") or "",
        "port": bus.get("port", "-"),
        "line": line.get("settings", str(site.buses[name].line)),
        "protocol": site.buses[name].protocol.name,
        "share": f"{100 * line['wire_share']:.1f} %" if "wire_share" in line else "-",
        "trouble": line.get("trouble") or "",
        "figures": figures(line, LINE_FIGURES),
        "strangers": [
            (sender or "-", unknown["telegrams"], list(unknown["last_values"].items()))
            for sender, unknown in line.get("not_configured", {}).items()
        ],
        "sensors": [view for view in sensor_views(site, document) if view.bus == name],
        "day": _bus_charts(site, name),
    }


def uplink_page(document: Status) -> dict[str, Any]:
    """Return what the page of uplink, spool and clock shows."""
    uplink, client = document["uplink"], document["uplink"].get("client")
    success = uplink.get("last_success")
    return {
        "uplink": uplink["state"],
        "server": uplink.get("server", "-"),
        "error": uplink.get("last_error") or "",
        "success": _ago(success),
        "rate": f"{uplink['delivered_per_s']:g}/s" if "delivered_per_s" in uplink else "-",
        "round_trip": f"{1000 * client['srtt_s']:.0f} ms" if client and client["srtt_s"] else "-",
        "holds": [(name, hold["reason"]) for name, hold in uplink.get("holds", {}).items()],
        "slowed": [(name, pace["reason"]) for name, pace in uplink.get("slowed", {}).items()],
        "backlogs": [
            (name, backlog["in_memory"], backlog["reason"])
            for name, bus in document["buses"].items()
            if (backlog := bus.get("spool"))
        ],
        "books": next(books(document)),
        "clock": document["clock"]["state"],
        "is_dated": document["clock"]["source"] is not None,
    }


def live(
    site: Site, document: Status, said: Callable[[str], str], words: Callable[[str], str]
) -> dict[str, Any]:
    """Return what changes on an open page, for a stream of events.

    Args:
        site: the site.
        document: its status.
        said: returns a sentence in the language of the page.
        words: the same for states and counters.
    """
    views = sensor_views(site, document)
    return {
        "summary": words(summary(document)),
        "books": words(next(books(document))),
        "sensors": {
            view.name: {
                "state": words(view.state),
                "said": one_line(said(view.said)),
                "age": said(view.age),
                "values": {key: one_line(value) for key, value in view.values},
            }
            for view in views
        },
    }


def _ago(ts_ms: int | None) -> str:
    return f"{age(ts_ms)} ago" if ts_ms else "-"


def figures(counts: Mapping[str, Any], keys: Sequence[str]) -> list[tuple[str, str]]:
    """Return the counters that are there, each with its name."""
    return [(key.replace("_", " "), str(counts[key])) for key in keys if key in counts]


def _bus_charts(site: Site, name: str) -> list[Chart]:
    """Return the chart of the errors of all sensors of a bus together."""
    rings = parse(Runtime(site.spool.path).past(name), boot_id())
    sums: dict[int, tuple[int, int]] = {}
    for ring in rings.values():
        for bucket in ring:
            requests, errors = sums.get(bucket.number, (0, 0))
            sums[bucket.number] = requests + bucket.requests, errors + bucket.errors
    return charts([Bucket(number, *counts) for number, counts in sorted(sums.items())])
