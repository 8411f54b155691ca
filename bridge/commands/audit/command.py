"""`serial-bridge audit`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, tell

SECTION: Final = "Every day"


def command(
    site: SitePath = SITE,
    last: Annotated[
        int, typer.Option(metavar="COUNT", help="How many changes to show, the newest last.", min=1)
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List who changed what of this site, and when."""
    from bridge.commands.audit.listing import text
    from bridge.commands.terminal.audited import log_of

    log = log_of(site)
    entries, torn = log.entries()
    if as_json:
        print_json({"paths": [str(path) for path in log.paths], "torn": torn, "entries": entries[-last:]})
    else:
        tell(text(log.paths, entries, torn, last))
