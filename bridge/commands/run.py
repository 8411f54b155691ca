"""`serial-bridge run`."""

from __future__ import annotations

from typing import Final

from bridge.commands.terminal.options import SITE, CredentialsPath, DevicesPath, SitePath, Verbose

SECTION: Final = "Services"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read every bus and deliver, until stopped."""
    from bridge import services

    services.run(site, credentials, devices, verbose)
