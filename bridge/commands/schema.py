"""`serial-bridge schema`."""

from __future__ import annotations

from typing import Final

from bridge.commands.terminal.options import SITE, SitePath, print_json

SECTION: Final = "Around it"


def command(site: SitePath = SITE) -> None:
    """Print the JSON Schema of site.toml, for editors."""
    from bridge.config import OwnModels, site_schema

    print_json(site_schema(OwnModels(site)))
