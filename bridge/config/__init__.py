"""The files that people write: site.toml and credentials.toml.

Loading returns frozen, validated objects, or raises `ConfigError` with every mistake at once.
Nothing else in the bridge reads these files, and nothing here opens a port or a connection. Each name is
imported from its file when it is asked for, so that a reader never loads what knows the credentials.

    toml_lines    the line of each key                  syntax    advice for a file that is not TOML
    toml_bounds   bounds on a file's size and depth
    document      a file, its tables and its mistakes   wording   values as messages show them
    keys          what a table's class declares         kinds     what a key's value may be
    quantities    "10s", "1GB"                          places    URLs, adapters, names
    tables        the tables of site.toml               site      how they become a Site
    bus_table     a bus and its sensors                 neighbours  what only both together make wrong
    credentials   credentials.toml                      watch     its edits while the bridge runs
    decryption    the keys of meters that encrypt
    models        a site's own device models            schema    site.toml for editors
    fingerprints  which service an edit concerns
    offsets       what is added to a counter            edit      changes to a person's file
    foreign_words the keys and values that other programs use, and what they are here
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.config.credentials import Certificate, Credentials, Provisioning, Token, load_credentials
    from bridge.config.decryption import with_keys
    from bridge.config.models import OwnModels
    from bridge.config.offsets import Offset
    from bridge.config.schema import site_schema
    from bridge.config.site import load_site
    from bridge.config.tables import RS485, Bus, ClockSettings, Sensor, Site, SpoolSettings, ThingsBoard
    from bridge.config.watch import CredentialsWatch

__all__ = [
    "RS485",
    "Bus",
    "Certificate",
    "ClockSettings",
    "Credentials",
    "CredentialsWatch",
    "Offset",
    "OwnModels",
    "Provisioning",
    "Sensor",
    "Site",
    "SpoolSettings",
    "ThingsBoard",
    "Token",
    "load",
    "load_credentials",
    "load_site",
    "site_schema",
    "with_keys",
]

_FILES = {
    "credentials": ("Certificate", "Credentials", "Provisioning", "Token", "load_credentials"),
    "decryption": ("with_keys",),
    "models": ("OwnModels",),
    "offsets": ("Offset",),
    "schema": ("site_schema",),
    "site": ("load_site",),
    "tables": ("RS485", "Bus", "ClockSettings", "Sensor", "Site", "SpoolSettings", "ThingsBoard"),
    "watch": ("CredentialsWatch",),
}


def __getattr__(name: str) -> Any:
    """Import a name from its file (PEP 562)."""
    for file, names in _FILES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(site: Path, credentials: Path) -> tuple[Site, Credentials]:
    """Read site.toml and credentials.toml.

    Raises:
        ConfigError: every mistake in either file.
    """
    from bridge.config.credentials import load_credentials
    from bridge.config.site import load_site

    mistakes: list[str] = []
    site_settings: Site | None = None
    secrets: Credentials | None = None
    try:
        site_settings = load_site(site)
    except ConfigError as error:
        mistakes += error.mistakes
    try:
        secrets = load_credentials(credentials, site_settings)
    except ConfigError as error:
        mistakes += error.mistakes
    if site_settings is None or secrets is None:
        raise ConfigError(mistakes)
    return site_settings, secrets
