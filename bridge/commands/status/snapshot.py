"""`status`: the ledger in the spool and the documents in the runtime folder, side by side.

The ledger survives everything; the documents change every second. No running process is asked for anything,
so one that hangs cannot hide it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from bridge.clock.kernel_clock import system_clock
from bridge.commands.terminal.in_force import edits
from bridge.config import Site
from bridge.errors import ConfigError
from bridge.release import VERSION
from bridge.spool import Account, Placed, read_ledger, read_placed
from bridge.status.documents import (
    BusDocument,
    ClockStatus,
    GatewayDocument,
    Ledger,
    PlacedReadings,
    SensorDocument,
    SensorStatus,
    Status,
    UplinkDocument,
)
from bridge.status.history import NO_PORT
from bridge.status.runtime import Runtime
from bridge.status.states import NOT_RUNNING

Column = Literal["read", "delivered", "queued", "expired", "refused", "dropped"]
COLUMNS: tuple[Column, ...] = get_args(Column)
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
            elif document["state"] == "lost":
                counters["state"] = NO_PORT
            sensors[sensor.name] = {
                "bus": bus.name,
                **counters,
                **_ledger(accounts.pop(sensor.name, NOTHING_READ)),
            }
    for name, account in accounts.items():
        sensors[name] = {"bus": None, **NEVER, "state": "not configured", **_ledger(account)}
    return {
        "version": VERSION,
        "not_in_force": edits(site),
        "ledger": _sums(sensors.values()),
        "sensors": sensors,
        "buses": buses,
        "uplink": _uplink(runtime.uplink()),
        "gateway": _gateway(site, runtime),
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


def _gateway(site: Site, runtime: Runtime) -> GatewayDocument | None:
    """Return what was reported to the gateway's own device; None if there is none, or nothing runs."""
    document = runtime.gateway() if site.thingsboard.gateway is not None else None
    return document if document is not None and document["running"] else None


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
