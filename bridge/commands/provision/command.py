"""`serial-bridge provision`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, CredentialsPath, SitePath, secrets_of

SECTION: Final = "Set up"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    prefix: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="What the devices' names in ThingsBoard begin with, before the sensor's name.",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have ThingsBoard create a device for each sensor without one."""
    from bridge.commands.provision.view import show
    from bridge.config import load_site

    secrets = secrets_of(site, credentials)
    raise typer.Exit(show(load_site(site), secrets, prefix, dry_run=dry_run, as_json=as_json))
