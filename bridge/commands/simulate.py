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
    site: SitePath = SITE,
) -> None:
    """Play a site's sensors, for `run --devices FOLDER`."""
    from bridge.config import load_site
    from bridge.simulator.field.sensors import simulate_until_stopped

    simulate_until_stopped(load_site(site), devices, say)
