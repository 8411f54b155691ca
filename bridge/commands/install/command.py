"""`serial-bridge install`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, CredentialsPath, SitePath, say, secrets_of

SECTION: Final = "Set up"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    program: Annotated[
        Path | None,
        typer.Option(help="The serial-bridge that the services run; default: this one.", metavar="FILE"),
    ] = None,
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            help="Write to the system in this folder, and run nothing; "
            "--site and --credentials are read in it.",
            metavar="FOLDER",
            file_okay=False,
        ),
    ] = Path("/"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Have each bus start with its adapter, and the uplink at boot.

    Run it again after every edit: only what the edit concerns is restarted.
    """
    from bridge.commands.install import steps

    secrets = secrets_of(site, credentials)
    steps.install(site, secrets, program=program, root=root.absolute(), dry_run=dry_run, say=say)
