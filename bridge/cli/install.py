"""`serial-bridge install` and `uninstall`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.options import SITE, CredentialsPath, SitePath, say, secrets_of

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]


def _root(help_text: str) -> Any:
    return typer.Option("--root", help=help_text, metavar="FOLDER", file_okay=False)


def install(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    program: Annotated[
        Path | None,
        typer.Option(help="The serial-bridge that the services run; default: this one.", metavar="FILE"),
    ] = None,
    root: Annotated[
        Path,
        _root(
            "Write to the system in this folder, and run nothing; --site and --credentials are read in it."
        ),
    ] = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Have each bus start with its adapter, and the uplink at boot.

    Run it again after every edit: only what the edit concerns is restarted.
    """
    from bridge.commissioning.install import install as job

    secrets = secrets_of(site, credentials)
    job.install(site, secrets, program=program, root=root.absolute(), dry_run=dry_run, say=say)


def uninstall(
    root: Annotated[Path, _root("Remove it from the system in this folder, and run nothing.")] = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Undo `install`; the site and every reading stay."""
    from bridge.commissioning.install import install as job

    job.uninstall(root=root.absolute(), dry_run=dry_run, say=say)
