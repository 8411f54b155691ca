"""`serial-bridge try`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import (
    SITE,
    AsJson,
    CredentialsPath,
    DevicesPath,
    SitePath,
    print_json,
    say,
    secrets_of,
)

SECTION: Final = "Set up"


def command(
    sensor: Annotated[str, typer.Argument(help="The sensor, as named in the site file.")],
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Poll one sensor once, or wait for it to push; store and send nothing.

    Exit status 1 if no value came.
    """
    from bridge import event_loop
    from bridge.commands.try_.answer import text
    from bridge.commands.try_.attempt import ask
    from bridge.config import load_site, with_keys

    keyed = with_keys(load_site(site), secrets_of(site, credentials))
    answer = event_loop.run(ask(keyed, sensor, devices))
    print_json(answer) if as_json else say(text(answer))
    raise typer.Exit(not answer["values"])
