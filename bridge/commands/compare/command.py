"""`serial-bridge compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, DevicesPath, SitePath, print_json, say, tell

SECTION: Final = "When stuck"


def command(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="A bus with `listen = true`.")],
    minutes: Annotated[float, typer.Option(metavar="MINUTES", help="How long to listen.", min=0.01)] = 10.0,
    read: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with a capture of the line instead.")
    ] = None,
    site: SitePath = SITE,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Compare what this bridge would read with what the bus's master gets; send nothing.

    Exit status 1 if there was not one frame.
    """
    from bridge import event_loop
    from bridge.commands.compare.listening import compare
    from bridge.commands.compare.text import text
    from bridge.commands.sniff.source import listening_bus, source_of

    listening = listening_bus(bus, site)
    source = source_of(bus, None, None, read, site, devices)
    if read is None:
        tell(f"listens to bus {bus} for {minutes:g} min; Ctrl-C ends it and compares what it heard", err=True)
    document = event_loop.run(compare(listening, source, 60 * minutes, site))
    print_json(document) if as_json else say(text(document))
    raise typer.Exit(not document["frames"])
