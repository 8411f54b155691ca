"""How site.toml becomes a Site.

Mistakes in one table do not end the checks of the others: all are reported together, those between tables
(one name twice) among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.config.bus_table import read_bus
from bridge.config.document import Document
from bridge.config.fingerprints import fingerprints
from bridge.config.keys import Table
from bridge.config.models import OwnModels
from bridge.config.neighbours import inner_tables, refuse_gateway_twin, refuse_twins
from bridge.config.tables import (
    RS485,
    Bus,
    ClockSettings,
    Sensor,
    Site,
    SpoolSettings,
    ThingsBoard,
    WebSettings,
)
from bridge.errors import ConfigError

_HEADERS: dict[type[Table], str] = {
    SpoolSettings: "[spool]",
    ThingsBoard: "[thingsboard]",
    ClockSettings: "[clock]",
    Bus: "[bus.NAME], above its sensors",
    RS485: "the bus's rs485 = { … }",
    Sensor: "[[bus.NAME.sensor]]",
}
_HOMES = {key: header for model, header in reversed(_HEADERS.items()) for key in model.fields_by_key()}
_RENUMBERED = ("/dev/ttyUSB", "/dev/ttyACM")  # the kernel numbers these in the order of plugging in
_IN_MEMORY = ("/tmp/", "/run/", "/dev/shm/")  # noqa: S108 — named to warn of them


def load_site(path: Path) -> Site:
    """Read site.toml.

    Raises:
        ConfigError: every mistake in the file and in the models that its sensors name, each with file, line,
            key, rule and fix. Sensors are counted from 1: `sensor[2]` is the second block of its bus.
    """
    document = Document.read(path, homes=_HOMES)
    own_models = OwnModels(path)
    tables = document.tables
    misspelt = document.unknown_keys((), tables, Site.fields_by_key())
    overrides: dict[str, Any] = {
        "path": path,
        "thingsboard": None,
        "spool": document.check(SpoolSettings, ("spool",), tables.get("spool", {})),
        "clock": document.check(ClockSettings, ("clock",), tables.get("clock", {})),
        "web": document.check(WebSettings, ("web",), tables.get("web", {})),
        "bus": _buses(document, tables.get("bus", {}), own_models),
    }
    if "thingsboard" not in misspelt:
        server = tables.get("thingsboard", {})
        overrides["thingsboard"] = document.check(ThingsBoard, ("thingsboard",), server)
    site = document.check(Site, (), tables, overrides=overrides, misspelt=misspelt)
    if site is not None:
        refuse_gateway_twin(document, site.thingsboard.gateway, site.sensors)
    model_names = _models_named(tables.get("bus"))
    mistakes = [*document.mistakes, *own_models.mistakes_in(model_names)]
    if site is None or mistakes:
        raise ConfigError(mistakes)
    _warn(document, site)
    warnings = (*document.warnings, *own_models.warnings_beside(model_names))
    prints = fingerprints(tables, own_models.tables, _contents(site))
    return replace(site, warnings=warnings, fingerprints=prints)


def _contents(site: Site) -> list[bytes]:
    """Return the contents of the files that the uplink reads when it starts."""
    try:
        return [site.thingsboard.ca.read_bytes()] if site.thingsboard.ca is not None else []
    except OSError:  # the uplink reports it
        return []


def _models_named(buses: object) -> set[str]:
    """Return the names of the models that the sensors name."""
    blocks = (block for _, bus in inner_tables(buses) for _, block in inner_tables(bus.get("sensor")))
    return {str(block["model"]) for block in blocks if "model" in block}


def _buses(document: Document, tables: object, own_models: OwnModels) -> dict[str, Bus]:
    """Return the buses without a mistake, by name, and note the mistakes of the others."""
    if not isinstance(tables, Mapping):
        document.mistake(("bus",), "a bus has a name and a table of its own: [bus.NAME]")
        return {}
    buses = {
        name: bus for name, table in tables.items() if (bus := read_bus(document, name, table, own_models))
    }
    refuse_twins(document, tables)
    return buses


def _warn(document: Document, site: Site) -> None:
    """Note what is odd but allowed."""
    server = site.thingsboard
    if server.port == {"coap": 5684, "coaps": 5683}[server.scheme]:
        document.warn(
            ("thingsboard", "url"), f"port {server.port} is not the usual one of {server.scheme}://"
        )
    if str(site.spool.path).startswith(_IN_MEMORY):
        document.warn(("spool", "path"), f"what waits in {site.spool.path.parent} is lost at the next reboot")
    if not site.buses:
        document.warn((), "there is no bus yet: nothing is read")
    for bus in site.buses.values():
        if not bus.sensors:
            document.warn(("bus", bus.name), "this bus has no sensor yet: nothing is read from it")
        if bus.adapter.startswith(_RENUMBERED):
            text = f'{bus.adapter} may be another adapter tomorrow, "serial:…" or "path:…" stays the same'
            document.warn(("bus", bus.name, "adapter"), text)
