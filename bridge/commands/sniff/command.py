"""`serial-bridge sniff`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, DevicesPath, SitePath, say

SECTION: Final = "When stuck"


def command(
    line: Annotated[
        str | None,
        typer.Argument(metavar="BUS|PORT", help="A bus of the site file, or a device file: /dev/ttyUSB0."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is spoken; of a bus, its own.")
    ] = None,
    settings: Annotated[
        str | None, typer.Option("--line", metavar='"9600 8N1"', help="Line settings; of a bus, its own.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name the registers after this device model.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long to listen.", min=0.1)
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep it: pcapng for Wireshark, or FILE.jsonl.")
    ] = None,
    read: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show a capture instead of a line.")
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Say who is polled, and propose blocks for site.toml (60 s).")
    ] = False,
    address: Annotated[
        int | None, typer.Option(metavar="ADDRESS", help="Show the frames of this address only.")
    ] = None,
    site: SitePath = SITE,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what passes on a line, both directions; send nothing.

    Exit status 1 if there was not one frame.
    """
    from bridge import event_loop
    from bridge.commands.sniff import listener
    from bridge.commands.sniff.source import source_of

    source = source_of(line, protocol, settings, read, site, devices)
    sniffed = event_loop.run(
        listener.listen(
            source,
            listener.Wishes(
                model=model,
                seconds=seconds if seconds is not None else 60.0 if learn and not read else None,
                write=write,
                is_learning=learn,
                address=address,
                as_json=as_json,
                is_coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
            ),
            say,
        )
    )
    raise typer.Exit(not sniffed)
