"""`serial-bridge spool …`: one function each, like the other commands."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import SITE, AsJson, SitePath, print_json, say
from bridge.plain_text import lines, one_line

app = typer.Typer(
    help="List, export, retry or drop readings that are queued or refused.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SensorFilter = Annotated[str | None, typer.Argument(metavar="[SENSOR]", help="Of this sensor only.")]


class Form(Enum):
    """The format in which readings are written."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def audit(site: SitePath = SITE, as_json: AsJson = False) -> None:
    """Compare the ledger with every row of the spool.

    Exit status 1 and a line for each discrepancy, if there is any.
    """
    from bridge.commissioning import spool
    from bridge.config import load_site

    site_settings = load_site(site)
    discrepancies = spool.audit(site_settings)
    if as_json:
        print_json({"discrepancies": discrepancies})
    else:
        say(lines(discrepancies) if discrepancies else spool.audited(site_settings))
    raise typer.Exit(1 if discrepancies else 0)


@app.command()
def refused(sensor: SensorFilter = None, site: SitePath = SITE, as_json: AsJson = False) -> None:
    """List what the server refused, with its answer."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    rows = spool.refused(load_site(site), sensor)
    print_json(rows) if as_json else say(spool.refused_text(rows))


@app.command()
def export(
    sensor: Annotated[str | None, typer.Option("--sensor", help="Of this sensor only.")] = None,
    form: Annotated[Form, typer.Option("--format", help="A JSON object a line, or CSV.")] = Form.JSONL,
    site: SitePath = SITE,
) -> None:
    """Write what is queued or refused to standard output."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    count = spool.export(load_site(site), sensor, form.value, sys.stdout, is_shown=sys.stdout.isatty())
    say(f"{count} readings written", err=True)


@app.command()
def retry(sensor: SensorFilter = None, site: SitePath = SITE) -> None:
    """Queue again what was refused."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.retry(load_site(site), sensor)))


@app.command()
def drop(
    sensor: Annotated[str, typer.Argument(help="The sensor, configured or not.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
) -> None:
    """Give up what is queued or refused of a sensor."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    site_settings = load_site(site)
    if not yes:
        typer.confirm(one_line(f"Give up {spool.at_stake(site_settings, sensor)} for good?"), abort=True)
    say(one_line(spool.drop(site_settings, sensor)))


@app.command()
def reassign(
    old: Annotated[str, typer.Argument(help="The sensor whose readings they are.")],
    new: Annotated[str, typer.Argument(help="The sensor of the site that gets them.")],
    site: SitePath = SITE,
) -> None:
    """Give one sensor's readings to another, renamed one."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.reassign(load_site(site), old, new)))


@app.command()
def salvage(
    file: Annotated[Path, typer.Argument(help="The damaged file that was set aside, *.damaged-DATE.")],
    site: SitePath = SITE,
) -> None:
    """Bring back what a damaged file still holds."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.salvage(load_site(site), file)))
