"""The listing of `audit`: a line for each command, and below it each value that it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bridge.audit_log import STEPS, Entry
from bridge.plain_text import json_text, lines

_LONGEST_VALUE = 120  # characters; `--json` has all
_MOST_LINES = 2  # of a file that was written


def text(paths: Sequence[Path], entries: Sequence[Entry], torn: int, last: int) -> str:
    """Return the newest `last` entries for people.

    Args:
        paths: where the log lies.
        entries: all that is in it, the oldest first.
        torn: how many lines of it could not be read.
        last: how many entries to show.
    """
    rows = [row for entry in entries[-last:] for row in _rows(entry)]
    if not entries:
        rows.append(f"nothing was changed by a command yet; the log will be {paths[0]}")
    if len(entries) > last:
        rows.insert(0, f"{len(entries) - last} older ones: serial-bridge audit --last {len(entries)}")
    if torn:
        count = "1 line is" if torn == 1 else f"{torn} lines are"
        rows.append(f"{count} no whole entry, as a power cut leaves one: see {paths[0]}")
    return lines(rows)


def _rows(entry: Entry) -> Iterator[str]:
    moment = entry["at"].partition(".")[0].replace("T", " ")
    doubt = "" if entry["clock_trusted"] else " (clock not trusted)"
    yield f"{moment} UTC{doubt}  {entry['user']}  {entry['command']}"
    for change in entry["changes"]:
        before, after = change.get("before"), change.get("after")
        if change["what"] == STEPS and isinstance(after, list):
            yield from (f"    {_shown(value)}" for value in after)
            continue
        yield f"    {change['what']}: {_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > _MOST_LINES:
        return f"{len(value)} lines"
    value_text = "-" if value is None else value if isinstance(value, str) else json_text(value)
    return value_text if len(value_text) <= _LONGEST_VALUE else f"{value_text[: _LONGEST_VALUE - 1]}…"
