"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SitePath = Annotated[
    Path, typer.Option("--site", envvar="SERIAL_BRIDGE_SITE", help="The site file.", metavar="FILE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

SITE = Path("/etc/serial-bridge/site.toml")


def print_json(data: object) -> None:
    """One JSON document on standard output."""
    import json

    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
