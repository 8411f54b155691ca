"""The two files as `setup` writes them: a decision at a time, so that what was decided outlives a Ctrl-C.

Until the last decision site.toml is not complete, so it is read as plain tables here; what a person has
written in it stays, comments included.
"""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit

from bridge.commands.provision.credentials_edit import store
from bridge.commands.terminal.next_step import SITE
from bridge.config.document import Document
from bridge.config.edit import check_writable, edit, edit_tables
from bridge.config.places import check_plain_name
from bridge.errors import ConfigError
from bridge.files import replace_regular

_BY_HAND = "write it by hand"


class Draft:
    """A site that is being set up.

    Args:
        site: site.toml, which need not exist yet.
        credentials: credentials.toml, likewise.
    """

    def __init__(self, site: Path, credentials: Path) -> None:
        self.site = site
        self.credentials = credentials

    @property
    def tables(self) -> dict[str, Any]:
        """Return the tables of site.toml as they are now; {} if there is none. Errors as for `Document`."""
        return Document.read(self.site).tables if self.site.exists() else {}

    @property
    def url(self) -> str:
        """Return the server's url; "" if it is not decided."""
        return str(self.tables.get("thingsboard", {}).get("url", ""))

    def bus(self, name: str) -> dict[str, Any]:
        """Return the table of a bus; {} if there is none."""
        table = self.tables.get("bus", {}).get(name, {})
        return dict(table) if isinstance(table, Mapping) else {}

    def sensors(self, bus: str) -> list[dict[str, Any]]:
        """Return the blocks of the sensors of a bus."""
        return [dict(block) for block in self.bus(bus).get("sensor", ())]

    @property
    def names(self) -> list[str]:
        """Return the names of all sensors of the site."""
        buses = self.tables.get("bus", {}).values()
        return [str(block.get("name")) for bus in buses for block in bus.get("sensor", ())]

    def begin(self) -> None:
        """Make site.toml if there is none. Raises ConfigError if it cannot be written."""
        if self.site.exists():
            check_writable(self.site)
            return
        lines = [f"site = {_toml(_site_name())}", "", "[thingsboard]", ""]
        if self.site.absolute() != SITE:
            lines += ["[spool]", 'path = "spool.db"        # where readings wait: beside this file', ""]
        self._make(self.site, "\n".join(lines), 0o644)

    def set_adapter(self, bus: str, adapter: str) -> None:
        """Write the adapter of a bus, and the bus if it is new."""

        def change(tables: Any) -> None:
            tables["bus"][bus]["adapter"] = adapter

        if not self.bus(bus):
            self._append(f"[bus.{bus}]\nadapter = {_toml(adapter)}\n")
        elif self.bus(bus).get("adapter") != adapter:
            edit_tables(self.site, change, _BY_HAND)

    def set_line(self, bus: str, protocol: str, line: str) -> None:
        """Write what a bus speaks, and its line settings."""
        values = {"protocol": protocol, "line": line}

        def change(tables: Any) -> None:
            table = tables["bus"][bus]
            blocks = None if values.keys() <= table.keys() else table.pop("sensor", None)
            for key, value in values.items():
                table[key] = value
            if blocks is not None:
                table["sensor"] = blocks  # new keys of the bus stand above its sensors

        present = self.bus(bus)
        if any(present.get(key) != value for key, value in values.items()):
            edit_tables(self.site, change, _BY_HAND)

    def add_sensor(self, bus: str, keys: Mapping[str, Any]) -> None:
        """Append a sensor's block."""
        lines = [f"[[bus.{bus}.sensor]]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in keys.items()]
        self._append("\n".join(lines) + "\n")

    def set_url(self, url: str) -> None:
        """Write the url of the server."""

        def change(tables: Any) -> None:
            tables.setdefault("thingsboard", {})["url"] = url

        if self.url != url:
            edit_tables(self.site, change, _BY_HAND)

    def credentials_tables(self) -> dict[str, Any]:
        """Return the tables of credentials.toml; {} if there is none."""
        if not self.credentials.exists():
            return {}
        return Document.read(self.credentials, secret=True).tables

    @property
    def without_credential(self) -> list[str]:
        """Return the sensors without a credential."""
        credentials = self.credentials_tables().get("sensors", {})
        return [name for name in self.names if name not in credentials]

    def set_tokens(self, tokens: Mapping[str, str]) -> None:
        """Write access tokens of sensors."""
        self._begin_credentials()
        pending = self.credentials_tables().get("pending", {})
        store(self.credentials, tokens, {name: text for name, text in pending.items() if name not in tokens})

    def set_provisioning(self, device_key: str, device_secret: str) -> None:
        """Write what lets ThingsBoard create the devices."""
        self._begin_credentials()
        secrets = {"device_key": device_key, "device_secret": device_secret}

        def change(tables: Any) -> None:
            tables["provisioning"] = secrets

        edit_tables(self.credentials, change, _BY_HAND)

    def _begin_credentials(self) -> None:
        if not self.credentials.exists():
            self._make(self.credentials, "", 0o600)

    def _make(self, path: Path, text: str, mode: int) -> None:
        try:
            path.absolute().parent.mkdir(parents=True, exist_ok=True)
            replace_regular(path, text.encode(), mode=mode, is_durable=True)
        except OSError as error:
            raise ConfigError(
                [f"{path}: cannot be written ({error.strerror}): use sudo, or name a file with --site"]
            ) from None

    def _append(self, block: str) -> None:
        edit(self.site, lambda text: _appended(self.site, text, block))


def _appended(path: Path, text: str, block: str) -> str:
    """Return the text with a block behind it, if that adds nothing but the block."""
    separator = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    new_text = f"{text}{separator}{block}"
    with suppress(tomllib.TOMLDecodeError):
        before, after = tomllib.loads(text), tomllib.loads(new_text)
        if _without_new(before, after) == before:
            return new_text
    raise ConfigError([f"{path}: cannot be edited as it is written: write this by hand:\n{block}"])


def _without_new(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return `after` without what `before` does not have."""
    result: dict[str, Any] = {}
    for key, value in before.items():
        new_value = after.get(key)
        if isinstance(value, dict) and isinstance(new_value, dict):
            result[key] = _without_new(value, new_value)
        elif isinstance(value, list) and isinstance(new_value, list):
            result[key] = new_value[: len(value)]
        elif key in after:
            result[key] = new_value
    return result


def _site_name() -> str:
    name = socket.gethostname().partition(".")[0]
    try:
        return check_plain_name(name)
    except ValueError:
        return "site"


def _toml(value: Any) -> str:
    """Return a value as TOML writes it, a table in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(tomlkit.item(value).as_string())


def _key(key: str) -> str:
    return str(tomlkit.key(key).as_string())
