"""`serial-bridge try`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bridge.commands.terminal.next_step import command as next_command
from bridge.commands.terminal.options import (
    SITE,
    AsJson,
    CredentialsPath,
    DevicesPath,
    SitePath,
    print_json,
    say,
    secrets_of,
    tell,
)

SECTION: Final = "Set up"
_MOST_STATUS: Final = 100  # above, shells have meanings of their own for an exit status


def command(
    sensors: Annotated[
        list[str] | None,
        typer.Argument(metavar="SENSOR", help="The sensors, as named in the site file; none: all."),
    ] = None,
    bus: Annotated[
        list[str] | None, typer.Option("--bus", metavar="BUS", help="All sensors of a bus; may be repeated.")
    ] = None,
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the registers and octets behind each value.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Poll sensors once, or wait for them to push; store and send nothing.

    On a bus in service its reader asks for you. Exit status: how many are silent or incomplete.
    """
    from bridge import event_loop
    from bridge.commands.try_.answer import octets_text, text
    from bridge.commands.try_.attempt import ask
    from bridge.commands.try_.several import ask_all, chosen, is_whole, line
    from bridge.config import load_site, with_keys

    keyed = with_keys(load_site(site), secrets_of(site, credentials))
    names = chosen(keyed, sensors or (), bus or ())
    if len(names) == 1 and sensors:
        answer = event_loop.run(ask(keyed, names[0], devices))
        print_json(answer) if as_json else tell(text(answer, with_raw=verbose))
        if answer["values"] and not as_json:
            say(f"next: {next_command('sudo serial-bridge install', site)}", err=True)
        raise typer.Exit(not is_whole(answer))
    answers: dict[str, Any] = {}
    width = max(map(len, names), default=0)

    def report(answer: Mapping[str, Any]) -> None:
        answers[answer["sensor"]] = answer
        if as_json:
            return
        tell(line(answer, width))
        if verbose:
            say(octets_text(answer))

    event_loop.run(ask_all(keyed, names, devices, report))
    failures = [name for name, answer in answers.items() if not is_whole(answer)]
    if as_json:
        print_json({name: answers[name] for name in names})
    elif failures:
        tell(
            f"{len(failures)} of {len(names)} silent or incomplete; next: {_look(failures[0], site)}",
            err=True,
        )
    else:
        tell(f"next: {next_command('sudo serial-bridge install', site)}", err=True)
    raise typer.Exit(min(len(failures), _MOST_STATUS))


def _look(name: str, site: Path) -> str:
    return next_command(f'serial-bridge try "{name}" -v', site)
