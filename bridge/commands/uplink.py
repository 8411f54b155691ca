"""`serial-bridge uplink`."""

from __future__ import annotations

from typing import Final

from bridge.commands.terminal.options import SITE, CredentialsPath, SitePath, Verbose

SECTION: Final = "Services"


def command(site: SitePath = SITE, credentials: CredentialsPath = None, verbose: Verbose = 0) -> None:
    """Deliver what the spool holds to ThingsBoard, until stopped."""
    from bridge import services

    services.uplink(site, credentials, verbose)
