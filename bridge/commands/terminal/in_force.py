"""Whether what runs is what site.toml says: each process publishes the fingerprint of what it runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bridge.commands.terminal.next_step import command
from bridge.config import Site
from bridge.status.runtime import Runtime


def edits(site: Site) -> list[str]:
    """Return a sentence if a running process was started with something else than the site file says now."""
    documents = Runtime(site.spool.path).processes()
    running = {part: process for part, process in documents.items() if process.get("running")}
    stale = {
        part: process
        for part, process in running.items()
        if process.get("fingerprint") not in (None, site.fingerprints.get(part))
    }
    if not stale:
        return []
    parts = ", ".join(part.replace("bus-", "bus ") for part in stale)
    started_at = min(process.get("started", 0) for process in stale.values())
    edited_at = _edited_at(site.path)
    is_one_process = len(running) > 1 and len({process.get("pid") for process in running.values()}) == 1
    step = "end and start: serial-bridge run" if is_one_process else "sudo serial-bridge install"
    if edited_at * 1000 < started_at - 1000:
        return [f"{parts}: an older version of the bridge is running still: {command(step, site.path)}"]
    when = _moment(edited_at)
    return [
        f"{site.path.name} was edited at {when} and is not in force ({parts}): {command(step, site.path)}"
    ]


def _edited_at(site: Path) -> float:
    """Return when the site file, or one of its models, was saved last, in seconds since 1970."""
    return max(path.stat().st_mtime for path in _files(site))


def _files(site: Path) -> Iterator[Path]:
    yield site
    yield from (site.parent / "models").glob("*.toml")


def _moment(at: float) -> str:
    moment = datetime.fromtimestamp(at).astimezone()
    is_today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")
