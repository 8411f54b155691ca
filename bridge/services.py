"""The services: `serial-bridge read`, `uplink`, `run` and `web serve`, as systemd starts them.

A service lives long on a small machine, and starts whenever a cable is plugged in. So its command line is
read here, without what only a person at a terminal needs. Whatever is no plain order to start (`--help`,
completion, a misspelt option) is left to the command line, which knows how to answer a person. The page is a
service too, and a person waits for it to start; what it serves stands above this module, so its caller
starts it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bridge.exits import foreseen_errors
from bridge.lean_imports import absent, postpone

SITE = Path("/etc/serial-bridge/site.toml")
"""The site file unless one is named."""

VARIABLES: Final = {
    "--site": "SERIAL_BRIDGE_SITE",
    "--credentials": "SERIAL_BRIDGE_CREDENTIALS",
    "--devices": "SERIAL_BRIDGE_DEVICES",
}
"""The options that name a file, each with the variable of the environment that stands for it."""

PAGE: Final = "web serve"
_OPTIONS = {
    "read": set(VARIABLES),
    "uplink": {"--site", "--credentials"},
    "run": set(VARIABLES),
    PAGE: {"--site"},
}
_VERBOSE = {"-v": 1, "-vv": 2, "--verbose": 1}


@dataclass(frozen=True, slots=True)
class Order:
    """What to start.

    Attributes:
        service: "read", "uplink", "run" or `PAGE`.
        bus: the bus to read; None for all, or for none.
        site: the site file.
        credentials: the credentials file; None for the one beside the site file.
        devices: a folder with a link to a port for each bus; used before the adapter in the site file.
        verbose: 1 to log more, 2 for the bytes on the wire too.
    """

    service: str
    bus: str | None = None
    site: Path = SITE
    credentials: Path | None = None
    devices: Path | None = None
    verbose: int = 0

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Order | None:
        """Return the order that the arguments of a process give; None if a person may need an answer."""
        words_of_service = 2 if [*arguments[:2]] == PAGE.split() else 1
        service, options = " ".join(arguments[:words_of_service]), arguments[words_of_service:]
        if service not in _OPTIONS:
            return None
        paths = {option: os.environ.get(variable, "") for option, variable in VARIABLES.items()}
        buses: list[str] = []
        verbose = 0
        words = iter(options)
        for word in words:
            option, equals, value = word.partition("=")
            if option in _OPTIONS[service]:
                paths[option] = value if equals else next(words, "")
                if not paths[option]:
                    return None
            elif word in _VERBOSE:
                verbose += _VERBOSE[word]
            elif word.startswith("-"):
                return None
            else:
                buses.append(word)
        if len(buses) != (1 if service == "read" else 0):
            return None
        site, credentials, devices = (Path(path) if path else None for path in paths.values())
        return cls(service, "".join(buses) or None, site or SITE, credentials, devices, verbose)


def start(order: Order) -> None:
    """Run a service other than the page until it is stopped, and exit."""
    with absent("ssl", "_hashlib"):
        import asyncio  # noqa: F401 — whoever imports them later gets these
        import hashlib  # noqa: F401
        import hmac  # noqa: F401
    postpone("pdb", "pickle")
    with foreseen_errors():
        match order.service:
            case "read":
                assert order.bus is not None
                read(order.bus, order.site, order.credentials, order.devices, order.verbose)
            case "uplink":
                uplink(order.site, order.credentials, order.verbose)
            case _:
                run(order.site, order.credentials, order.devices, order.verbose)


def read(bus: str, site: Path, credentials: Path | None, devices: Path | None, verbose: int) -> None:
    """Read one bus into the spool, until stopped.

    Raises:
        ConfigError: the site file has mistakes, or no such bus.
        AlreadyRunning: another process reads this bus.
    """
    from bridge import event_loop, gateway
    from bridge.config import load_site, with_keys
    from bridge.errors import ConfigError
    from bridge.logs import log_to_stderr

    log_to_stderr(verbose)
    site_settings = load_site(site)
    if bus not in site_settings.buses:
        raise ConfigError(
            [f'{site}: there is no bus "{bus}"; the buses are: {", ".join(site_settings.buses)}']
        )
    own_bus = replace(site_settings, buses={bus: site_settings.buses[bus]})
    keyed = with_keys(own_bus, secrets_of(site, credentials))
    event_loop.run(gateway.read(site_settings, keyed.buses[bus], devices=devices))


def uplink(site: Path, credentials: Path | None, verbose: int) -> None:
    """Deliver what the spool holds, until stopped.

    Raises:
        ConfigError: the files have mistakes.
        AlreadyRunning: another process delivers from this spool.
    """
    from bridge import event_loop, gateway
    from bridge.config import load
    from bridge.logs import log_to_stderr

    log_to_stderr(verbose)
    site_settings, secrets = load(site, secrets_of(site, credentials))
    event_loop.run(gateway.uplink(site_settings, secrets))


def run(site: Path, credentials: Path | None, devices: Path | None, verbose: int) -> None:
    """Read every bus and deliver, until stopped.

    Raises:
        ConfigError: the files have mistakes.
        AlreadyRunning: another process reads one of the buses or delivers from this spool.
    """
    from bridge import event_loop, gateway
    from bridge.config import load, with_keys
    from bridge.logs import log_to_stderr

    log_to_stderr(verbose)
    site_settings, secrets = load(site, secrets_of(site, credentials))
    keyed = with_keys(site_settings, secrets_of(site, credentials))
    event_loop.run(gateway.run(keyed, secrets, devices=devices))


def secrets_of(site: Path, credentials: Path | None) -> Path:
    """Return the path of the credentials file.

    It is `credentials` if that is not None, else the file that systemd hands over (LoadCredential=), else the
    one beside the site file.
    """
    if credentials is not None:
        return credentials
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        handed_over = Path(folder) / "credentials.toml"
        if os.access(handed_over, os.R_OK):
            return handed_over
    return site.parent / "credentials.toml"
