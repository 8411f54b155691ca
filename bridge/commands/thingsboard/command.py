"""`serial-bridge thingsboard …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.help_text import Command, group
from bridge.commands.terminal.options import SITE, SitePath, tell

SECTION: Final = "Set up"

command = group("Make what ThingsBoard can import for this site.")


@command.callback()
def thingsboard() -> None:
    """Make what ThingsBoard can import for this site."""


@command.command("pack", cls=Command)
def write_pack(
    site: SitePath = SITE,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write the files into.")] = Path(
        "thingsboard"
    ),
    prefix: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="What the devices' names in ThingsBoard begin with, as for `provision`."
        ),
    ] = "",
) -> None:
    """Write device profiles with alarm rules, a rule chain, and dashboards, as JSON to import."""
    from bridge.commands.thingsboard.pack import pack, text, write
    from bridge.config import load_site
    from bridge.plain_text import lines

    site_pack = pack(load_site(site), prefix)
    write(site_pack.files, out)
    tell(lines(text(site_pack, out)))
