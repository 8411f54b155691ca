"""`serial-bridge models`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, say

SECTION: Final = "When stuck"


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A model, to see its map and replay its vectors, or part of names."
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", metavar="WORD", help="Only devices of a kind, such as inverter.")
    ] = "",
    grade: Annotated[
        str,
        typer.Option("--grade", metavar="LETTERS", help="Only with this evidence: A, B, C, D or several."),
    ] = "",
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """List the device models, those with a word in their name, or show and prove one."""
    from bridge.commands.models.listing import (
        chosen,
        describe,
        is_right,
        listing,
        matching,
        not_a_model,
        nothing_chosen,
        shelf,
    )
    from bridge.commands.models.text import listing_text, model_text

    models_shelf = shelf(site)
    if name is None:
        rows = chosen(listing(models_shelf), kind, grade)
        if not rows:
            raise typer.BadParameter(nothing_chosen(listing(models_shelf)))
        print_json(rows) if as_json else say(listing_text(rows))
        return
    try:
        document = describe(name, models_shelf)
    except KeyError:
        rows = matching(name, chosen(listing(models_shelf), kind, grade))
        if not rows:
            raise typer.BadParameter(not_a_model(name, models_shelf)) from None
        print_json(rows) if as_json else say(
            f"{listing_text(rows)}\nnext: serial-bridge models {rows[0]['name']}"
        )
        return
    print_json(document) if as_json else say(model_text(document))
    raise typer.Exit(not is_right(document))
