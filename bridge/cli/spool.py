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
    help="Shows and settles what waits or was refused.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Whose = Annotated[str | None, typer.Argument(metavar="[SENSOR]", help="Of this sensor only.")]


class Form(Enum):
    """How readings are written."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def audit(site: SitePath = SITE, as_json: AsJson = False) -> None:
    """Compares the ledger with every row of the spool.

    Exit status 1 and a line for each discrepancy, if there is any.
    """
    from bridge.commissioning import spool
    from bridge.config import load_site

    loaded = load_site(site)
    found = spool.audit(loaded)
    if as_json:
        print_json({"discrepancies": found})
    else:
        say(lines(found) if found else spool.audited(loaded))
    raise typer.Exit(1 if found else 0)


@app.command()
def refused(sensor: Whose = None, site: SitePath = SITE, as_json: AsJson = False) -> None:
    """Lists what the server refused, with its answer."""
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
    """Writes what is queued or refused to standard output."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    count = spool.export(load_site(site), sensor, form.value, sys.stdout, is_shown=sys.stdout.isatty())
    say(f"{count} readings written", err=True)


@app.command()
def retry(sensor: Whose = None, site: SitePath = SITE) -> None:
    """Queues again what was refused."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.retry(load_site(site), sensor)))


@app.command()
def drop(
    sensor: Annotated[str, typer.Argument(help="The sensor, configured or not.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
) -> None:
    """Gives up what is queued or refused of a sensor."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    loaded = load_site(site)
    if not yes:
        typer.confirm(one_line(f"Give up {spool.at_stake(loaded, sensor)} for good?"), abort=True)
    say(one_line(spool.drop(loaded, sensor)))


@app.command()
def reassign(
    old: Annotated[str, typer.Argument(help="The sensor whose readings they are.")],
    new: Annotated[str, typer.Argument(help="The sensor of the site that gets them.")],
    site: SitePath = SITE,
) -> None:
    """Gives one sensor's readings to another, renamed one."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.reassign(load_site(site), old, new)))


@app.command()
def salvage(
    file: Annotated[Path, typer.Argument(help="The damaged file that was set aside, *.damaged-DATE.")],
    site: SitePath = SITE,
) -> None:
    """Brings back what a damaged file still holds."""
    from bridge.commissioning import spool
    from bridge.config import load_site

    say(one_line(spool.salvage(load_site(site), file)))
