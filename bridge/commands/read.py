"""`serial-bridge read`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

import typer

from bridge.commands.terminal.logs import log_to_stderr
from bridge.commands.terminal.options import SITE, CredentialsPath, DevicesPath, SitePath, Verbose, secrets_of
from bridge.errors import ConfigError

SECTION: Final = "Services"


def command(
    bus: Annotated[str, typer.Argument(help="The bus, as named in the site file.")],
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read one bus into the spool, until stopped."""
    from bridge import event_loop, gateway
    from bridge.config import load_site, with_keys

    log_to_stderr(verbose)
    site_settings = load_site(site)
    if bus not in site_settings.buses:
        raise ConfigError(
            [f'{site}: there is no bus "{bus}"; the buses are: {", ".join(site_settings.buses)}']
        )
    keyed = with_keys(
        replace(site_settings, buses={bus: site_settings.buses[bus]}),
        secrets_of(site, credentials),
    )
    event_loop.run(gateway.read(site_settings, keyed.buses[bus], devices=devices))
