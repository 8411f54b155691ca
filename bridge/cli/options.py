"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bridge.commissioning.next_step import SITE
from bridge.plain_text import json_text, visible

__all__ = ["SITE", "AsJson", "CredentialsPath", "SitePath", "print_json", "say", "secrets_of"]

SitePath = Annotated[
    Path, typer.Option("--site", envvar="SERIAL_BRIDGE_SITE", help="The site file.", metavar="FILE")
]
CredentialsPath = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        envvar="SERIAL_BRIDGE_CREDENTIALS",
        help="The credentials file; default: the one beside the site file.",
        metavar="FILE",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def secrets_of(site: Path, credentials: Path | None) -> Path:
    """Return the path of the credentials file.

    It is `credentials` if that is not None, else the file that systemd hands over (LoadCredential=), else the
    one beside the site file.
    """
    if credentials is not None:
        return credentials
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        handed_over = Path(folder) / "credentials.toml"
        if os.access(handed_over, os.R_OK):
            return handed_over
    return site.with_name("credentials.toml")


def print_json(data: object) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json_text(data, indent=2))


def say(text: object, *, err: bool = False) -> None:
    """Print a text of one or more lines, without characters that steer a terminal."""
    typer.echo(visible(text), err=err)
