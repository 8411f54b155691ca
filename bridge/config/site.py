"""How site.toml becomes a Site.

A sensor's table holds two kinds of keys: those that the bridge knows of every sensor, and those of its
protocol (address, registers), which the protocol reads and judges. Mistakes of both kinds, and those that
only show between tables (one name twice), are reported together: where a table is wrong, the checks go on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.config.document import Document, Table, key_text
from bridge.config.fingerprints import fingerprints
from bridge.config.models import OwnModels
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
)
from bridge.config.toml_lines import KeyPath
from bridge.config.wording import value_text
from bridge.errors import ConfigError
from protocols import Protocol, protocol
from protocols.errors import PackageError, SettingsError

_HEADERS: dict[type[Table], str] = {
    SpoolSettings: "[spool]",
    ThingsBoard: "[thingsboard]",
    ClockSettings: "[clock]",
    Bus: "[bus.NAME], above its sensors",
    RS485: "the bus's rs485 = { … }",
    Sensor: "[[bus.NAME.sensor]]",
}
_HOMES = {key: header for model, header in reversed(_HEADERS.items()) for key in model.written()}
_NO_LINE = (
    "is missing; the sensor's manual decides: write baud rate, data bits, parity, stop bits, "
    'for example line = "9600 8N1"'
)
_OF_ASKING_BUSES = (*INHERITED, "settle")  # what a bus cannot have whose sensors speak unasked
_RENUMBERED = ("/dev/ttyUSB", "/dev/ttyACM")  # the kernel numbers these as they are plugged in
_IN_MEMORY = ("/tmp/", "/run/", "/dev/shm/")  # noqa: S108 — named to warn of them


def load_site(path: Path) -> Site:
    """Reads site.toml.

    Raises:
        ConfigError: every mistake in it and in the models that its sensors name, each with file, line, key,
            rule and fix. Sensors are counted from 1: `sensor[2]` is the second block of its bus.
    """
    document = Document.read(path, homes=_HOMES)
    own = OwnModels(path)
    tables = document.tables
    meant = document.unknown_keys((), tables, Site.written())
    given: dict[str, Any] = {
        "path": path,
        "thingsboard": None,
        "spool": document.check(SpoolSettings, ("spool",), tables.get("spool", {})),
        "clock": document.check(ClockSettings, ("clock",), tables.get("clock", {})),
        "bus": _buses(document, tables.get("bus", {}), own),
    }
    if "thingsboard" not in meant:
        server = tables.get("thingsboard", {})
        given["thingsboard"] = document.check(ThingsBoard, ("thingsboard",), server)
    site = document.check(Site, (), tables, given=given, meant=meant)
    used = _models_named(tables.get("bus"))
    mistakes = [*document.mistakes, *own.mistakes_in(used)]
    if site is None or mistakes:
        raise ConfigError(mistakes)
    _warn(document, site)
    warnings = (*document.warnings, *own.warnings_beside(used))
    found = {"warnings": warnings, "fingerprints": fingerprints(tables, own.tables, _contents(site))}
    return site.model_copy(update=found)


def _contents(site: Site) -> list[bytes]:
    """What the files that the uplink reads at its start hold."""
    try:
        return [site.thingsboard.ca.read_bytes()] if site.thingsboard.ca is not None else []
    except OSError:  # the uplink says what is wrong with it
        return []


def _models_named(buses: object) -> set[str]:
    """The models that sensors name."""
    blocks = (block for _, bus in _tables(buses) for _, block in _tables(bus.get("sensor")))
    return {str(block["model"]) for block in blocks if "model" in block}


def _buses(document: Document, tables: object, own: OwnModels) -> dict[str, Bus]:
    """The buses without a mistake, by name."""
    if not isinstance(tables, Mapping):
        document.mistake(("bus",), "a bus has a name and a table of its own: [bus.NAME]")
        return {}
    buses = {name: bus for name, table in tables.items() if (bus := _bus(document, name, table, own))}
    adapters = [(("bus", name, "adapter"), table.get("adapter")) for name, table in _tables(tables)]
    _unique(document, adapters, "two buses cannot share a port", _same_ports)
    names = [
        (("bus", name, "sensor", index, "name"), block.get("name"))
        for name, table in _tables(tables)
        for index, block in _tables(table.get("sensor"))
    ]
    _unique(document, names, "every sensor of the site needs a name of its own")
    return buses


def _bus(document: Document, name: str, table: object, own: OwnModels) -> Bus | None:
    path = ("bus", name)
    if not isinstance(table, Mapping):
        document.mistake(path, "a bus has a name and a table of its own: [bus.NAME]")
        return None
    try:
        check_bus_name(name)
    except ValueError as error:
        document.mistake(path, str(error))
    spoken = _spoken(table.get("protocol"), own)
    theirs = set(spoken.bus_schema["properties"]) if spoken else set()
    meant = document.unknown_keys(path, table, {*Bus.written(), *theirs}, _homes_below(path, table, spoken))
    entry = _as_declared(document, path, spoken, {key: table[key] for key in theirs & set(table)}, meant)
    given: dict[str, Any] = {"name": name, "sensor": ()}
    if "rs485" in table:
        given["rs485"] = document.check(RS485, (*path, "rs485"), table["rs485"])
    if "line" not in table and "protocol" in table:
        given["line"] = spoken and spoken.line
        if spoken and spoken.line is None:
            document.mistake((*path, "line"), _NO_LINE)
    inherited = {key: table[key] for key in INHERITED if key in table}
    if entry:
        _refuse_asking(document, path, table, entry, _OF_ASKING_BUSES)
        if "reply_timeout" not in table:
            given["reply_timeout"] = inherited["reply_timeout"] = f"{1000 * entry.reply_timeout_s:g}ms"
    ours = {key: value for key, value in table.items() if key in Bus.written()}
    bus = document.check(Bus, path, ours, given=given, meant=meant)
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
            document, (*path, "sensor", index), block, entry, {"bus": name, **(inherited if bus else {})}, own
        )
        for index, block in enumerate(blocks)
    ]
    known = tuple(sensor for sensor in sensors if sensor)
    if entry:
        _refuse_neighbours(document, path, entry, sensors)
    if entry and entry.listener:
        _one_for_each_id(document, path, blocks, entry, sensors)
    return bus and bus.model_copy(update={"sensors": known, "protocol": entry})


def _homes_below(path: KeyPath, table: Mapping[str, Any], spoken: Protocol | None) -> dict[str, str]:
    """Where the keys belong that a sensor of the bus has from its protocol."""
    block = f"[[{key_text((*path, 'sensor'))}]]"
    return {
        key: f"[{key_text((*path, 'sensor', key))}], below its {block}"
        if isinstance(value, Mapping)
        else block
        for key, value in table.items()
        if spoken and key in spoken.schema["properties"]
    }


def _spoken(name: object, own: OwnModels) -> Protocol | None:
    """The protocol of that name; None if there is none, which is noted with the bus's own keys."""
    try:
        return own.known_to(protocol(name)) if isinstance(name, str) else None
    except (KeyError, PackageError):
        return None


def _as_declared(
    document: Document,
    path: KeyPath,
    spoken: Protocol | None,
    theirs: Mapping[str, Any],
    meant: Collection[str],
) -> Protocol | None:
    """The protocol as the bus declares it with its own keys, or None if there is a mistake in these."""
    if spoken is None or spoken.declared_by is None:
        return spoken
    try:
        return spoken.declared_by(theirs)
    except SettingsError as error:
        for below, message in error.problems:
            if below[0] in theirs or below[0] not in meant:
                document.mistake((*path, *below), message)
        return None


def _sensor(
    document: Document,
    path: KeyPath,
    table: object,
    entry: Protocol | None,
    given: Mapping[str, Any],
    own: OwnModels,
) -> Sensor | None:
    """A sensor, or None if its table has a mistake or its protocol is not known."""
    if not isinstance(table, Mapping):
        document.mistake(path, f"a sensor is a block of its own: [[{key_text(path[:-1])}]]")
        return None
    if entry and entry.listener:
        _refuse_asking(document, path, table, entry, INHERITED)
    if entry is None or entry.listener:  # None: whether it is needed is not known
        given = {"every": "0s", **given}
    theirs = set(entry.schema["properties"] if entry else table) - set(Sensor.written())
    useless = set(INHERITED) - set(table) if entry and entry.listener else set()
    meant = document.unknown_keys(path, table, {*Sensor.written(), *theirs} - useless)
    ours = {key: value for key, value in table.items() if key in Sensor.written()}
    inherited = {key: value for key, value in given.items() if key not in ours}
    sensor = document.check(Sensor, path, ours, given={**inherited, "settings": None}, meant=meant)
    if entry is None:
        return None
    own_keys = {key: value for key, value in table.items() if key in theirs}
    try:
        settings = entry.settings(own_keys)
    except SettingsError as error:
        for below, message in error.problems:
            if below[:1] and below[0] not in table and below[0] in meant:
                continue  # the misspelt key is named already
            if below == ("model",) and str(table.get("model")) in own.wrong:
                continue  # there is such a model; what is wrong in its file is named
            document.mistake((*path, *below), _strayed(table, below) or message)
        return None
    for below, message in entry.odd(own_keys):
        document.warn((*path, *below), message)
    return sensor and sensor.model_copy(update={"settings": settings})


def _refuse_asking(
    document: Document, path: KeyPath, table: Mapping[str, Any], entry: Protocol, keys: Iterable[str]
) -> None:
    """Notes keys that say how to ask, where nobody is asked."""
    for key in keys:
        if entry.listener and key in table:
            why = f"the sensors of {entry.title} speak unasked, so nothing waits for a reply: leave this out"
            document.mistake((*path, key), why)


def _refuse_neighbours(
    document: Document, path: KeyPath, entry: Protocol, sensors: Sequence[Sensor | None]
) -> None:
    """Notes sensors that, by their protocol, cannot stand together on one bus."""
    known = [(index, sensor.settings) for index, sensor in enumerate(sensors) if sensor]
    for (place, *below), message in entry.conflicts([settings for _, settings in known]):
        document.mistake((*path, "sensor", known[int(place)][0], *below), message)


def _one_for_each_id(
    document: Document,
    path: KeyPath,
    blocks: Sequence[Mapping[str, Any]],
    entry: Protocol,
    sensors: Sequence[Sensor | None],
) -> None:
    """Notes sensors that would all take the same telegrams whole."""
    first: dict[str, str] = {}
    for index, sensor in enumerate(sensors):
        if sensor is None or "only" in blocks[index]:
            continue
        told_by = entry.address_of(sensor.settings)
        if (other := first.setdefault(told_by, sensor.name)) != sensor.name:
            what = f"the id {told_by} is that of" if told_by else "there is one sensor on such a line:"
            message = f'{what} "{other}"; to divide its values, say in each which it keeps: only = ["…"]'
            document.mistake((*path, "sensor", index), message)


def _strayed(table: Mapping[str, Any], below: KeyPath) -> str | None:
    """What is wrong if a key of the sensor stands below one of its sub-tables: in TOML it belongs to that."""
    parent = table.get(str(below[0])) if len(below) == 2 else None
    value = parent.get(below[1]) if isinstance(parent, Mapping) else None
    if value is None or isinstance(value, Mapping) or below[1] not in Sensor.written():
        return None
    return f"this key is the sensor's: write it above [….{below[0]}], which takes all that follows"


def _itself(text: str) -> tuple[str, ...]:
    return (text,)


def _same_ports(adapter: str) -> tuple[str, ...]:
    """What an adapter may mean, spelt in one way: two that share a text are one port.

    A USB number without an interface means each of its ports, so "serial:A" and "serial:A:1" are one too.
    """
    if adapter.startswith("/") and adapter.isprintable():
        return (os.path.realpath(adapter),)
    kind, _, name = adapter.partition(":")
    serial, _, interface = name.partition(":")
    if kind != "serial":
        return (adapter,)
    if re.fullmatch("[0-9A-Fa-f]{1,2}", interface):
        return (f"serial:{serial}:{int(interface, 16):x}",)
    return (adapter,) if interface else tuple(f"serial:{serial}:{number:x}" for number in range(256))


def _unique(
    document: Document,
    entries: Iterable[tuple[KeyPath, object]],
    why: str,
    meanings: Callable[[str], Collection[str]] = _itself,
) -> None:
    """Notes each text that was there before, or another that means the same."""
    first: dict[str, KeyPath] = {}
    for path, text in entries:
        if not isinstance(text, str):
            continue
        for meaning in meanings(text):
            if (before := first.setdefault(meaning, path)) != path:
                place = f"{key_text(before)} on line {document.line(before)}"
                document.mistake(path, f"{value_text(text)} is also {place}; {why}")
                break


def _tables(value: object) -> list[tuple[Any, Mapping[str, Any]]]:
    """The tables in a table (by key) or in a list (by index), as far as they are tables."""
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, list) else ())
    )
    return [(key, table) for key, table in pairs if isinstance(table, Mapping)]


def _warn(document: Document, site: Site) -> None:
    """Notes what is odd but allowed."""
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
