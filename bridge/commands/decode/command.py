"""`serial-bridge decode`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath

SECTION: Final = "When stuck"


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROTOCOL HEX|-",
            help="One of `serial-bridge protocols`, then bytes in hex, or - for one stream on each line.",
        ),
    ] = None,
    capture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Decode a capture, in place of the bytes.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name the registers after this device model.")
    ] = None,
    bus: Annotated[
        str | None,
        typer.Option(metavar="BUS", help="Decode what this bus speaks; with it, PROTOCOL may be left out."),
    ] = None,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """Take bytes apart into frames and values.

    Exit status 1 if there is not one frame.
    """
    from bridge.commands.decode.streams import entry_of
    from bridge.commands.decode.streams import run as decode_streams

    *names, data = [*(words or []), ""] if capture else words or [""]
    if len(names) > 1 or not (names or bus) or not (data or capture):
        raise typer.BadParameter("name one protocol (or --bus), then all bytes in one word, or -")
    try:
        entry = entry_of(names[0] if names else None, bus, site)
    except KeyError:
        raise typer.BadParameter(
            f"{names[0]!r} is not a protocol; `serial-bridge protocols` lists them"
        ) from None
    raise typer.Exit(decode_streams(entry, capture or data, model, as_json, sys.stdin, sys.stdout))
