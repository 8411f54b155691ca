"""`serial-bridge read`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, CredentialsPath, DevicesPath, SitePath, Verbose

SECTION: Final = "Services"


def command(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="The bus, as named in the site file.")],
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read one bus into the spool, until stopped."""
    from bridge import services

    services.read(bus, site, credentials, devices, verbose)
