"""`serial-bridge simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, SitePath, say

SECTION: Final = "Around it"


def command(
    devices: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to put one link for each bus; made if missing.")
    ],
    capture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play a capture with its timing instead, as the one bus --bus."),
    ] = None,
    bus: Annotated[str, typer.Option(help="With --capture: the name of the link.")] = "captured",
    site: SitePath = SITE,
) -> None:
    """Play a site's sensors, or a capture, for `run --devices FOLDER`."""
    if capture is not None:
        from bridge.captures import read
        from bridge.simulator.field.replay import replay

        replay(read(capture), devices / bus, say)
        return
    from bridge.config import load_site
    from bridge.simulator.field.sensors import simulate_until_stopped

    simulate_until_stopped(load_site(site), devices, say)
