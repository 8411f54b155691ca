"""`spool`: look at what waits or was refused, and settle it. Safe while readers and the uplink run.

Every function ends in one sentence for the person at the cabinet, with the next step if there is one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from bridge import plain_text
from bridge.config import Site
from bridge.errors import ConfigError
from bridge.plain_text import json_text, one_line
from bridge.spool import Kept, Spool

COLUMNS = ("sensor", "ts", "state", "key", "value", "answer", "reason")


def audit(site: Site) -> list[str]:
    """Every discrepancy between the books, the equation and the rows, a sentence each; none: all is well."""
    with closing(Spool.view(site.spool.path)) as spool:
        return spool.audit()


def audited(site: Site) -> str:
    """What stands behind an audit that found nothing."""
    with closing(Spool.view(site.spool.path)) as spool:
        books = spool.ledger().values()
    read, queued = sum(account.read for account in books), sum(account.queued for account in books)
    sensors = "1 sensor" if len(books) == 1 else f"{len(books)} sensors"
    return f"the books balance: {_readings(read)} of {sensors}, {queued} queued"


def refused(site: Site, sensor: str | None) -> list[dict[str, Any]]:
    """What the server will not have: sensor, time, its answer, our reason, and the values."""
    with closing(Spool.view(site.spool.path)) as spool:
        return [_document(kept) for kept in spool.refused(sensor)]


def refused_text(rows: list[dict[str, Any]]) -> str:
    """The same for people."""
    if not rows:
        return "nothing was refused"
    lines = [
        line
        for row in rows
        for line in (
            f"{row['sensor']}  {_time(row['ts'])}  {row['answer']}: {row['reason']}",
            f"    {json_text(row['values'])}",
        )
    ]
    lines.append(
        f"{len(rows)} refused. Once the cause is mended, `serial-bridge spool retry` sends them again; "
        "`spool export` saves them, `spool drop SENSOR` gives them up"
    )
    return plain_text.lines(lines)


def export(
    site: Site, sensor: str | None, form: Literal["jsonl", "csv"], out: TextIO, *, is_shown: bool = False
) -> int:
    """Writes what waits and what was refused, a JSON object or CSV rows each; how many readings. No secrets.

    `ts` is null (in CSV: empty) while the time of a reading is not known.

    Args:
        is_shown: `out` is a terminal: CSV, which has no escapes, is without characters that steer one.
    """
    count = 0
    with closing(Spool.view(site.spool.path)) as spool:
        table = csv.writer(out)
        if form == "csv":
            table.writerow(COLUMNS)
        for document in _all(spool, sensor):
            count += 1
            if form == "jsonl":
                out.write(json_text(document) + "\n")
                continue
            values = document.pop("values")
            table.writerows(
                [_cell({**document, "key": key, "value": value}.get(column), is_shown) for column in COLUMNS]
                for key, value in values.items()
            )
    return count


def retry(site: Site, sensor: str | None) -> str:
    """Queues again what was refused."""
    with closing(Spool.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.retry(sensor)
    whose = f" of {sensor}" if sensor else ""
    if not count:
        return f"nothing{whose} was refused"
    return (
        f"{_readings(count)}{whose} queued again; `serial-bridge status` shows whether the server takes them"
    )


def at_stake(site: Site, sensor: str) -> str:
    """What a drop would give up, for the question before it."""
    with closing(Spool.view(site.spool.path)) as spool:
        account = spool.ledger().get(sensor)
    if account is None:
        return f"nothing of {sensor}"
    return f"{account.queued} queued and {account.refused} refused readings of {sensor}"


def drop(site: Site, sensor: str) -> str:
    """Gives up what is queued and refused of a sensor."""
    with closing(Spool.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.drop(sensor)
    if not count:
        return f"nothing of {sensor} is queued or refused"
    return f"{_readings(count)} of {sensor} dropped; the ledger counts them as dropped"


def reassign(site: Site, old: str, new: str) -> str:
    """Gives what is queued and refused of one sensor to another of the site.

    Raises:
        ConfigError: the other is not in the site file.
    """
    if new not in site.sensors:
        raise ConfigError(
            [f'{site.path}: there is no sensor "{new}"; the sensors are: {", ".join(site.sensors)}']
        )
    if old == new:
        return f"nothing to do: the readings of {new} are its own already"
    with closing(Spool.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.reassign(old, new)
    if not count:
        return f"nothing of {old} is queued or refused"
    return f"{_readings(count)} of {old} now {'is' if count == 1 else 'are'} sent as those of {new}"


def salvage(site: Site, file: Path) -> str:
    """Brings back what a damaged file, set aside earlier, still holds."""
    with closing(Spool.open(site.spool.path, limit=site.spool.limit)) as spool:
        found = spool.salvage(file)
    unreadable = f", {found.unreadable} could not be read" if found.unreadable else ""
    if not found.queued:
        return f"{file} holds nothing that is not back already{unreadable}"
    each = ", ".join(f"{name} {count}" for name, count in sorted(found.queued.items()))
    return (
        f"{_readings(found.queued.total())} queued again ({each}){unreadable}; {file} is not needed any more"
    )


def _all(spool: Spool, sensor: str | None) -> Iterator[dict[str, Any]]:
    for kept in spool.queued(sensor):
        yield _document(kept)
    for kept in spool.refused(sensor):
        yield _document(kept)


def _document(kept: Kept) -> dict[str, Any]:
    document = {
        "sensor": kept.sensor,
        "ts": kept.ts_ms,
        "state": "queued" if kept.answer is None else "refused",
        "values": json.loads(kept.body),
    }
    return document if kept.answer is None else {**document, "answer": kept.answer, "reason": kept.reason}


def _cell(value: object, is_shown: bool) -> object:
    """A cell of a CSV table."""
    return one_line(value) if is_shown and isinstance(value, str) else value


def _readings(count: int) -> str:
    return "1 reading" if count == 1 else f"{count} readings"


def _time(ts_ms: int | None) -> str:
    if ts_ms is None:
        return "time not known"
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
