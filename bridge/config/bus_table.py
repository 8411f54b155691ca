"""How the table of a bus, with the blocks of its sensors, becomes a Bus.

A sensor's block holds two kinds of keys: those that every sensor has, and those of its protocol (address,
registers), which the protocol reads and checks; a bus's table may hold such keys too. A mistake in one block
does not end the checks of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from bridge.config.document import Document, key_text
from bridge.config.models import OwnModels
from bridge.config.neighbours import (
    ask_about_addresses,
    refuse_neighbours,
    refuse_same_id,
    refuse_unheard,
)
from bridge.config.places import check_bus_name, check_plain_name
from bridge.config.tables import INHERITED, RS485, Bus, Sensor, suggestions
from bridge.config.toml_lines import KeyPath
from protocols import CATALOGUE, load, names
from protocols.toolkit.errors import PackageError, SettingsError
from protocols.toolkit.keys import nearest
from protocols.toolkit.protocol import (
    CatalogueEntry,
    PolledProtocol,
    Protocol,
    ProtocolTemplate,
    PushingProtocol,
    Settings,
)

_NO_LINE = (
    "is missing; the sensor's manual decides: write baud rate, data bits, parity, stop bits, "
    'for example line = "9600 8N1"'
)
_POLLING_KEYS = (*INHERITED, "settle")  # a bus of pushing sensors has none of these


def read_bus(document: Document, name: str, table: object, own_models: OwnModels) -> Bus | None:
    """Return a bus with its sensors; None if its own keys have a mistake, which is noted."""
    path = ("bus", name)
    if not isinstance(table, Mapping):
        document.mistake(path, "a bus has a name and a table of its own: [bus.NAME]")
        return None
    try:
        check_bus_name(name)
    except ValueError as error:
        document.mistake(path, str(error))
    return _BusTable(document, path, table, own_models).read()


class _BusTable:
    """The table of one bus, while it is read; its mistakes are noted in the document."""

    def __init__(
        self, document: Document, path: tuple[str, str], table: Mapping[str, Any], own_models: OwnModels
    ) -> None:
        self._document = document
        self._path = path
        self._table = table
        self._own_models = own_models
        self._entry = _catalogue_entry(_protocol_name(table), own_models)
        self._protocol_keys = set(self._entry.bus_schema["properties"]) if self._entry else set()
        self._misspelt = document.unknown_keys(
            path, table, {*Bus.fields_by_key(), *self._protocol_keys}, _homes_below(path, table, self._entry)
        )
        self._protocol = self._declared()
        self._why_not_asked = _why_nothing_is_asked(table, self._protocol)
        self._inherited = {key: table[key] for key in INHERITED if key in table}

    def read(self) -> Bus | None:
        """Return the bus with those of its sensors that have no mistake; None if its own keys have one."""
        bus = self._bus()
        blocks = self._table.get("sensor", [])
        if not isinstance(blocks, list):
            self._mistake(
                "sensor",
                f"write each sensor as a block in double brackets: [[{key_text(self._path)}.sensor]]",
            )
            return None
        inherited = {"bus": self._path[1], **(self._inherited if bus else {})}
        sensors = [
            self._sensor((*self._path, "sensor", index), block, inherited)
            for index, block in enumerate(blocks)
        ]
        self._check_together(blocks, sensors)
        right_sensors = tuple(sensor for sensor in sensors if sensor)
        return bus and replace(bus, sensors=right_sensors, protocol=self._protocol or bus.protocol)

    def _mistake(self, key: str, message: str) -> None:
        self._document.mistake((*self._path, key), message)

    def _declared(self) -> Protocol | None:
        """Return the protocol as the bus declares it with its keys; None if these have a mistake."""
        if not isinstance(self._entry, ProtocolTemplate):
            return self._entry
        values = {key: value for key, value in self._table.items() if key in self._protocol_keys}
        try:
            return self._entry.declared_by(values)
        except SettingsError as error:
            for below, message in error.problems:
                if below[0] in values or below[0] not in self._misspelt:
                    self._document.mistake((*self._path, *below), message)
            return None

    def _bus(self) -> Bus | None:
        """Return the bus without its sensors; None if its keys have a mistake."""
        table, entry = self._table, self._entry
        overrides: dict[str, Any] = {"name": self._path[1], "sensor": ()}
        if "rs485" in table:
            overrides["rs485"] = self._document.check(RS485, (*self._path, "rs485"), table["rs485"])
        if "line" not in table and "protocol" in table:
            overrides["line"] = entry and entry.line
            if entry and entry.line is None and "line" not in self._misspelt:
                self._mistake("line", _NO_LINE)
        if self._why_not_asked:
            self._refuse_polling_keys(self._path, table, _POLLING_KEYS)
        elif isinstance(self._protocol, PolledProtocol) and "reply_timeout" not in table:
            reply_timeout = f"{1000 * self._protocol.reply_timeout_s:g}ms"
            overrides["reply_timeout"] = self._inherited["reply_timeout"] = reply_timeout
        values = {key: value for key, value in table.items() if key in Bus.fields_by_key()}
        bus = self._document.check(Bus, self._path, values, overrides=overrides, misspelt=self._misspelt)
        if bus and bus.line.bytesize not in bus.protocol.bytesizes:
            bits = " or ".join(map(str, sorted(bus.protocol.bytesizes)))
            self._mistake("line", f'{bus.protocol.title} has {bits} data bits, "{bus.line}" does not')
        return bus

    def _check_together(self, blocks: Sequence[Any], sensors: Sequence[Sensor | None]) -> None:
        """Note what is wrong with sensors that are right by themselves, and with listening to them."""
        document, path, protocol = self._document, self._path, self._protocol
        if protocol is None:
            return
        self._refuse_listening(protocol)
        refuse_neighbours(document, path, protocol, sensors)
        if self._table.get("listen") is True and isinstance(protocol, PolledProtocol):
            refuse_unheard(document, path, protocol, sensors)
        if isinstance(protocol, PushingProtocol):
            refuse_same_id(document, path, blocks, sensors)
        else:
            ask_about_addresses(document, path, sensors)

    def _refuse_listening(self, protocol: Protocol) -> None:
        """Note `listen` where it says nothing, or where there is no way to do it."""
        if self._table.get("listen") is not True:
            return
        if isinstance(protocol, PushingProtocol):
            self._mistake(
                "listen",
                f"the sensors of {protocol.title} push: they are only listened to anyhow, leave this out",
            )
        elif protocol.overhearer is None:
            able = ", ".join(name for name in CATALOGUE if _can_be_overheard(name))
            self._mistake("listen", f"a line of {protocol.title} cannot be listened to; these can: {able}")
        if "rs485" in self._table:
            self._mistake("rs485", "a bus that only listens never drives the line: leave this out")

    def _refuse_polling_keys(self, path: KeyPath, table: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Note keys that say how to poll, where nothing is asked."""
        for key in keys:
            if key in table:
                message = f"{self._why_not_asked}, so nothing waits for a reply: leave this out"
                self._document.mistake((*path, key), message)

    def _sensor(self, path: KeyPath, block: object, inherited: Mapping[str, Any]) -> Sensor | None:
        """Return a sensor; None if its block has a mistake, which is noted, or its protocol is unknown."""
        if not isinstance(block, Mapping):
            self._document.mistake(path, f"a sensor is a block of its own: [[{key_text(path[:-1])}]]")
            return None
        useless_keys: set[str] = set()
        if self._why_not_asked:
            self._refuse_polling_keys(path, block, INHERITED)
            if block.get("aligned") is True:
                message = f"{self._why_not_asked}, so nothing is asked at a time of the clock: leave this out"
                self._document.mistake((*path, "aligned"), message)
            useless_keys = {*INHERITED, "aligned"} - set(block)
        if not isinstance(self._protocol, PolledProtocol):  # None: unknown whether `every` is needed
            inherited = {"every": "0s", **inherited}
        known_keys = set(Sensor.fields_by_key())
        protocol_keys = set(self._protocol.schema["properties"] if self._protocol else block) - known_keys
        misspelt = self._document.unknown_keys(path, block, {*known_keys, *protocol_keys} - useless_keys)
        values = {key: value for key, value in block.items() if key in known_keys}
        if self._why_not_asked:
            values.pop("aligned", None)
        missing_values = {key: value for key, value in inherited.items() if key not in values}
        sensor = self._document.check(
            Sensor, path, values, overrides={**missing_values, "settings": None}, misspelt=misspelt
        )
        if self._protocol is None:
            return None
        settings = self._settings(self._protocol, path, block, protocol_keys, misspelt)
        return None if sensor is None or settings is None else replace(sensor, settings=settings)

    def _settings(
        self,
        protocol: Protocol,
        path: KeyPath,
        block: Mapping[str, Any],
        protocol_keys: Set[str],
        misspelt: Set[str],
    ) -> Settings | None:
        """Return what a sensor's protocol reads from its keys; None if these have a mistake."""
        values = {key: value for key, value in block.items() if key in protocol_keys}
        try:
            settings = protocol.settings(values)
        except SettingsError as error:
            for below, message in error.problems:
                if (below[0] not in block and below[0] in misspelt) if below else misspelt & protocol_keys:
                    continue  # the misspelt key has a mistake of its own already
                if below == ("model",) and str(block.get("model")) in self._own_models.wrong:
                    continue  # the model exists; the mistakes in its file are reported
                self._document.mistake((*path, *below), _strayed(block, below) or message)
            return None
        for below, message in protocol.odd(values):
            self._document.warn((*path, *below), message)
        self._check_value_names(path, values, settings)
        return settings

    def _check_value_names(self, path: KeyPath, values: Mapping[str, Any], settings: Settings) -> None:
        """Note each name of a value that ThingsBoard would not show as it stands here: empty, or too long."""
        for name in settings.units:
            try:
                check_plain_name(name)
            except ValueError as error:
                places = [
                    (key, name)
                    for key, table in values.items()
                    if isinstance(table, Mapping) and name in table
                ]
                self._document.mistake((*path, *(places[0] if places else ())), str(error))


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


def _why_nothing_is_asked(table: Mapping[str, Any], entry: Protocol | None) -> str:
    """Return the reason, for a message, why the sensors of a bus are not asked; "" if they are."""
    if isinstance(entry, PushingProtocol):
        return f"the sensors of {entry.title} push"
    return "listen = true leaves the asking to another master" if table.get("listen") is True else ""


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
