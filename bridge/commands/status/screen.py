"""The screen of `status`: a line of summary, what is wrong, then the sensors, those in trouble first.

It fits the terminal that it is shown on, from a phone's 40 columns to a pipe without an end: one row a
sensor, cropped, and "+14 more, all ok" for those that do not fit. `status SENSOR` has all of one sensor.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from rich.console import Console
from rich.text import Text

from bridge.config import Offset
from bridge.plain_text import one_line
from bridge.reader.offsets import since_text
from bridge.status.documents import BusDocument, Slowed, Status, UplinkDocument
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
_COLOURS = {"ok": "green", "slow": "yellow", "slowed": "yellow", "held": "yellow", "waiting": "yellow"}
_NARROW = 60  # columns
_LONGEST_NAME = 20
_STATE_WIDTH = 11
_COLUMNS: tuple[Column, ...] = ("delivered", "queued", "expired", "refused", "dropped")
_LOST: tuple[Column, ...] = ("expired", "refused", "dropped")
_COUNTERS: Final = (
    "timeouts",
    "crc_errors",
    "exceptions",
    "late_replies",
    "missed_slots",
    "incomplete",
    "empty",
)


UNBOUNDED: Final = 10_000
"""The width of a pipe, into which nothing is cropped."""

_MOST_ROWS = 3  # of a sentence above the sensors


def screen(document: Status, units: Mapping[str, Mapping[str, str]], width: int, height: int | None) -> Text:
    """Return the status for a terminal of this size.

    Args:
        document: that of `status --json`.
        units: of each sensor's values.
        width: in columns.
        height: in rows; None: as many as it takes.
    """
    head = [Text(one_line(sentence), "bold yellow") for sentence in document["not_in_force"]]
    head += [_fold(Text(one_line(summary(document)), "bold"), width)]
    head += [_fold(Text(one_line(sentence), colour), width) for sentence, colour in _troubles(document)]
    tail = [_crop(Text(one_line(sentence), "dim"), width) for sentence in _books(document)]
    names = sorted(
        document["sensors"], key=lambda name: _rank(_word(document, name))
    )  # stable: the file's order
    console = Console(width=width)
    taken = sum(len(line.wrap(console, width)) for line in [*head, *tail])
    room = len(names) if height is None else max(1, height - taken - 3)
    shown = names if len(names) <= room else names[: room - 1]
    widest = min(max(map(len, names), default=0), _LONGEST_NAME if width >= _NARROW else _LONGEST_NAME - 6)
    rows = [_row(document, name, units.get(name, {}), widest, width) for name in shown]
    if hidden := names[len(shown) :]:
        rows.append(Text(one_line(_more(document, hidden)), "dim"))
    if (_word(document, names[0]) if names else "ok") not in ("ok", "not running", "waiting"):
        tail.append(_crop(Text(f'next: serial-bridge status "{one_line(names[0])}"', "dim"), width))
    return Text("\n").join([*head, *rows, *tail])


def summary(document: Status) -> str:
    """Return the line of summary: how many sensors are in which state, the uplink, what waits."""
    counts = Counter(_word(document, name) for name in document["sensors"])
    states = ", ".join(f"{counts[word]} {word}" for word in sorted(counts, key=_rank))
    queued, uplink = document["ledger"]["queued"], document["uplink"]["state"]
    return f"{len(document['sensors'])} sensors: {states} · {queued} queued · uplink {uplink}"


def states(document: Status) -> dict[str, str]:
    """Return the state of each sensor, in words."""
    return {name: _state(document, name) for name in document["sensors"]}


def detail(document: Status, name: str, units: Mapping[str, str], offsets: Mapping[str, Offset]) -> list[str]:
    """Return all that is known of one sensor, a line each.

    Args:
        document: that of `status --json`.
        name: of the sensor.
        units: of its values.
        offsets: what is added to its values.
    """
    row = document["sensors"][name]
    bus = document["buses"].get(row["bus"] or "", {"state": ""})
    lines = [f"{name} on bus {row['bus']}: {_state(document, name)}, last reading {age(row['last_ts'])} ago"]
    if trouble := _reason(document, name):
        lines.append(f"  {trouble}")
    values, doubts, left_out = row.get("last_values") or {}, row.get("doubts", {}), row.get("left_out", {})
    width = max(map(len, [*values, *left_out]), default=0)
    lines += [f"  {key:<{width}}  {_value(value, units.get(key, ''))}" for key, value in values.items()]
    lines += [f"  {key:<{width}}  -  {reason}" for key, reason in left_out.items()]
    lines += [f"  {sentence}" for sentence in doubts.values()]
    lines += [
        f"  {key} goes on where a replaced device ended: "
        f"{_value(offset.add, units.get(key, ''))} added {since_text(offset)}"
        for key, offset in offsets.items()
    ]
    counters = [f"{row[key]} {key.replace('_', ' ')}" for key in _COUNTERS if row.get(key)]
    replies = f"{row.get('replies', 0)} replies to {row.get('requests', 0)} requests"
    lines.append(f"line {bus.get('line', {}).get('settings', '')}: {', '.join([replies, *counters])}")
    if (p50 := row.get("turn_around_p50_ms")) is not None:
        lines.append(f"turn-around {p50} ms, 99 of 100 within {row.get('turn_around_p99_ms')} ms")
    lines += [f"learned: {lesson}" for lesson in row.get("lessons", ())]
    changes = [f"{change['state']} since {_moment(change['since'])}" for change in row.get("history", ())]
    if changes:
        lines.append(f"states: {', '.join(changes)}")
    books = " + ".join(f"{column} {row[column]}" for column in _COLUMNS)
    lines.append(f"ledger: read {row['read']} = {books}")
    lines.append(f'next: serial-bridge try "{name}" -v')
    return lines


def _fold(text: Text, width: int) -> Text:
    """Return a sentence in at most `_MOST_ROWS` rows, folded at words; what is longer is cropped."""
    rows = list(text.wrap(Console(width=width), width))
    for row in rows:
        row.rstrip()
    if len(rows) <= _MOST_ROWS:
        return Text("\n").join(rows)
    rest = Text(" ", text.style).join(rows[_MOST_ROWS - 1 :])
    return Text("\n").join([*rows[: _MOST_ROWS - 1], _crop(rest, width)])


def _crop(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text


def _rank(word: str) -> int:
    return _RANKS.index(word) if word in _RANKS else len(_RANKS)


def _word(document: Status, name: str) -> str:
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


def _state(document: Status, name: str) -> str:
    """Return the state of a sensor in words."""
    row = document["sensors"][name]
    bus = document["buses"].get(row["bus"] or "")
    if row["state"] == "never" and bus and "started" in bus:
        return f"waiting for the first answer, {max(0, round(time.time() - bus['started'] / 1000))} s"
    return _word(document, name)


def _reason(document: Status, name: str) -> str:
    """Return why a sensor is in trouble, in one sentence; "" if it is not."""
    row, uplink = document["sensors"][name], document["uplink"]
    bus: BusDocument | None = document["buses"].get(row["bus"] or "")
    word = _word(document, name)
    if word == "no port" and bus:
        return bus.get("error") or ""
    if word == "slowed":
        return _pace(uplink["slowed"][name])
    if word == "held":
        return f"waits: {uplink['holds'][name]['reason']}"
    if word == "waiting":
        return _state(document, name)
    return row.get("trouble") or ""


def _pace(pace: Slowed) -> str:
    return f"slowed to {pace['values_per_s']:g} values/s since {_clock_time(pace['since'])}: {pace['reason']}"


def _row(document: Status, name: str, units: Mapping[str, str], name_width: int, width: int) -> Text:
    word = one_line(_word(document, name))
    row = document["sensors"][name]
    shown_name = one_line(name)
    shown_name = shown_name if len(shown_name) <= name_width else f"{shown_name[: name_width - 1]}…"
    line = Text(f"{shown_name:<{name_width}}  ")
    line.append(f"{word:<{_STATE_WIDTH}}", _COLOURS.get(word, "bold red"))
    line.append(f" {age(row['last_ts']):>6}  ")
    queued = f"{row['queued']} queued, " if row["queued"] and width >= _NARROW else ""
    line.append(one_line(_reason(document, name) or queued + _values(row["last_values"], units)))
    return _crop(line, width)


def _more(document: Status, hidden: list[str]) -> str:
    counts = Counter(_word(document, name) for name in hidden)
    if set(counts) == {"ok"}:
        return f"+{len(hidden)} more, all ok"
    return f"+{len(hidden)} more: " + ", ".join(
        f"{counts[word]} {word}" for word in sorted(counts, key=_rank)
    )


def _troubles(document: Status) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with buses, spool, uplink and clock, each with its colour."""
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
            telegrams = f"{unknown['telegrams']} telegrams: {_values(unknown['last_values'], {})}"
            yield f"  heard, not configured: {sender_text} ({telegrams})", "yellow"
    for name, row in document["sensors"].items():
        lost = [f"{row[key]} {key}" for key in _LOST if row[key]]
        if left_out := row.get("unstorable"):
            lost.append(
                f"{left_out} values left out that ThingsBoard cannot store as numbers (2^63 or beyond)"
            )
        if lost:
            yield f"{name}: {', '.join(lost)}", "yellow"
    yield _uplink(document["uplink"])
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


def _uplink(uplink: UplinkDocument) -> tuple[str, str]:
    error = uplink.get("last_error")
    success = uplink.get("last_success")
    since = f", last answer {age(success)} ago" if success else ""
    colour = "" if uplink["state"] == "up" else "bold red" if error else "yellow"
    return f"uplink: {uplink['state']}{f', {error}' if error else ''}{since}", colour


def _books(document: Status) -> Iterator[str]:
    books = document["ledger"]
    columns = [column for column in _COLUMNS if books[column] or column not in _LOST]
    yield f"ledger: read {books['read']} = {' + '.join(f'{column} {books[column]}' for column in columns)}"


def _values(values: Values | None, units: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {_value(value, units.get(key, ''))}" for key, value in (values or {}).items())


def _value(value: object, unit: str) -> str:
    return f"{value} {unit}".rstrip()


def _clock_time(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000).astimezone().strftime("%H:%M")


def _moment(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _date(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def age(last_ts: int | None) -> str:
    """Return how long ago the last reading was on the wire, for people."""
    if last_ts is None:
        return "-"
    seconds = max(0.0, time.time() - last_ts / 1000)
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
