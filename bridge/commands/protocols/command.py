"""`serial-bridge protocols`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import AsJson, print_json, say

SECTION: Final = "When stuck"


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A protocol, to see the keys of its sensors.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the protocols a bus can speak, or show one."""
    from bridge.commands.protocols.listing import listing, listing_text
    from bridge.commands.protocols.page import page, page_text
    from protocols import load

    if name is None:
        rows = listing()
        print_json(rows) if as_json else say(listing_text(rows))
        return
    try:
        document = page(load(name))
    except KeyError:
        raise typer.BadParameter(
            f"{name!r} is not a protocol; `serial-bridge protocols` lists them"
        ) from None
    print_json(document) if as_json else say(page_text(document))
