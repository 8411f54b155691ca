"""`serial-bridge uninstall`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import say

SECTION: Final = "Set up"


def command(
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            help="Remove it from the system in this folder, and run nothing.",
            metavar="FOLDER",
            file_okay=False,
        ),
    ] = Path("/"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Undo `install`; the site and every reading stay."""
    from bridge.commands.install import steps

    steps.uninstall(root=root.absolute(), dry_run=dry_run, say=say)
