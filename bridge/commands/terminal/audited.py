"""The audit log of the site that a command works on. The log itself is `bridge.audit_log`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bridge.audit_log import AuditLog, Change
from bridge.commands.terminal.options import tell
from bridge.commands.terminal.unfinished import Unfinished, note_of
from bridge.config.document import Document
from bridge.config.tables import ClockSettings, SpoolSettings
from bridge.errors import ConfigError
from bridge.spool_file import folder_refusal

__all__ = ["Change", "differences", "log_of", "record", "recorded", "recorded_edit"]


def record(site: Path, command: str, *changes: Change) -> None:
    """Append to the audit log what a command changed; if that cannot be, say why on standard error.

    Args:
        site: the site file; it may have mistakes.
        command: as typed, without options that hold a secret.
        changes: each with its value before and after, and none of them a secret.
    """
    if changes and (reason := log_of(site).record(command, changes)):
        tell(f"note: {reason}", err=True)


@contextmanager
def recorded(site: Path, command: str, values: Callable[[], Mapping[str, object]]) -> Iterator[None]:
    """Record which values the block changed; an error in the block is recorded like its end.

    Args:
        site, command: as for `record`.
        values: called before and after the block; returns the values by their places, none of them a secret.
    """
    before = values()
    try:
        yield
    finally:
        record(site, command, *differences(before, values()))


@contextmanager
def recorded_edit(site: Path, command: str) -> Iterator[None]:
    """Record which values of site.toml the block changed, and first what a command changed that was killed.

    Args:
        site, command: as for `record`.
    """
    log = log_of(site)
    with note_of(log) as note:
        if note is not None:
            unfinished, before = note.read(), toml_values(site)
            if unfinished is not None and not _is_recorded(log, unfinished, before):
                record(site, unfinished.command, *differences(unfinished.before, before))
            note.write(command, before)
        with recorded(site, command, partial(toml_values, site)):
            yield


def _is_recorded(log: AuditLog, unfinished: Unfinished, now: Mapping[str, object]) -> bool:
    """Return whether the last line of a log is that of a command which was killed behind it."""
    with suppress(OSError):
        entries, _ = log.entries()
        changes = [asdict(change) for change in differences(unfinished.before, now)]
        return any(
            (entry["command"], entry["changes"]) == (unfinished.command, changes) for entry in entries[-1:]
        )
    return False


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[Change]:
    """Return the values that differ, by their places."""
    return [
        Change(place, before.get(place), after.get(place))
        for place in {**before, **after}
        if before.get(place) != after.get(place)
    ]


def log_of(site: Path) -> AuditLog:
    """Return the audit log of a site whose file may have mistakes, or be missing.

    A folder in which no spool may lie gets no log either: whoever may write site.toml does not decide where
    root writes.
    """
    spool, trust = SpoolSettings().path, ClockSettings().trust
    try:
        tables = Document.read(site).tables
    except ConfigError:
        return AuditLog(site, spool, trust)
    match tables.get("spool"):
        case {"path": str(text)} if text:
            spool_path = site.parent / text
            spool = site if folder_refusal(Path(os.path.realpath(spool_path.parent))) else spool_path
    match tables.get("clock"):
        case {"trust": "system"}:
            trust = "system"
    return AuditLog(site, spool, trust)


def toml_values(path: Path) -> dict[str, object]:
    """Return every value of a TOML file without secrets by its place; none if it is missing or not TOML."""
    try:
        return dict(_values(path.name, Document.read(path).tables))
    except ConfigError:
        return {}


def _values(place: str, table: object) -> Iterator[tuple[str, object]]:
    """Yield the values in a table; sensors count by their names, as their order means nothing."""
    if isinstance(table, Mapping):
        for key, value in table.items():
            yield from _values(f"{place}: {key}" if place.endswith(".toml") else f"{place}.{key}", value)
    elif isinstance(table, list) and table and all(isinstance(entry, Mapping) for entry in table):
        for index, entry in enumerate(table):
            yield from _values(f"{place}[{entry.get('name', index)}]", entry)
    else:
        yield place, table if isinstance(table, (bool, int, float, str, list)) else str(table)
