"""`serial-bridge uplink`."""

from __future__ import annotations

from typing import Final

from bridge.commands.terminal.logs import log_to_stderr
from bridge.commands.terminal.options import SITE, CredentialsPath, SitePath, Verbose, load_both

SECTION: Final = "Services"


def command(site: SitePath = SITE, credentials: CredentialsPath = None, verbose: Verbose = 0) -> None:
    """Deliver what the spool holds to ThingsBoard, until stopped."""
    from bridge import event_loop, gateway

    log_to_stderr(verbose)
    site_settings, secrets = load_both(site, credentials)
    event_loop.run(gateway.uplink(site_settings, secrets))
