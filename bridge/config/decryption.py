"""[decryption]: the keys of meters that encrypt what they send.

    [decryption]
    house = "00112233445566778899AABBCCDDEEFF"
    barn = { key = "0011…", authentication_key = "FFEE…" }

The keys are in credentials.toml, or in decryption.toml beside it. A reader needs them and must see no token:
as a service it cannot open credentials.toml, so there the keys have the file of their own, which belongs to
the service's user. No message and no repr ever holds a key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Final

from bridge.config.document import Document
from bridge.config.tables import Bus, Site
from bridge.config.toml_lines import KeyPath
from bridge.errors import ConfigError
from protocols.toolkit.keys import nearest
from protocols.toolkit.meter_keys import MeterKey, parse_key

TABLE: Final = "decryption"
FILE: Final = "decryption.toml"
KEYS: Final = ("key", "authentication_key")


def with_keys(site: Site, credentials: Path) -> Site:
    """Return the site with buses that decrypt; the same site if no protocol of it does.

    Args:
        credentials: where credentials.toml is. If it may not be read, there are no keys.

    Raises:
        ConfigError: every mistake in the keys' file, each with file, line, key, rule and fix.
    """
    if not any(bus.protocol.with_keys for bus in site.buses.values()):
        return site
    own_file = credentials.with_name(FILE)
    path = own_file if own_file.exists() else credentials
    if path == credentials and not os.access(path, os.R_OK):
        return site
    document = Document.read(path, secret=True, public_keys={TABLE, *KEYS, *site.sensors})
    if path == own_file:
        document.unknown_keys((), document.tables, (TABLE,))
        if path.stat().st_mode & 0o077:
            document.mistake((), f"others may read this file, run: chmod 600 {quote(str(path))}")
    keys = read_keys(document, site)
    if document.mistakes:
        raise ConfigError(document.mistakes)
    return replace(site, buses={name: _keyed(bus, keys) for name, bus in site.buses.items()})


def read_keys(document: Document, site: Site | None) -> dict[str, MeterKey]:
    """Return the keys of a file's table, by the sensors' names; mistakes are noted in the document."""
    table = document.tables.get(TABLE, {})
    if not isinstance(table, Mapping):
        document.mistake((TABLE,), "this must be a table: [decryption], and a line for each sensor")
        return {}
    keys = {name: _key(document, (TABLE, name), value) for name, value in table.items()}
    if site:
        for name in table:
            _check_sensor(document, site, name)
    return {name: key for name, key in keys.items() if key}


def _key(document: Document, path: KeyPath, value: object) -> MeterKey | None:
    """Return one sensor's keys, written as the key alone or as a table of both; None if there is none."""
    table: Mapping[str, object] = value if isinstance(value, Mapping) else {"key": value}
    if isinstance(value, Mapping):
        document.unknown_keys(path, value, KEYS)
        if "key" not in value:
            document.mistake((*path, "key"), "is missing: it is the one that decrypts")
    octets: dict[str, bytes] = {}
    for name in KEYS:
        place = (*path, name) if isinstance(value, Mapping) else path
        digits = table.get(name, "")
        if name not in table:
            continue
        if not isinstance(digits, str):
            document.mistake(place, "write the key in quotes: 32 hexadecimal digits")
            continue
        try:
            octets[name] = parse_key(digits)
        except ValueError as error:
            document.mistake(place, str(error))
    return MeterKey(octets["key"], octets.get("authentication_key")) if "key" in octets else None


def _check_sensor(document: Document, site: Site, name: str) -> None:
    """Note a key that no sensor needs."""
    sensor = site.sensors.get(name)
    if sensor is None:
        near = nearest(name, site.sensors)
        hint = f'; did you mean "{near}"?' if near else ""
        document.warn((TABLE, name), f"{site.path} has no such sensor{hint}")
    elif site.buses[sensor.bus].protocol.with_keys is None:
        protocol = site.buses[sensor.bus].protocol.name
        document.mistake(
            (TABLE, name), f"sensors of {protocol} do not encrypt what they send: leave this out"
        )


def _keyed(bus: Bus, keys: Mapping[str, MeterKey]) -> Bus:
    """Return the bus with a protocol that has the keys of its sensors."""
    entry = bus.protocol
    bus_keys = {sensor.settings.address: keys[sensor.name] for sensor in bus.sensors if sensor.name in keys}
    return replace(bus, protocol=entry.with_keys(bus_keys)) if bus_keys and entry.with_keys else bus
