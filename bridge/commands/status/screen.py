"""The screen of `status`: a line of summary, what is wrong, then the sensors, those in trouble first.

It fits the terminal that it is shown on, from a phone's 40 columns to a pipe without an end: one row a
sensor, cropped, and "+14 more, all ok" for those that do not fit. `status SENSOR` has all of one sensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

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
    value_text,
    values_text,
    word_for,
)
from bridge.commands.terminal.next_step import SITE, command
from bridge.config import Offset
from bridge.plain_text import one_line
from bridge.reader.offsets import since_text
from bridge.status.documents import Status

_COLOURS = {"ok": "green", "slow": "yellow", "slowed": "yellow", "held": "yellow", "waiting": "yellow"}
_NARROW = 60  # columns
_LONGEST_NAME = 20
_STATE_WIDTH = 11
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


def screen(
    document: Status,
    units: Mapping[str, Mapping[str, str]],
    width: int,
    height: int | None,
    site: Path = SITE,
) -> Text:
    """Return the status for a terminal of this size.

    Args:
        document: that of `status --json`.
        units: of each sensor's values.
        width: in columns.
        height: in rows; None: as many as it takes.
        site: the site file, for the next step.
    """
    head = [Text(one_line(sentence), "bold yellow") for sentence in document["not_in_force"]]
    head += [_fold(Text(one_line(summary(document)), "bold"), width)]
    head += [_fold(Text(one_line(sentence), colour), width) for sentence, colour in troubles(document)]
    tail = [_crop(Text(one_line(sentence), "dim"), width) for sentence in books(document)]
    # Those of one rank stay in the order of the file.
    names = sorted(document["sensors"], key=lambda name: rank(word_for(document, name)))
    next_step = _next_step(document, names, site)
    tail += [_fold(Text(next_step, "dim"), width)] if next_step else []
    console = Console(width=width)
    line_count = sum(len(line.wrap(console, width)) for line in [*head, *tail])
    room = len(names) if height is None else max(1, height - line_count - 2)
    shown = names if len(names) <= room else names[: room - 1]
    widest = min(max(map(len, names), default=0), _LONGEST_NAME if width >= _NARROW else _LONGEST_NAME - 6)
    rows = [_row(document, name, units.get(name, {}), widest, width) for name in shown]
    if hidden := names[len(shown) :]:
        rows.append(Text(one_line(_more(document, hidden)), "dim"))
    return Text("\n").join([*head, *rows, *tail])


def _next_step(document: Status, names: Sequence[str], site: Path) -> str | None:
    """Return what to type next for the sensor in most trouble, the first of `names`; None if all is well."""
    word = word_for(document, names[0]) if names else "ok"
    if word in ("ok", "waiting"):
        return None
    if word == "not running":
        install, doctor = (command(f"sudo serial-bridge {name}", site) for name in ("install", "doctor"))
        return f"next: {install}; if that was done: {doctor}"
    step = command(f'serial-bridge status "{one_line(names[0])}"', site)
    return f"next: {step}"


def detail(
    document: Status,
    name: str,
    units: Mapping[str, str],
    offsets: Mapping[str, Offset],
    site: Path = SITE,
) -> list[str]:
    """Return all that is known of one sensor, a line each.

    Args:
        document: that of `status --json`.
        name: of the sensor.
        units: of its values.
        offsets: what is added to its values.
        site: the site file, for the next step.
    """
    row = document["sensors"][name]
    bus = document["buses"].get(row["bus"] or "", {"state": ""})
    lines = [
        f"{name} on bus {row['bus']}: {state_in_words(document, name)}, "
        f"last reading {age(row['last_ts'])} ago"
    ]
    if trouble := reason(document, name):
        lines.append(f"  {trouble}")
    values, doubts, left_out = row.get("last_values") or {}, row.get("doubts", {}), row.get("left_out", {})
    width = max(map(len, [*values, *left_out]), default=0)
    lines += [f"  {key:<{width}}  {value_text(value, units.get(key, ''))}" for key, value in values.items()]
    lines += [f"  {key:<{width}}  -  {reason}" for key, reason in left_out.items()]
    lines += [f"  {sentence}" for sentence in doubts.values()]
    lines += [
        f"  {key} goes on where a replaced device ended: "
        f"{value_text(offset.add, units.get(key, ''))} added {since_text(offset)}"
        for key, offset in offsets.items()
    ]
    counters = [f"{row[key]} {key.replace('_', ' ')}" for key in _COUNTERS if row.get(key)]
    replies = f"{row.get('replies', 0)} replies to {row.get('requests', 0)} requests"
    lines.append(f"line {bus.get('line', {}).get('settings', '')}: {', '.join([replies, *counters])}")
    if (p50 := row.get("turn_around_p50_ms")) is not None:
        lines.append(f"turn-around {p50} ms, 99 of 100 within {row.get('turn_around_p99_ms')} ms")
    lines += [f"learned: {lesson}" for lesson in row.get("lessons", ())]
    changes = [f"{change['state']} since {moment(change['since'])}" for change in row.get("history", ())]
    if changes:
        lines.append(f"states: {', '.join(changes)}")
    books = " + ".join(f"{column} {row[column]}" for column in COLUMNS)
    lines.append(f"ledger: read {row['read']} = {books}")
    step = command(f'serial-bridge try "{name}" -v', site)
    lines.append(f"next: {step}")
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


def _row(document: Status, name: str, units: Mapping[str, str], name_width: int, width: int) -> Text:
    word = one_line(word_for(document, name))
    row = document["sensors"][name]
    shown_name = one_line(name)
    shown_name = shown_name if len(shown_name) <= name_width else f"{shown_name[: name_width - 1]}…"
    line = Text(f"{shown_name:<{name_width}}  ")
    line.append(f"{word:<{_STATE_WIDTH}}", _COLOURS.get(word, "bold red"))
    line.append(f" {age(row['last_ts']):>6}  ")
    queued = f"{row['queued']} queued, " if row["queued"] and width >= _NARROW else ""
    line.append(one_line(reason(document, name) or queued + values_text(row["last_values"], units)))
    line.rstrip()
    return _crop(line, width)


def _more(document: Status, hidden: list[str]) -> str:
    counts = Counter(word_for(document, name) for name in hidden)
    if set(counts) == {"ok"}:
        return f"+{len(hidden)} more, all ok"
    return f"+{len(hidden)} more: " + ", ".join(f"{counts[word]} {word}" for word in sorted(counts, key=rank))
