"""How site.toml becomes a Site.

A sensor's table holds two kinds of keys: those that every sensor has, and those of its protocol (address,
registers), which the protocol reads and checks. Mistakes of both kinds, and those between tables (one name
twice), are reported together: a mistake in one table does not end the checks of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.config.document import Document, key_text
from bridge.config.fingerprints import fingerprints
from bridge.config.keys import Table
from bridge.config.models import OwnModels
from bridge.config.neighbours import (
    ask_about_addresses,
    inner_tables,
    refuse_gateway_twin,
    refuse_neighbours,
    refuse_same_id,
    refuse_twins,
    refuse_unheard,
)
from bridge.config.places import check_bus_name
from bridge.config.tables import (
    INHERITED,
    RS485,
    Bus,
    ClockSettings,
    Sensor,
    Site,
    SpoolSettings,
    ThingsBoard,
    WebSettings,
    suggestions,
)
from bridge.config.toml_lines import KeyPath
from bridge.errors import ConfigError
from protocols import CATALOGUE, load, names
from protocols.toolkit.errors import PackageError, SettingsError
from protocols.toolkit.keys import nearest
from protocols.toolkit.protocol import (
    CatalogueEntry,
    PolledProtocol,
    Protocol,
    ProtocolTemplate,
    PushingProtocol,
)

_HEADERS: dict[type[Table], str] = {
    SpoolSettings: "[spool]",
    ThingsBoard: "[thingsboard]",
    ClockSettings: "[clock]",
    Bus: "[bus.NAME], above its sensors",
    RS485: "the bus's rs485 = { … }",
    Sensor: "[[bus.NAME.sensor]]",
}
_HOMES = {key: header for model, header in reversed(_HEADERS.items()) for key in model.fields_by_key()}
_NO_LINE = (
    "is missing; the sensor's manual decides: write baud rate, data bits, parity, stop bits, "
    'for example line = "9600 8N1"'
)
_POLLING_KEYS = (*INHERITED, "settle")  # a bus of pushing sensors has none of these
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
    buses = {name: bus for name, table in tables.items() if (bus := _bus(document, name, table, own_models))}
    refuse_twins(document, tables)
    return buses


def _bus(document: Document, name: str, table: object, own_models: OwnModels) -> Bus | None:
    """Return a bus with its sensors; None if its own keys have a mistake, which is noted."""
    path = ("bus", name)
    if not isinstance(table, Mapping):
        document.mistake(path, "a bus has a name and a table of its own: [bus.NAME]")
        return None
    try:
        check_bus_name(name)
    except ValueError as error:
        document.mistake(path, str(error))
    catalogue_entry = _catalogue_entry(_protocol_name(table), own_models)
    protocol_keys = set(catalogue_entry.bus_schema["properties"]) if catalogue_entry else set()
    misspelt = document.unknown_keys(
        path, table, {*Bus.fields_by_key(), *protocol_keys}, _homes_below(path, table, catalogue_entry)
    )
    entry = _as_declared(
        document, path, catalogue_entry, {key: table[key] for key in protocol_keys & set(table)}, misspelt
    )
    overrides: dict[str, Any] = {"name": name, "sensor": ()}
    if "rs485" in table:
        overrides["rs485"] = document.check(RS485, (*path, "rs485"), table["rs485"])
    if "line" not in table and "protocol" in table:
        overrides["line"] = catalogue_entry and catalogue_entry.line
        if catalogue_entry and catalogue_entry.line is None and "line" not in misspelt:
            document.mistake((*path, "line"), _NO_LINE)
    inherited = {key: table[key] for key in INHERITED if key in table}
    reason = _why_nothing_is_asked(table, entry)
    if reason:
        _refuse_polling_keys(document, path, table, reason, _POLLING_KEYS)
    elif isinstance(entry, PolledProtocol) and "reply_timeout" not in table:
        overrides["reply_timeout"] = inherited["reply_timeout"] = f"{1000 * entry.reply_timeout_s:g}ms"
    bus_values = {key: value for key, value in table.items() if key in Bus.fields_by_key()}
    bus = document.check(Bus, path, bus_values, overrides=overrides, misspelt=misspelt)
    if bus and bus.line.bytesize not in bus.protocol.bytesizes:
        bits = " or ".join(map(str, sorted(bus.protocol.bytesizes)))
        document.mistake((*path, "line"), f'{bus.protocol.title} has {bits} data bits, "{bus.line}" does not')
    blocks = table.get("sensor", [])
    if not isinstance(blocks, list):
        document.mistake(
            (*path, "sensor"), f"write each sensor as a block in double brackets: [[{key_text(path)}.sensor]]"
        )
        return None
    sensors = [
        _sensor(
            document,
            (*path, "sensor", index),
            block,
            entry,
            {"bus": name, **(inherited if bus else {})},
            own_models,
            reason,
        )
        for index, block in enumerate(blocks)
    ]
    right_sensors = tuple(sensor for sensor in sensors if sensor)
    if entry:
        _refuse_listening(document, path, table, entry)
        refuse_neighbours(document, path, entry, sensors)
        if table.get("listen") is True and isinstance(entry, PolledProtocol):
            refuse_unheard(document, path, entry, sensors)
    if isinstance(entry, PushingProtocol):
        refuse_same_id(document, path, blocks, sensors)
    elif entry:
        ask_about_addresses(document, path, sensors)
    return bus and replace(bus, sensors=right_sensors, protocol=entry or bus.protocol)


def _homes_below(path: KeyPath, table: Mapping[str, Any], entry: CatalogueEntry | None) -> dict[str, str]:
    """Return the header under which each key belongs that the bus's table has and its sensors should have."""
    block = f"[[{key_text((*path, 'sensor'))}]]"
    return {
        key: f"[{key_text((*path, 'sensor', key))}], below its {block}"
        if isinstance(value, Mapping)
        else block
        for key, value in table.items()
        if entry and key in entry.schema["properties"]
    }


def _protocol_name(table: Mapping[str, Any]) -> object:
    """Return the protocol that a bus names, or else the nearest: its other keys are checked as for that."""
    name = table.get("protocol")
    if name is None:
        return next((value for key, value in table.items() if nearest(key, ("protocol",))), None)
    if not isinstance(name, str) or name in CATALOGUE or name in names():
        return name
    return next(iter(suggestions(name.lower())), name)


def _catalogue_entry(name: object, own_models: OwnModels) -> CatalogueEntry | None:
    """Return the protocol called `name`, with the site's own models.

    None if there is no such protocol: the check of the bus's own keys notes that.
    """
    try:
        return own_models.known_to(load(name)) if isinstance(name, str) else None
    except (KeyError, PackageError):
        return None


def _as_declared(
    document: Document,
    path: KeyPath,
    entry: CatalogueEntry | None,
    values: Mapping[str, Any],
    misspelt: Collection[str],
) -> Protocol | None:
    """Return the protocol as the bus declares it with the protocol's keys; None if these have a mistake."""
    if not isinstance(entry, ProtocolTemplate):
        return entry
    try:
        return entry.declared_by(values)
    except SettingsError as error:
        for below, message in error.problems:
            if below[0] in values or below[0] not in misspelt:
                document.mistake((*path, *below), message)
        return None


def _sensor(
    document: Document,
    path: KeyPath,
    table: object,
    entry: Protocol | None,
    inherited: Mapping[str, Any],
    own_models: OwnModels,
    why_not_asked: str,
) -> Sensor | None:
    """Return a sensor; None if its table has a mistake, which is noted, or its protocol is unknown."""
    if not isinstance(table, Mapping):
        document.mistake(path, f"a sensor is a block of its own: [[{key_text(path[:-1])}]]")
        return None
    useless_keys: set[str] = set()
    if why_not_asked:
        _refuse_polling_keys(document, path, table, why_not_asked, INHERITED)
        if table.get("aligned") is True:
            message = f"{why_not_asked}, so nothing is asked at a time of the clock: leave this out"
            document.mistake((*path, "aligned"), message)
        useless_keys = {*INHERITED, "aligned"} - set(table)
    if not isinstance(entry, PolledProtocol):  # None: unknown whether `every` is needed
        inherited = {"every": "0s", **inherited}
    protocol_keys = set(entry.schema["properties"] if entry else table) - set(Sensor.fields_by_key())
    misspelt = document.unknown_keys(path, table, {*Sensor.fields_by_key(), *protocol_keys} - useless_keys)
    sensor_values = {key: value for key, value in table.items() if key in Sensor.fields_by_key()}
    if why_not_asked:
        sensor_values.pop("aligned", None)
    missing_values = {key: value for key, value in inherited.items() if key not in sensor_values}
    sensor = document.check(
        Sensor, path, sensor_values, overrides={**missing_values, "settings": None}, misspelt=misspelt
    )
    if entry is None:
        return None
    protocol_values = {key: value for key, value in table.items() if key in protocol_keys}
    try:
        settings = entry.settings(protocol_values)
    except SettingsError as error:
        for below, message in error.problems:
            if (below[0] not in table and below[0] in misspelt) if below else misspelt & protocol_keys:
                continue  # the misspelt key has a mistake of its own already
            if below == ("model",) and str(table.get("model")) in own_models.wrong:
                continue  # the model exists; the mistakes in its file are reported
            document.mistake((*path, *below), _strayed(table, below) or message)
        return None
    for below, message in entry.odd(protocol_values):
        document.warn((*path, *below), message)
    return sensor and replace(sensor, settings=settings)


def _refuse_polling_keys(
    document: Document,
    path: KeyPath,
    table: Mapping[str, Any],
    reason: str,
    keys: Iterable[str],
) -> None:
    """Note keys that say how to poll, on a bus on which nothing is asked for this reason."""
    for key in keys:
        if key in table:
            document.mistake((*path, key), f"{reason}, so nothing waits for a reply: leave this out")


def _why_nothing_is_asked(table: Mapping[str, Any], entry: Protocol | None) -> str:
    """Return the reason, for a message, why the sensors of a bus are not asked; "" if they are."""
    if isinstance(entry, PushingProtocol):
        return f"the sensors of {entry.title} push"
    return "listen = true leaves the asking to another master" if table.get("listen") is True else ""


def _refuse_listening(document: Document, path: KeyPath, table: Mapping[str, Any], entry: Protocol) -> None:
    """Note `listen` on a bus where it says nothing, or where there is no way to do it."""
    if table.get("listen") is not True:
        return
    if isinstance(entry, PushingProtocol):
        message = f"the sensors of {entry.title} push: they are only listened to anyhow, leave this out"
        document.mistake((*path, "listen"), message)
    elif entry.overhearer is None:
        able = ", ".join(name for name in CATALOGUE if _can_be_overheard(name))
        document.mistake(
            (*path, "listen"), f"a line of {entry.title} cannot be listened to; these can: {able}"
        )
    if "rs485" in table:
        document.mistake((*path, "rs485"), "a bus that only listens never drives the line: leave this out")


def _can_be_overheard(name: str) -> bool:
    entry = load(name)
    return isinstance(entry, PolledProtocol) and entry.overhearer is not None


def _strayed(table: Mapping[str, Any], below: KeyPath) -> str | None:
    """Return the message for a key of the sensor that stands below one of its sub-tables; else None.

    In TOML every key below the header of a sub-table belongs to that sub-table.
    """
    parent = table.get(str(below[0])) if len(below) == 2 else None
    value = parent.get(below[1]) if isinstance(parent, Mapping) else None
    if value is None or isinstance(value, Mapping) or below[1] not in Sensor.fields_by_key():
        return None
    return f"this key is the sensor's: write it above [….{below[0]}], which takes all that follows"


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
