"""`check`: what the two files make the bridge do, sensor by sensor. Opens no port and no connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from bridge import plain_text
from bridge.commands.check import bus_load
from bridge.commands.models.documents import ModelDescription
from bridge.commands.models.listing import own_models
from bridge.commands.models.text import disproved, own_text
from bridge.commands.terminal.in_force import edits
from bridge.commands.terminal.next_step import SITE, command
from bridge.config import Bus, Certificate, Credentials, Site
from bridge.port.adapter import Adapter, adapters, fitting
from bridge.status.documents import BusDocument
from bridge.status.runtime import Runtime
from protocols.toolkit.protocol import PushingProtocol

_DAY_S = 86_400


class PlannedRequest(TypedDict):
    """One request of a poll."""

    request: str  # for people
    wire_s: float  # seconds on the wire, from one gap to the next
    is_lower_bound: bool  # the device decides how long its reply is; `wire_s` is that of the shortest


class SensorSummary(TypedDict):
    """A sensor, and one poll of it; a pushing one has no requests."""

    address: str  # "" if it has none
    every_s: float  # 0: as often as the line allows
    aligned: bool  # read at the begin of each such interval of the clock, in UTC
    requests: int
    wire_s: float  # of all requests of a poll
    is_lower_bound: bool
    plan: list[PlannedRequest]
    credential: str  # what it is, and what follows if there is none
    lessons: list[str]  # what its reader has learned of it so far, in sentences; none while nobody reads it


class BusSummary(TypedDict):
    """A bus and its load."""

    adapter: str
    protocol: str
    line: str  # "9600 8N1"
    listen: bool  # it only listens to another master
    unasked: bool  # its sensors push
    load: float  # share of the wire's time, from 0; above 1 polls are skipped
    is_lower_bound: bool  # of `load`
    sensors: dict[str, SensorSummary]


class GatewaySummary(TypedDict):
    """The gateway's own device."""

    device: str  # its name
    credential: str  # what it is, and what follows if there is none


class Summary(TypedDict):
    """The document of `check --json`."""

    not_in_force: list[str]  # a sentence if site.toml was edited since the processes were started
    site: str
    thingsboard: str  # the url
    spool: str  # the path
    gateway: GatewaySummary | None  # its own device in ThingsBoard; None if it has none
    buses: dict[str, BusSummary]
    models: list[ModelDescription]  # of the site's own
    warnings: list[str]


def summary(site: Site, credentials: Credentials) -> Summary:
    """Return the document of `check --json`: buses with devices, requests and wire time, models, warnings."""
    buses = site.buses.values()
    crowds = (bus_load.crowd(bus, site.spool.commit_every_s) for bus in buses)
    overloads = filter(None, (*map(bus_load.warning, buses), *crowds))
    readers = Runtime(site.spool.path).buses()
    models = own_models(site.path)
    return {
        "not_in_force": edits(site),
        "site": site.name,
        "thingsboard": site.thingsboard.url,
        "spool": str(site.spool.path),
        "gateway": _gateway(site, credentials),
        "buses": {name: _bus(bus, credentials, readers.get(name)) for name, bus in site.buses.items()},
        "models": models,
        "warnings": [
            *site.warnings,
            *credentials.warnings,
            *shared_ports(site, adapters()),
            *filter(None, (disproved(model, site.path) for model in models)),
            *overloads,
        ],
    }


def shared_ports(site: Site, present: Sequence[Adapter]) -> Iterator[str]:
    """Yield a sentence for each bus whose port is another's too, though they name it in different ways.

    Args:
        present: the adapters of this machine; one that is not plugged in cannot be compared.
    """
    users: dict[Path, str] = {}
    for bus in site.buses.values():
        devices = [adapter.device for adapter in fitting(bus.adapter, present)]
        if bus.adapter.startswith("/"):
            devices = [Path(bus.adapter).resolve()]
        if len(devices) == 1 and (other_bus := users.setdefault(devices[0], bus.name)) != bus.name:
            yield (
                f'{site.path}: bus.{bus.name}.adapter: "{bus.adapter}" is {devices[0]}, which is the port of '
                f"bus {other_bus} too: two buses cannot share a port, see: serial-bridge enroll {bus.name}"
            )


def text(document: Summary, *, plan: bool = False, site: Path = SITE) -> str:
    """Return the summary for the person at the cabinet.

    Args:
        document: that of `check --json`.
        plan: with every request of each sensor.
        site: the site file, for the next step.
    """
    server, spool = document["thingsboard"], document["spool"]
    lines = [
        *document["not_in_force"],
        f"site {document['site']}: delivers to {server}, keeps readings in {spool}",
    ]
    if (gateway := document["gateway"]) is not None:
        lines.append(f"gateway {gateway['device']}: a device of its own, {gateway['credential']}")
    for name, bus in document["buses"].items():
        share = bus_load.figure(f"{100 * bus['load']:.0f} %", is_lower_bound=bus["is_lower_bound"])
        usage = (
            "only listens"
            if bus["listen"]
            else "sensors push"
            if bus["unasked"]
            else f"{share} of the wire's time"
        )
        lines.append(f"bus {name}: {bus['protocol']} at {bus['line']} on {bus['adapter']}, {usage}")
        width = max(map(len, bus["sensors"]), default=0)
        for sensor, row in bus["sensors"].items():
            lines.append(
                f"  {sensor:<{width}}  {_manner_text(row, unasked=bus['unasked'])}, {row['credential']}"
            )
            if plan:
                lines += map(_request_line, row["plan"])
                lines += [f"    learned: {lesson}" for lesson in row["lessons"]]
    lines += [own_text(model) for model in document["models"]]
    lines += [f"warning: {warning}" for warning in document["warnings"]]
    lines += ["ok", f"next: {_next(document, site)}"]
    return plain_text.lines(lines)


def _next(document: Summary, site: Path) -> str:
    """Return what to type next: put an edit in force, find the first sensors, or try those that there are."""
    if document["not_in_force"]:
        return command("sudo serial-bridge install", site)
    has_sensors = any(bus["sensors"] for bus in document["buses"].values())
    return command("serial-bridge try" if has_sensors else "sudo serial-bridge setup", site)


def _request_line(ask: PlannedRequest) -> str:
    """Return the line for one request of the plan."""
    wire = bus_load.figure(f"{1000 * ask['wire_s']:6.1f} ms", is_lower_bound=ask["is_lower_bound"])
    return f"    {wire}  {ask['request']}"


def _manner_text(row: SensorSummary, *, unasked: bool) -> str:
    """Return how a sensor is polled, or how often one that pushes is read."""
    every = f"every {row['every_s']:g} s"
    if unasked:
        rhythm = f"one {every}" if row["every_s"] else "every telegram"
        return f"id {row['address']}, {rhythm}" if row["address"] else rhythm
    if row["aligned"]:
        every += f" {_of_the_clock(row['every_s'])}"
    requests = f"{row['requests']} request{'s' if row['requests'] != 1 else ''}"
    address = f"address {row['address']}, " if row["address"] else ""
    wire = bus_load.figure(f"{1000 * row['wire_s']:.0f} ms", is_lower_bound=row["is_lower_bound"])
    return f"{address}{every}, {requests} ({wire} of wire)"


def _of_the_clock(every_s: float) -> str:
    """Return what `aligned` means: the first two times of a day, and what happens after a late start."""
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    form = "%H:%M" if every_s % 60 == 0 else "%H:%M:%S"
    first, second = (f"{midnight + timedelta(seconds=at_s):{form}}" for at_s in (0, every_s))
    times = first if every_s == _DAY_S else f"{first}, {second} …"
    return f"at {times} UTC (started later: at once)"


def _bus(bus: Bus, credentials: Credentials, reader: BusDocument | None) -> BusSummary:
    rows = reader["sensors"] if reader and reader["running"] else {}
    sensors: dict[str, SensorSummary] = {
        sensor.name: {
            "address": sensor.settings.address,
            "every_s": sensor.every_s,
            "aligned": sensor.aligned,
            "requests": 0,
            "wire_s": 0.0,
            "is_lower_bound": False,
            "plan": [],
            "credential": _credential(credentials, sensor.name, "its readings will wait"),
            "lessons": rows.get(sensor.name, {}).get("lessons", []),
        }
        for sensor in bus.sensors
    }
    demands = bus_load.demands(bus)
    for demand in demands:
        for sensor in demand.group.sensors:
            row = sensors[sensor.name]
            row["requests"] = len(demand.asks)
            row["wire_s"] = demand.wire_s
            row["is_lower_bound"] = demand.is_lower_bound
            row["plan"] = [
                {"request": ask.summary, "wire_s": ask.wire_s, "is_lower_bound": ask.is_lower_bound}
                for ask in demand.asks
            ]
    return {
        "adapter": bus.adapter,
        "protocol": bus.protocol.name,
        "line": str(bus.line),
        "unasked": bus.listen or isinstance(bus.protocol, PushingProtocol),
        "listen": bus.listen,
        "load": sum(demand.share for demand in demands),
        "is_lower_bound": any(demand.is_lower_bound for demand in demands),
        "sensors": sensors,
    }


def _gateway(site: Site, credentials: Credentials) -> GatewaySummary | None:
    name = site.thingsboard.gateway
    if name is None:
        return None
    return {"device": name, "credential": _credential(credentials, name, "nothing is reported of it")}


def _credential(credentials: Credentials, device: str, without: str) -> str:
    """Return what the credential of a device is, or what follows without one."""
    match credentials.sensors.get(device):
        case None if device in credentials.pending:
            return f"pending token: {without} until `serial-bridge provision`"
        case None:
            return f"no credential: {without}"
        case Certificate():
            return "X.509 certificate"
        case _:
            return "access token"
