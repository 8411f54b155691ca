"""What `status` says, sentence by sentence, for every face that shows it: the screen, the report, the pages.

Plain texts from the document of `status --json`. What comes from a wire or a server in them is not made safe
yet: whoever shows a text does that in its own way.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from bridge.status.documents import BusDocument, SensorDocument, Slowed, Status, UplinkDocument
from protocols.toolkit.polling import Values

Column = Literal["delivered", "queued", "expired", "refused", "dropped"]

_RANKS = (
    "failed",
    "silent",
    "no port",
    "refusing",
    "partly",
    "not running",
    "waiting",
    "held",
    "slow",
    "slowed",
)
COLUMNS: tuple[Column, ...] = ("delivered", "queued", "expired", "refused", "dropped")
_LOST: tuple[Column, ...] = ("expired", "refused", "dropped")


def summary(document: Status) -> str:
    """Return the line of summary: how many sensors are in which state, the uplink, what waits."""
    counts = Counter(word_for(document, name) for name in document["sensors"])
    states = ", ".join(f"{counts[word]} {word}" for word in sorted(counts, key=rank))
    queued, uplink = document["ledger"]["queued"], document["uplink"]["state"]
    return f"{len(document['sensors'])} sensors: {states} · {queued} queued · uplink {uplink}"


def states(document: Status) -> dict[str, str]:
    """Return the state of each sensor, in words."""
    return {name: state_in_words(document, name) for name in document["sensors"]}


def rank(word: str) -> int:
    """Return the place of a state among the others: the worst has 0."""
    return _RANKS.index(word) if word in _RANKS else len(_RANKS)


def word_for(document: Status, name: str) -> str:
    """Return the state of a sensor in one word, by which it is counted and sorted."""
    row, uplink = document["sensors"][name], document["uplink"]
    if row["state"] == "never":
        return "waiting"
    if row["state"] != "ok":
        return row["state"]
    if name in uplink.get("slowed", {}):
        return "slowed"
    if name in uplink.get("holds", {}):
        return "held"
    return "slow" if row.get("learned", {}).get("is_slow") else "ok"


def state_in_words(document: Status, name: str, now_s: float | None = None) -> str:
    """Return the state of a sensor in words; `now_s` as for `troubles`."""
    row = document["sensors"][name]
    bus = document["buses"].get(row["bus"] or "")
    if row["state"] == "never" and bus and "started" in bus:
        waited_s = (time.time() if now_s is None else now_s) - bus["started"] / 1000
        return f"waiting for the first answer, {max(0, round(waited_s))} s"
    return word_for(document, name)


def reason(document: Status, name: str, now_s: float | None = None) -> str:
    """Return why a sensor is in trouble, in one sentence; "" if it is not. `now_s` as for `troubles`."""
    row, uplink = document["sensors"][name], document["uplink"]
    bus: BusDocument | None = document["buses"].get(row["bus"] or "")
    word = word_for(document, name)
    if word == "no port" and bus:
        return bus.get("error") or ""
    if word == "slowed":
        return _pace(uplink["slowed"][name])
    if word == "held":
        return f"waits: {uplink['holds'][name]['reason']}"
    if word == "waiting":
        return state_in_words(document, name, now_s)
    return row.get("trouble") or ""


def _pace(pace: Slowed) -> str:
    return f"slowed to {pace['values_per_s']:g} values/s since {_clock_time(pace['since'])}: {pace['reason']}"


def troubles(document: Status, now_s: float | None = None) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with buses, spool, uplink and clock, each with its colour: "" where nothing is.

    Args:
        document: that of `status --json`.
        now_s: up to when ages count, in seconds since 1970; None: now.
    """
    for name, bus in document["buses"].items():
        if bus["state"] != "ready":
            yield (
                f"bus {name}: {bus['state']}" + (f", {bus['error']}" if bus.get("error") else ""),
                "bold red",
            )
        if sentence := bus.get("line", {}).get("trouble"):
            yield f"bus {name} {sentence}", "bold red"
        if backlog := bus.get("spool"):
            yield f"bus {name}: {backlog['reason']}, {backlog['in_memory']} readings in memory", "bold red"
        for sender, unknown in bus.get("line", {}).get("not_configured", {}).items():
            sender_text = f'id = "{sender}"' if sender else "a sensor without id"
            telegrams = f"{unknown['telegrams']} telegrams: {values_text(unknown['last_values'], {})}"
            yield f"  heard, not configured: {sender_text} ({telegrams})", "yellow"
    for name, row in document["sensors"].items():
        lost = [f"{row[key]} {key}" for key in _LOST if row[key]]
        if left_out := row.get("unstorable"):
            lost.append(
                f"{left_out} values left out that ThingsBoard cannot store as numbers (2^63 or beyond)"
            )
        if lost:
            yield f"{name}: {', '.join(lost)}", "yellow"
    yield _uplink(document["uplink"], now_s)
    for sensor, hold in document["uplink"].get("holds", {}).items():
        yield f"  {sensor} waits: {hold['reason']}", "yellow"
    for sensor, pace in document["uplink"].get("slowed", {}).items():
        yield f"  {sensor} {_pace(pace)}", "yellow"
    gateway = document["gateway"]
    if gateway is not None and (trouble := gateway.get("trouble")):
        yield f"  gateway {gateway['device']} reports nothing: {trouble}", "yellow"
    clock = document["clock"]
    yield f"clock: {clock['state']}", "" if clock["source"] else "yellow"
    if placement := clock["placed"]:
        yield (
            f"  {placement['readings']} readings of a boot that never knew the time were placed "
            f"between {_date(placement['from_ms'])} and {_date(placement['to_ms'])}",
            "yellow",
        )


def _uplink(uplink: UplinkDocument, now_s: float | None) -> tuple[str, str]:
    error = uplink.get("last_error")
    success = uplink.get("last_success")
    since = f", last answer {age(success, now_s)} ago" if success else ""
    colour = "" if uplink["state"] == "up" else "bold red" if error else "yellow"
    return f"uplink: {uplink['state']}{f', {error}' if error else ''}{since}", colour


def books(document: Status) -> Iterator[str]:
    """Yield the equation of the ledger."""
    books = document["ledger"]
    columns = [column for column in COLUMNS if books[column] or column not in _LOST]
    yield f"ledger: read {books['read']} = {' + '.join(f'{column} {books[column]}' for column in columns)}"


def values_text(values: Values | None, units: Mapping[str, str]) -> str:
    """Return values with their units, in a line."""
    return ", ".join(
        f"{key} {value_text(value, units.get(key, ''))}" for key, value in (values or {}).items()
    )


def value_text(value: object, unit: str) -> str:
    """Return a value with its unit."""
    return f"{value} {unit}".rstrip()


def _clock_time(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000).astimezone().strftime("%H:%M")


def moment(ts_ms: int) -> str:
    """Return a time in ms since 1970 as date and time here."""
    return datetime.fromtimestamp(ts_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _date(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def turn_around(row: SensorDocument) -> str:
    """Return how long a sensor takes to answer; "" while that is not known."""
    median_ms, slowest_ms = row.get("turn_around_p50_ms"), row.get("turn_around_p99_ms")
    if median_ms is None or slowest_ms is None:
        return ""
    return f"{median_ms:g} ms, 99 of 100 within {slowest_ms:g} ms"


def age(last_ts: int | None, now_s: float | None = None) -> str:
    """Return how long before `now_s`, or before now, a time in ms since 1970 was, for people."""
    if last_ts is None:
        return "-"
    seconds = max(0.0, (time.time() if now_s is None else now_s) - last_ts / 1000)
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
