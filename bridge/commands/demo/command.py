"""`serial-bridge demo`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

SECTION: Final = "Around it"


def command(
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="How long to run.", min=5)] = 40,
) -> None:
    """Show the whole job: no hardware, no server, one outage."""
    from bridge import event_loop
    from bridge.commands.demo.show import show

    raise typer.Exit(event_loop.run(show(seconds)))
