"""`serial-bridge models`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, say

SECTION: Final = "When stuck"


def command(
    name: Annotated[
        str | None, typer.Argument(help="A model, to see its map and replay its vectors.")
    ] = None,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """List the device models, or show and prove one."""
    from bridge.commands.models.listing import describe, is_right, listing, listing_text, model_text, shelf

    models_shelf = shelf(site)
    if name is None:
        rows = listing(models_shelf)
        print_json(rows) if as_json else say(listing_text(rows))
        return
    try:
        document = describe(name, models_shelf)
    except KeyError:
        raise typer.BadParameter(f"{name!r} is not a model; `serial-bridge models` lists them") from None
    print_json(document) if as_json else say(model_text(document))
    raise typer.Exit(not is_right(document))
