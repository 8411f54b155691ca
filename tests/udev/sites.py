"""A site with buses on given adapters, and the files that `install` writes for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.commands.install.files import Places, files
from bridge.config import Bus, Site, ThingsBoard
from protocols import load
from protocols.toolkit.polling import LineSettings

ETC = Path("/etc/serial-bridge")
PLACES = Places(
    Path("/usr/bin/true"),
    ETC / "site.toml",
    Path("/var/lib/serial-bridge"),
    {"credentials.toml": ETC / "credentials.toml"},
)


def site_of(adapters: Mapping[str, str]) -> Site:
    """A site with a bus for each adapter, by name."""
    buses = {
        name: Bus(name=name, adapter=adapter, protocol=load("modbus-rtu"), line=LineSettings(9600))
        for name, adapter in adapters.items()
    }
    return Site(
        name="barn", path=ETC / "site.toml", thingsboard=ThingsBoard(url="coap://tb.example.com"), buses=buses
    )


def files_of(adapters: Mapping[str, str], places: Places = PLACES) -> dict[Path, str]:
    """Return what is written for it, by path."""
    return {file.path: file.text for file in files(site_of(adapters), places)}
