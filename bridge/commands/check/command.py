"""`serial-bridge check`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import (
    SITE,
    AsJson,
    CredentialsPath,
    SitePath,
    load_both,
    print_json,
    secrets_of,
    tell,
)

SECTION: Final = "Set up"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="List every request with its time on the wire.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check both files and say what would run; open nothing."""
    from bridge.commands.check.summary import summary, text
    from bridge.config import with_keys

    site_settings, secrets = load_both(site, credentials)
    with_keys(site_settings, secrets_of(site, credentials))
    document = summary(site_settings, secrets)
    print_json(document) if as_json else tell(text(document, plan=plan, site=site))
