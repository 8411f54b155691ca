"""`serial-bridge thingsboard …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, SitePath, say

SECTION: Final = "Set up"

command = typer.Typer(
    help="Make what ThingsBoard can import for this site.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@command.callback()
def thingsboard() -> None:
    """Make what ThingsBoard can import for this site."""


@command.command("pack")
def write_pack(
    site: SitePath = SITE,
    out: Annotated[Path, typer.Option(help="The folder to write the files into.")] = Path("thingsboard"),
    prefix: Annotated[
        str, typer.Option(help="What the devices' names in ThingsBoard begin with, as for `provision`.")
    ] = "",
) -> None:
    """Write device profiles with alarm rules, a rule chain, and dashboards, as JSON to import."""
    from bridge.commands.thingsboard.pack import pack, text, write
    from bridge.config import load_site
    from bridge.plain_text import lines

    made = pack(load_site(site), prefix)
    write(made.files, out)
    say(lines(text(made, out)))
