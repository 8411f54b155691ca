"""`status`: the ledger in the spool and the documents in the runtime folder, side by side.

The ledger survives everything; the documents change every second. No running process is asked for anything,
so one that hangs cannot hide it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, get_args

import typer

from bridge.clock.kernel_clock import system_clock
from bridge.config import Site
from bridge.errors import ConfigError
from bridge.plain_text import lines, one_line
from bridge.release import VERSION
from bridge.spool import Account, Placed, read_ledger, read_placed
from bridge.status.documents import (
    BusDocument,
    ClockStatus,
    Ledger,
    PlacedReadings,
    SensorDocument,
    SensorStatus,
    Status,
    UplinkDocument,
)
from bridge.status.runtime import Runtime
from protocols.toolkit.polling import Values

if TYPE_CHECKING:
    from rich.console import Group

Column = Literal["read", "delivered", "queued", "expired", "refused", "dropped"]
COLUMNS: tuple[Column, ...] = get_args(Column)
NOT_RUNNING = "not running"
NEVER: SensorDocument = {
    "state": NOT_RUNNING,
    "last_ts": None,
    "last_values": None,
    "timeouts": 0,
    "crc_errors": 0,
    "exceptions": 0,
    "late_replies": 0,
}
NOTHING_READ = Account(0, 0, 0, 0, 0, 0)

_TROUBLES: Final = ("timeouts", "crc_errors", "exceptions", "late_replies", "expired", "refused", "dropped")


def collect(site: Site) -> Status:
    """Return the document of `status --json`: version, ledger, sensors, buses, uplink, clock.

    Sensors that are no longer configured but still have readings in the spool are listed with `bus` null.
    """
    runtime = Runtime(site.spool.path)
    documents = runtime.buses()
    accounts = read_ledger(site.spool.path)
    sensors: dict[str, SensorStatus] = {}
    buses: dict[str, BusDocument] = {}
    for bus in site.buses.values():
        document = _bus(documents.get(bus.name))
        rows = document.pop("sensors", {})
        buses[bus.name] = document
        for sensor in bus.sensors:
            counters: SensorDocument = {**NEVER, **rows.get(sensor.name, {})}
            if not document["running"]:
                counters["state"] = NOT_RUNNING
                counters["trouble"] = None
            sensors[sensor.name] = {
                "bus": bus.name,
                **counters,
                **_ledger(accounts.pop(sensor.name, NOTHING_READ)),
            }
    for name, account in accounts.items():
        sensors[name] = {"bus": None, **NEVER, "state": "not configured", **_ledger(account)}
    return {
        "version": VERSION,
        "ledger": _sums(sensors.values()),
        "sensors": sensors,
        "buses": buses,
        "uplink": _uplink(runtime.uplink()),
        "clock": _clock(site, runtime),
    }


def request_forgetting(site: Site, sensor: str) -> str:
    """Ask the reader of a sensor to forget what it learned about it; return a sentence for the person.

    Raises:
        ConfigError: there is no such sensor, no process reads its bus, or the process is another user's.
    """
    bus = next(
        (bus for bus in site.buses.values() for entry in bus.sensors if entry.name == sensor),
        None,
    )
    if bus is None:
        names = ", ".join(entry.name for bus in site.buses.values() for entry in bus.sensors)
        raise ConfigError([f'{site.path}: there is no sensor "{sensor}"; the sensors are: {names}'])
    try:
        is_asked = Runtime(site.spool.path).request_forgetting(bus.name, sensor)
    except PermissionError as error:
        raise ConfigError([f"bus {bus.name} is read by another user: try it with sudo"]) from error
    if not is_asked:
        raise ConfigError([f"bus {bus.name} is not being read, so nothing is learned of {sensor}"])
    return f"what was learned of {sensor} is forgotten within two seconds"


def show(site: Site) -> None:
    """Print the status once."""
    from rich.console import Console

    Console().print(_picture(collect(site)))


def watch_it(site: Site) -> None:
    """Print the status afresh every second until interrupted."""
    from rich.live import Live

    with Live(_picture(collect(site)), screen=False, auto_refresh=False) as live:
        try:
            while True:
                live.update(_picture(collect(site)), refresh=True)
                time.sleep(1)
        except KeyboardInterrupt:
            typer.echo()


def _bus(document: BusDocument | None) -> BusDocument:
    """Return the document of a bus; of one whose process has ended, without its error and with that state."""
    if document is None:
        return {"state": NOT_RUNNING, "running": False}
    if document["running"]:
        return document
    past: BusDocument = {**document, "state": NOT_RUNNING}
    past.pop("error", None)
    return past


def _uplink(document: UplinkDocument | None) -> UplinkDocument:
    """Return the document of the uplink; after its process has ended, without what no longer holds."""
    if document is None:
        return {"state": NOT_RUNNING, "running": False}
    if document["running"]:
        return document
    past: UplinkDocument = {**document, "state": NOT_RUNNING}
    past.pop("last_error", None)
    past.pop("holds", None)
    past.pop("slowed", None)
    return past


def _clock(site: Site, runtime: Runtime) -> ClockStatus:
    """Return the source of the time or what it lacks, and the readings whose time could only be estimated."""
    clock = system_clock(site.clock.trust, runtime)
    return {
        "state": clock.state,
        "source": clock.source,
        "placed": _placed(read_placed(site.spool.path)),
    }


def _placed(placed: Placed | None) -> PlacedReadings | None:
    if placed is None:
        return None
    return {"readings": placed.readings, "from_ms": placed.from_ms, "to_ms": placed.to_ms}


def _ledger(account: Account) -> Ledger:
    """Return a sensor's account as it stands in `status --json`."""
    return {
        "read": account.read,
        "delivered": account.delivered,
        "queued": account.queued,
        "expired": account.expired,
        "refused": account.refused,
        "dropped": account.dropped,
    }


def _sums(ledgers: Iterable[Ledger]) -> Ledger:
    """Return the ledgers of all sensors added up."""
    total = _ledger(NOTHING_READ)
    for ledger in ledgers:
        for column in COLUMNS:
            total[column] += ledger[column]
    return total


def _picture(document: Status) -> Group:
    """Return the status for a terminal: a table of sensors that fits a laptop, and lines for the rest."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = ("sensor", "state", "age", "read", "delivered", "queued")
    for heading in columns:
        table.add_column(heading, justify="left" if heading in columns[:2] else "right", no_wrap=True)
    table.add_column("values")
    for name, row in document["sensors"].items():
        books = row["read"], row["delivered"], row["queued"]
        cells = (name, row["state"], age(row["last_ts"]), *books, values(row["last_values"], 3))
        table.add_row(*(Text(one_line(cell)) for cell in cells))  # a str would be read as markup
    return Group(table, Text(""), Text(lines(_lines(document))))


def _trouble(row: SensorStatus) -> str:
    """Return a sensor's failures since its reader started, and its readings that were lost or refused."""
    troubles = [f"{row[key]} {key.replace('_', ' ')}" for key in _TROUBLES if row[key]]
    if left_out := row.get("unstorable"):
        troubles.append(
            f"{left_out} values left out that ThingsBoard cannot store as numbers (2^63 or beyond)"
        )
    return ", ".join(troubles)


def _lines(document: Status) -> Iterator[str]:
    """Yield the troubles of the sensors, then buses, uplink and ledger, a line each."""
    for name, row in document["sensors"].items():
        if sentence := row.get("trouble"):
            yield f"{name} {sentence}"
        if trouble := _trouble(row):
            yield f"{name}: {trouble}"
    for name, bus in document["buses"].items():
        yield f"bus {name}: {bus['state']}" + (f", {bus['error']}" if bus.get("error") else "")
        if sentence := bus.get("line", {}).get("trouble"):
            yield f"bus {name} {sentence}"
        for sender, unknown in bus.get("line", {}).get("not_configured", {}).items():
            sender_text = f'id = "{sender}"' if sender else "a sensor without id"
            telegrams = f"{unknown['telegrams']} telegrams: {values(unknown['last_values'])}"
            yield f"  heard, not configured: {sender_text} ({telegrams})"
    uplink = document["uplink"]
    yield f"uplink: {uplink['state']}" + (f", {uplink['last_error']}" if uplink.get("last_error") else "")
    for sensor, hold in uplink.get("holds", {}).items():
        yield f"  {sensor} waits: {hold['reason']}"
    for sensor, pace in uplink.get("slowed", {}).items():
        yield (
            f"  {sensor} slowed to {pace['values_per_s']:g} values/s "
            f"since {_clock_time(pace['since'])}: {pace['reason']}"
        )
    yield f"clock: {document['clock']['state']}"
    if placement := document["clock"]["placed"]:
        yield (
            f"  {placement['readings']} readings of a boot that never knew the time were placed "
            f"between {_date(placement['from_ms'])} and {_date(placement['to_ms'])}"
        )
    books = document["ledger"]
    counts = " + ".join(f"{column} {books[column]}" for column in COLUMNS if column != "read")
    yield f"ledger: read {books['read']} = {counts}"


def _clock_time(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000).astimezone().strftime("%H:%M")


def _date(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def values(last: Values | None, most: int = 4) -> str:
    """Return the first few values of a sensor, for a cell of a table."""
    texts = [f"{key} {value}" for key, value in list((last or {}).items())[:most]]
    return ", ".join(texts) + (" …" if last and len(last) > most else "")


def age(last_ts: int | None) -> str:
    """Return how long ago the last reading was on the wire, for people."""
    if last_ts is None:
        return "-"
    seconds = max(0.0, time.time() - last_ts / 1000)
    return (
        f"{seconds:.1f} s"
        if seconds < 60
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.0f} h"
    )
