"""`serial-bridge setup`: the whole way from an adapter to readings that arrive, in one dialogue."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from bridge.commands.setup.dialogue import Dialogue, NobodyToAsk
from bridge.commands.terminal.next_step import command as next_command
from bridge.commands.terminal.options import SITE, CredentialsPath, SitePath, say, secrets_of
from bridge.errors import BridgeError

SECTION: Final = "Set up"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Take this step again and go on: adapter, scan, server, tokens, values, delivery.",
        ),
    ] = None,
    bus: Annotated[
        str | None, typer.Option(metavar="NAME", help="The bus. Default: the unfinished one, or meters.")
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(metavar="ADAPTER", help="serial:NUMBER, path:SOCKET or a device file, as in site.toml."),
    ] = None,
    line: Annotated[
        str | None, typer.Option(metavar='"9600 8N1"', help="Line settings. Default: found.")
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Look for this protocol only. Repeatable. Default: all."),
    ] = None,
    addresses: Annotated[str, typer.Option(help="Ask these only. Default: all.", metavar="1-20,33")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="The model of a device that the scan does not know. Repeatable.", metavar="ADDRESS=MODEL"
        ),
    ] = None,
    every: Annotated[str | None, typer.Option(metavar="10s", help="How often sensors are read.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="ThingsBoard: coap://HOST or coaps://HOST.")
    ] = None,
    device_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Provision key of the device profile.", envvar="SERIAL_BRIDGE_DEVICE_KEY"
        ),
    ] = None,
    device_secret: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET",
            help="Provision secret of the device profile.",
            envvar="SERIAL_BRIDGE_DEVICE_SECRET",
        ),
    ] = None,
    token: Annotated[
        list[str] | None, typer.Option(help="Access token of a sensor. Repeatable.", metavar="SENSOR=TOKEN")
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="What the devices' names in ThingsBoard begin with.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: take what Enter would.")] = False,
) -> None:
    """Set up a site: adapter, sensors, tokens, first readings.

    Enter takes what is proposed, b goes back a step, Ctrl-C keeps what was decided.
    """
    from bridge.commands.setup.context import Answers, Context
    from bridge.commands.setup.draft import Draft
    from bridge.commands.setup.steps import Setup, Step, default_bus
    from bridge.config.places import check_bus_name
    from protocols.toolkit.polling import LineSettings

    if not yes and not sys.stdin.isatty():
        raise NobodyToAsk("there is no terminal to ask on: give the answers as options, and --yes")
    try:
        answers = Answers(
            bus=check_bus_name(bus) if bus else default_bus(site),
            adapter=adapter,
            line=str(LineSettings.parse(line)) if line else "",
            protocols=protocol or (),
            addresses=addresses,
            models=_pairs("--model", "1=eastron-sdm630", model or ()),
            every=every,
            url=url,
            device_key=device_key,
            device_secret=device_secret,
            tokens=_pairs("--token", "main-meter=TOKEN", token or ()),
            prefix=prefix,
        )
        step = Step(first) if first else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if bool(device_key) != bool(device_secret):
        raise typer.BadParameter("--device-key and --device-secret belong together")
    try:
        draft = Draft(site, secrets_of(site, credentials))
        Setup(Context(draft, Dialogue(is_silent=yes), answers)).run(step)
    except (typer.Abort, KeyboardInterrupt):
        again = next_command("serial-bridge setup", site)
        typer.echo(err=True)  # below "^C"
        raise BridgeError(f"interrupted; what was decided is kept, to go on: {again}") from None
    if site == SITE or os.geteuid() == 0:
        say(f"\nnext: {next_command('sudo serial-bridge install', site)}")
    else:
        say(f"\nnext: {next_command('serial-bridge run', site)}")


def _pairs(option: str, example: str, texts: Sequence[str]) -> dict[str, str]:
    """Return the values of a repeatable option by what stands before "=". Raises ValueError without one."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise ValueError(f"write {option} {example}")
        pairs[key] = value
    return pairs
