"""Options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.commands.terminal.next_step import SITE
from bridge.plain_text import folded, json_text, visible
from bridge.services import VARIABLES, secrets_of

if TYPE_CHECKING:
    from bridge.config import Credentials, Site

__all__ = [
    "SITE",
    "AsJson",
    "CredentialsPath",
    "DevicesPath",
    "SitePath",
    "Verbose",
    "load_both",
    "print_json",
    "say",
    "secrets_of",
    "tell",
]

SitePath = Annotated[
    Path,
    typer.Option("--site", envvar=VARIABLES["--site"], help="The site file.", metavar="FILE", readable=False),
]
CredentialsPath = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        envvar=VARIABLES["--credentials"],
        help="The credentials file; default: the one beside the site file.",
        metavar="FILE",
        readable=False,  # so that our own sentence says it
    ),
]
DevicesPath = Annotated[
    Path | None,
    typer.Option(
        "--devices",
        envvar=VARIABLES["--devices"],
        help="A folder with one link to a port for each bus, by its name; used before `adapter`.",
        metavar="FOLDER",
    ),
]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv shows the bytes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(data: object) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json_text(data, indent=2))


def say(text: object, *, err: bool = False) -> None:
    """Print a text of one or more lines, without characters that steer a terminal."""
    typer.echo(visible(text), err=err)


def tell(text: object, *, err: bool = False) -> None:
    """Print sentences, a line each, folded at words on a terminal: what `say` prints stays as it stands."""
    typer.echo(folded(visible(text), sys.stderr if err else sys.stdout), err=err)


def load_both(site: Path, credentials: Path | None) -> tuple[Site, Credentials]:
    """Return the site and its credentials.

    Raises:
        ConfigError: with the mistakes of both files at once.
    """
    from bridge.config import load

    return load(site, secrets_of(site, credentials))
