"""`spool`: list, export, retry or drop readings that are queued or refused.

Safe while readers and the uplink run. Functions that change the spool return one sentence for the person at
the cabinet, with the next step if there is one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NotRequired, TextIO, TypedDict

from bridge import plain_text
from bridge.config import Site
from bridge.errors import ConfigError
from bridge.plain_text import json_text, one_line
from bridge.spool import Kept, SpoolAdmin, read_ledger
from protocols.toolkit.polling import Values

COLUMNS = ("sensor", "ts", "state", "key", "value", "answer", "reason")


class ReadingDocument(TypedDict):
    """A reading in the spool, as `spool export` and `spool refused --json` write it."""

    sensor: str
    ts: int | None  # ms since 1970 UTC; None while its time is not known
    state: Literal["queued", "refused"]
    values: Values
    answer: NotRequired[str]  # of a refused one: the server's response code, "" for none
    reason: NotRequired[str]  # of a refused one: why the bridge does not send it again


def audit(site: Site) -> list[str]:
    """Return each discrepancy between ledger, equation and rows in a sentence; none if the books balance."""
    with closing(SpoolAdmin.view(site.spool.path)) as spool:
        return spool.audit()


def audited(site: Site) -> str:
    """Return the sentence for an audit without discrepancies: how many readings and sensors it covered."""
    with closing(SpoolAdmin.view(site.spool.path)) as spool:
        books = spool.ledger().values()
    read_count = sum(account.read for account in books)
    queued_count = sum(account.queued for account in books)
    sensors = "1 sensor" if len(books) == 1 else f"{len(books)} sensors"
    return f"the books balance: {_readings(read_count)} of {sensors}, {queued_count} queued"


def refused(site: Site, sensor: str | None) -> list[ReadingDocument]:
    """Return the refused readings: sensor, time, the server's answer, the bridge's reason, and the values.

    Raises:
        UnknownSensor: no reading of this sensor ever came in, and the site has none of that name.
    """
    with closing(SpoolAdmin.view(site.spool.path)) as spool:
        _check_known(site, spool, sensor)
        return [_document(reading) for reading in spool.refused(sensor)]


def refused_text(rows: list[ReadingDocument]) -> str:
    """Return the refused readings for people."""
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
    """Write queued and refused readings to `out`, as a JSON object or CSV rows each. No secrets.

    `ts` is null (in CSV: empty) while the time of a reading is not known.

    Args:
        is_shown: `out` is a terminal: CSV, which has no escapes, is without characters that steer one.

    Returns:
        How many readings were written.

    Raises:
        UnknownSensor: as for `refused`; nothing was written.
    """
    count = 0
    with closing(SpoolAdmin.view(site.spool.path)) as spool:
        _check_known(site, spool, sensor)
        table = csv.writer(out)
        if form == "csv":
            table.writerow(COLUMNS)
        for document in _all(spool, sensor):
            count += 1
            if form == "jsonl":
                out.write(json_text(document) + "\n")
                continue
            for key, value in document["values"].items():
                cells = {**document, "key": key, "value": value}
                table.writerow([_cell(cells.get(column), is_shown) for column in COLUMNS])
    return count


def retry(site: Site, sensor: str | None) -> str:
    """Queue refused readings again; return the sentence that says how many."""
    with closing(SpoolAdmin.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.retry(sensor)
    of_sensor = f" of {sensor}" if sensor else ""
    if not count:
        return f"nothing{of_sensor} was refused"
    next_step = "`serial-bridge status` shows whether the server takes them"
    return f"{_readings(count)}{of_sensor} queued again; {next_step}"


def at_stake(site: Site, sensor: str) -> str:
    """Return how many readings `drop` would give up, for the question before it; "" if there are none.

    Raises:
        UnknownSensor: no reading of this sensor ever came in.
    """
    with closing(SpoolAdmin.view(site.spool.path)) as spool:
        spool.check_known(sensor)
        account = spool.ledger()[sensor]
    if not account.queued + account.refused:
        return ""
    return f"{account.queued} queued and {account.refused} refused readings of {sensor}"


def holdings(site: Site, sensors: Iterable[str]) -> dict[str, object]:
    """Return what the spool holds of each sensor, and what was dropped of it: as counted by the ledger."""
    ledger = read_ledger(site.spool.path)
    return {
        f"spool: {name}": {"queued": account.queued, "refused": account.refused, "dropped": account.dropped}
        for name in sensors
        if (account := ledger.get(name)) is not None
    }


def drop(site: Site, sensor: str) -> str:
    """Give up the queued and refused readings of a sensor; return the sentence that says how many."""
    with closing(SpoolAdmin.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.drop(sensor)
    if not count:
        return f"nothing of {sensor} is queued or refused"
    return f"{_readings(count)} of {sensor} dropped; the ledger counts them as dropped"


def reassign(site: Site, old: str, new: str) -> str:
    """Give the queued and refused readings of one sensor to another; return the sentence that says how many.

    Raises:
        ConfigError: `new` is not in the site file.
    """
    if new not in site.sensors:
        raise ConfigError(
            [f'{site.path}: there is no sensor "{new}"; the sensors are: {", ".join(site.sensors)}']
        )
    if old == new:
        return f"nothing to do: the readings of {new} are its own already"
    with closing(SpoolAdmin.open(site.spool.path, limit=site.spool.limit)) as spool:
        count = spool.reassign(old, new)
    if not count:
        return f"nothing of {old} is queued or refused"
    return f"{_readings(count)} of {old} now {'is' if count == 1 else 'are'} sent as those of {new}"


def salvage(site: Site, file: Path) -> str:
    """Queue again what a damaged file, set aside earlier, still holds; return a sentence with the counts."""
    with closing(SpoolAdmin.open(site.spool.path, limit=site.spool.limit)) as spool:
        result = spool.salvage(file)
    unreadable = f", {result.unreadable} could not be read" if result.unreadable else ""
    if not result.queued:
        return f"{file} holds nothing that is not back already{unreadable}"
    counts = ", ".join(f"{name} {count}" for name, count in sorted(result.queued.items()))
    readings = _readings(result.queued.total())
    return f"{readings} queued again ({counts}){unreadable}; {file} is not needed any more"


def _check_known(site: Site, spool: SpoolAdmin, sensor: str | None) -> None:
    """Raise UnknownSensor for a name that neither the spool nor the site has."""
    if sensor not in site.sensors:
        spool.check_known(sensor)


def _all(spool: SpoolAdmin, sensor: str | None) -> Iterator[ReadingDocument]:
    for reading in spool.queued(sensor):
        yield _document(reading)
    for reading in spool.refused(sensor):
        yield _document(reading)


def _document(reading: Kept) -> ReadingDocument:
    document: ReadingDocument = {
        "sensor": reading.sensor,
        "ts": reading.ts_ms,
        "state": "queued" if reading.answer is None else "refused",
        "values": json.loads(reading.body),
    }
    if reading.answer is not None:
        document["answer"] = reading.answer
        document["reason"] = reading.reason or ""
    return document


def _cell(value: object, is_shown: bool) -> object:
    """Return a cell of a CSV table; for a terminal, without characters that steer it."""
    return one_line(value) if is_shown and isinstance(value, str) else value


def _readings(count: int) -> str:
    return "1 reading" if count == 1 else f"{count} readings"


def _time(ts_ms: int | None) -> str:
    if ts_ms is None:
        return "time not known"
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
