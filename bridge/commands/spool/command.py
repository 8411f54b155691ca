"""`serial-bridge spool …`: one function each, like the other commands."""

from __future__ import annotations

import sys
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.audited import recorded
from bridge.commands.terminal.help_text import Command, group
from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, say, tell
from bridge.plain_text import lines, one_line

SECTION: Final = "Every day"

command = group("List, export, retry or drop readings that are queued or refused.")

SensorFilter = Annotated[str | None, typer.Argument(metavar="SENSOR", help="Of this sensor only.")]


class Form(Enum):
    """The format in which readings are written."""

    JSONL = "jsonl"
    CSV = "csv"


@command.command(cls=Command)
def audit(site: SitePath = SITE, as_json: AsJson = False) -> None:
    """Compare the ledger with every row of the spool.

    Exit status 1 and a line for each discrepancy, if there is any.
    """
    from bridge.commands.spool import settle
    from bridge.config import load_site

    site_settings = load_site(site)
    discrepancies = settle.audit(site_settings)
    if as_json:
        print_json({"discrepancies": discrepancies})
    else:
        tell(lines(discrepancies) if discrepancies else settle.audited(site_settings))
    raise typer.Exit(1 if discrepancies else 0)


@command.command(cls=Command)
def refused(sensor: SensorFilter = None, site: SitePath = SITE, as_json: AsJson = False) -> None:
    """List what the server refused, with its answer."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    rows = settle.refused(load_site(site), sensor)
    print_json(rows) if as_json else say(settle.refused_text(rows))


@command.command(cls=Command)
def export(
    sensor: Annotated[
        str | None, typer.Option("--sensor", metavar="SENSOR", help="Of this sensor only.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", metavar="jsonl|csv", help="A JSON object a line, or CSV.")
    ] = Form.JSONL,
    site: SitePath = SITE,
) -> None:
    """Write what is queued or refused to standard output."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    count = settle.export(load_site(site), sensor, form.value, sys.stdout, is_shown=sys.stdout.isatty())
    say(f"{count} readings written", err=True)


@command.command(cls=Command)
def retry(sensor: SensorFilter = None, site: SitePath = SITE) -> None:
    """Queue again what was refused."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    tell(one_line(settle.retry(load_site(site), sensor)))


@command.command(cls=Command)
def drop(
    sensor: Annotated[str, typer.Argument(metavar="SENSOR", help="The sensor, configured or not.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
) -> None:
    """Give up what is queued or refused of a sensor."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    site_settings = load_site(site)
    at_stake = "" if yes else settle.at_stake(site_settings, sensor)
    if at_stake and not typer.confirm(one_line(f"Give up {at_stake} for good?")):
        say("nothing was dropped", err=True)
        raise typer.Exit(1)
    with recorded(site, f"spool drop {sensor}", partial(settle.holdings, site_settings, (sensor,))):
        result = settle.drop(site_settings, sensor)
    tell(one_line(result))


@command.command(cls=Command)
def reassign(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The sensor whose readings they are.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The sensor of the site that gets them.")],
    site: SitePath = SITE,
) -> None:
    """Give one sensor's readings to another, renamed one."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    site_settings = load_site(site)
    command_text = f"spool reassign {old} {new}"
    with recorded(site, command_text, partial(settle.holdings, site_settings, (old, new))):
        result = settle.reassign(site_settings, old, new)
    tell(one_line(result))


@command.command(cls=Command)
def salvage(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The damaged file that was set aside, *.damaged-DATE.")
    ],
    site: SitePath = SITE,
) -> None:
    """Bring back what a damaged file still holds."""
    from bridge.commands.spool import settle
    from bridge.config import load_site

    tell(one_line(settle.salvage(load_site(site), file)))
