"""What the report says, gathered from the status, the site file, the models and the last day of each line.

The report is of a state: the time it names is that of the newest document that a process published. Nothing
in it comes from the hour at which it is written, so that one state gives the same report, octet for octet.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from bridge.clock.kernel_clock import boot_id
from bridge.commands.pages.charts import Chart, charts
from bridge.commands.status.sentences import (
    COLUMNS,
    rank,
    reason,
    troubles,
    turn_around,
    value_text,
    word_for,
)
from bridge.commands.status.snapshot import collect
from bridge.errors import PortLost
from bridge.port.adapter import Adapter, adapters, fitting
from bridge.status.line_history import parse
from bridge.status.runtime import Runtime
from protocols.modbus.models.evidence import GRADES

if TYPE_CHECKING:
    from bridge.config import Site
    from bridge.status.documents import Ledger, Status
    from bridge.status.line_history import Bucket


@dataclass(frozen=True, slots=True)
class BusPart:
    """A bus in the report."""

    name: str
    protocol: str
    line: str
    adapter: str
    port: str
    product: str
    state: str


@dataclass(frozen=True, slots=True)
class SensorPart:
    """A sensor in the report.

    Attributes:
        evidence: where the numbers of its model come from.
        values: each with its key and its unit.
        counts: of its line, each with its name.
        charts: of the last 24 hours.
    """

    name: str
    bus: str
    address: str
    model: str
    evidence: str
    state: str
    reason: str
    last_at: str
    values: Sequence[tuple[str, str]]
    doubts: Sequence[str]
    counts: Sequence[tuple[str, str]]
    books: str
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report; all of it text."""

    site: str
    version: str
    at: str
    server: str
    config_hash: str
    clock: str
    troubles: Sequence[str]
    books: str
    balances: bool
    buses: Sequence[BusPart]
    sensors: Sequence[SensorPart]


def gather(site: Site) -> Report:
    """Return the report of a site as it is now."""
    runtime, boot = Runtime(site.spool.path), boot_id()
    rings: dict[str, list[Bucket]] = {}
    for bus in site.buses:
        rings |= parse(runtime.past(bus), boot)
    return composed(site, collect(site), rings, adapters())


def composed(
    site: Site, document: Status, rings: Mapping[str, Sequence[Bucket]], present: Sequence[Adapter]
) -> Report:
    """Return the report of a state. Pure but for the files of the site.

    Args:
        site: the site.
        document: that of `status --json`.
        rings: the last day of the line of each sensor.
        present: the serial devices of the machine.
    """
    at_s = _at_s(site, document)
    tables = _sensor_tables(site)
    names = sorted(document["sensors"], key=lambda name: rank(word_for(document, name)))
    wrong = [sentence.strip() for sentence, colour in troubles(document, at_s) if colour]
    wrong += [f"{name} {said}" for name in names if (said := reason(document, name, at_s))]
    return Report(
        site=site.name,
        version=document["version"],
        at=_moment(at_s),
        server=site.thingsboard.url,
        config_hash=sha256(site.path.read_bytes()).hexdigest()[:16],
        clock=document["clock"]["state"],
        troubles=[*document["not_in_force"], *wrong],
        books=_equation(document["ledger"]),
        balances=document["ledger"]["read"] == sum(document["ledger"][column] for column in COLUMNS),
        buses=[_bus(site, document, name, present) for name in site.buses],
        sensors=[
            _sensor(site, document, name, tables.get(name, {}), rings.get(name, ()), at_s) for name in names
        ],
    )


def _at_s(site: Site, document: Status) -> float:
    """Return when the newest document was published, in seconds since 1970; without one, now."""
    updated = [bus["updated"] for bus in document["buses"].values() if "updated" in bus]
    if "updated" in document["uplink"]:
        updated.append(document["uplink"]["updated"])
    return max(updated) / 1000 if updated else time.time()


def _sensor_tables(site: Site) -> dict[str, Mapping[str, object]]:
    """Return the block of each sensor in the site file, by its name."""
    tables = tomllib.loads(site.path.read_text("utf-8"))
    return {
        sensor["name"]: sensor for bus in tables.get("bus", {}).values() for sensor in bus.get("sensor", ())
    }


def _bus(site: Site, document: Status, name: str, present: Sequence[Adapter]) -> BusPart:
    bus, row = site.buses[name], document["buses"][name]
    try:
        products = [adapter.product for adapter in fitting(bus.adapter, present)]
    except PortLost:
        products = []
    return BusPart(
        name=name,
        protocol=bus.protocol.name,
        line=str(bus.line),
        adapter=bus.adapter,
        port=row.get("port", "-"),
        product=", ".join(filter(None, products)) or "-",
        state=row["state"],
    )


def _sensor(
    site: Site,
    document: Status,
    name: str,
    table: Mapping[str, object],
    ring: Sequence[Bucket],
    at_s: float,
) -> SensorPart:
    row, sensor = document["sensors"][name], site.sensors.get(name)
    units = sensor.settings.units if sensor else {}
    model = table.get("model")
    counts = [
        (key.replace("_", " "), str(row[key]))
        for key in (
            "requests",
            "replies",
            "telegrams",
            "timeouts",
            "crc_errors",
            "exceptions",
            "late_replies",
        )
        if key in row
    ]
    if text := turn_around(row):
        counts.append(("turn-around", text))
    return SensorPart(
        name=name,
        bus=row["bus"] or "-",
        address=(sensor.settings.address if sensor else "") or "-",
        model=str(model) if model else "registers in site.toml",
        evidence=_evidence(site, row["bus"], str(model)) if model else "-",
        state=word_for(document, name),
        reason=reason(document, name, at_s),
        last_at=_moment(ts / 1000) if (ts := row["last_ts"]) else "-",
        values=[
            (key, value_text(value, units.get(key, ""))) for key, value in (row["last_values"] or {}).items()
        ],
        doubts=[
            *row.get("doubts", {}).values(),
            *(f"{key}: {why}" for key, why in row.get("left_out", {}).items()),
        ],
        counts=counts,
        books=_equation(row),
        charts=charts(ring),
    )


def _evidence(site: Site, bus: str | None, model: str) -> str:
    """Return the grade of a model's numbers, in words."""
    from bridge.commands.models.listing import shelf

    if bus is None or not site.buses[bus].protocol.name.startswith("modbus"):
        return "-"
    try:
        evidence = shelf(site.path).library.model(model).evidence
    except KeyError:
        return "-"
    return f"{evidence.grade}: {GRADES[evidence.grade]}"


def _equation(ledger: Ledger) -> str:
    return f"read {ledger['read']} = " + " + ".join(f"{column} {ledger[column]}" for column in COLUMNS)


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
