"""Room for readings: under the spool's limit, on the disk, and for the user who writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from shlex import quote

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.errors import BridgeError
from bridge.spool import read_ledger
from bridge.spool.database import PAGE_BYTES, Database, wal_bytes, wal_target

AREA = "spool"

_NEAR = 0.8  # share of the limit; leaves time to act while the queue fills
_DISK_LEAST = 64_000_000  # bytes; below, other programs of the machine suffer first

_fault = partial(Finding, AREA, Severity.FAULT)
_risk = partial(Finding, AREA, Severity.RISK)


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Check room and rights of the spool's file and folder."""
    path = site.spool.path
    try:
        yield from _rights(path, machine)
        if not path.parent.is_dir():
            return
        used_bytes = _used(path, site.spool.limit) if path.exists() else 0
    except PermissionError:
        yield Finding(AREA, Severity.UNSEEN, f"the spool {path}", "")
        return
    except BridgeError as error:
        yield _fault(str(error), "serial-bridge spool audit")
        return
    yield from _limit(site, used_bytes)
    yield from _disk(site, used_bytes)


def _rights(path: Path, machine: Machine) -> Iterator[Finding]:
    user = machine.user
    if not path.parent.is_dir():
        name, folder = quote(user.name), quote(str(path.parent))
        mode = f"-o {name} -g {name} " if user.uid else ""
        yield _fault(f"the spool's folder {path.parent} is missing", f"sudo install -d {mode}{folder}")
        return
    for place in (path.parent, path):
        if place.exists() and not user.may(place, os.R_OK | os.W_OK):
            sentence = f"user {user.name} may not write {place}: no reading can be kept"
            yield _fault(sentence, f"sudo chown -R {quote(user.name)}: {quote(str(path.parent))}")
            return


def _used(path: Path, limit: int) -> int:
    """Return the bytes that count against the limit: without free pages, with a share for the WAL.

    Errors as for `Database.view`.
    """
    if not os.access(path, os.R_OK):
        raise PermissionError(path)
    with closing(Database.view(path)) as database, database.read() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free) * PAGE_BYTES + max(wal_bytes(path), 3 * wal_target(limit) // 2)


def _limit(site: Site, used_bytes: int) -> Iterator[Finding]:
    limit = site.spool.limit
    if used_bytes < _NEAR * limit:
        return
    expired = sum(account.expired for account in read_ledger(site.spool.path).values())
    expired_text = f", {expired} have" if expired else ""
    sentence = (
        f"the spool holds {100 * used_bytes // limit} % of its limit of {_size(limit)}: "
        f"beyond it the oldest readings expire{expired_text}; see why they are not delivered"
    )
    yield _risk(sentence, "serial-bridge status")


def _disk(site: Site, used_bytes: int) -> Iterator[Finding]:
    folder = site.spool.path.parent
    disk = os.statvfs(folder)
    free_bytes = disk.f_bavail * disk.f_frsize
    growth_bytes = max(0, site.spool.limit - used_bytes)
    show = "sudo du -xh --max-depth=2 / | sort -h | tail -n 20"
    if free_bytes < _DISK_LEAST:
        yield _fault(f"the disk of {folder} is nearly full, {_size(free_bytes)} are left", show)
    elif free_bytes < growth_bytes:
        sentence = (
            f"the spool may grow by {_size(growth_bytes)}, and the disk of {folder} has "
            f"{_size(free_bytes)} left: set a smaller limit in [spool], or make room"
        )
        yield _risk(sentence, show)


def _size(count: int) -> str:
    """Return a size as site.toml writes it."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{round(count / size, 1):g}{unit}"
    return f"{count / 1000:.0f}kB"
