"""`serial-bridge run`."""

from __future__ import annotations

from typing import Final

from bridge.commands.terminal.logs import log_to_stderr
from bridge.commands.terminal.options import (
    SITE,
    CredentialsPath,
    DevicesPath,
    SitePath,
    Verbose,
    load_both,
    secrets_of,
)

SECTION: Final = "Services"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read every bus and deliver, until stopped."""
    from bridge import event_loop, gateway
    from bridge.config import with_keys

    log_to_stderr(verbose)
    site_settings, secrets = load_both(site, credentials)
    keyed = with_keys(site_settings, secrets_of(site, credentials))
    event_loop.run(gateway.run(keyed, secrets, devices=devices))
