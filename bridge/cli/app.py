"""The commands, one function each; a command imports its own needs when it runs.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import doctor as doctor_cli
from bridge.cli import enroll as enroll_cli
from bridge.cli import install as install_cli
from bridge.cli import spool as spool_cli
from bridge.cli.options import SITE, AsJson, CredentialsPath, SitePath, print_json, say, secrets_of
from bridge.errors import BridgeError, ConfigError, StepsFailed
from bridge.plain_text import lines, one_line
from bridge.release import VERSION
from protocols.errors import PackageError

if TYPE_CHECKING:
    from bridge.config import Credentials, Site

app = typer.Typer(
    name="serial-bridge",
    help="Reads sensors on serial buses and delivers every reading to ThingsBoard over CoAP.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DevicesPath = Annotated[
    Path | None,
    typer.Option(
        "--devices",
        envvar="SERIAL_BRIDGE_DEVICES",
        help="A folder with one link to a port for each bus, by its name; used before `adapter`.",
        metavar="FOLDER",
    ),
]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv shows the bytes.")]

app.add_typer(spool_cli.app, name="spool")


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"serial-bridge {VERSION}")
        raise typer.Exit


@app.callback()
def serial_bridge(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="How long to run.", min=5)] = 40,
) -> None:
    """Show the whole job: no hardware, no server, one outage."""
    from bridge import event_loop
    from bridge.sandbox.demo import show

    raise typer.Exit(event_loop.run(show(seconds)))


@app.command()
def run(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read every bus and deliver, until stopped."""
    from bridge import event_loop, gateway
    from bridge.config import with_keys

    _log_to_stderr(verbose)
    site_settings, secrets = _load(site, credentials)
    keyed = with_keys(site_settings, secrets_of(site, credentials))
    event_loop.run(gateway.run(keyed, secrets, devices=devices))


@app.command()
def read(
    bus: Annotated[str, typer.Argument(help="The bus, as named in the site file.")],
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    verbose: Verbose = 0,
) -> None:
    """Read one bus into the spool, until stopped."""
    from bridge import event_loop, gateway
    from bridge.config import load_site, with_keys

    _log_to_stderr(verbose)
    site_settings = load_site(site)
    if bus not in site_settings.buses:
        raise ConfigError(
            [f'{site}: there is no bus "{bus}"; the buses are: {", ".join(site_settings.buses)}']
        )
    keyed = with_keys(
        site_settings.model_copy(update={"buses": {bus: site_settings.buses[bus]}}),
        secrets_of(site, credentials),
    )
    event_loop.run(gateway.read(site_settings, keyed.buses[bus], devices=devices))


@app.command()
def uplink(site: SitePath = SITE, credentials: CredentialsPath = None, verbose: Verbose = 0) -> None:
    """Deliver what the spool holds to ThingsBoard, until stopped."""
    from bridge import event_loop, gateway

    _log_to_stderr(verbose)
    site_settings, secrets = _load(site, credentials)
    event_loop.run(gateway.uplink(site_settings, secrets))


@app.command()
def check(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="List every request with its time on the wire.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check both files and say what would run; open nothing."""
    from bridge.commissioning.check import summary, text
    from bridge.config import with_keys

    site_settings, secrets = _load(site, credentials)
    with_keys(site_settings, secrets_of(site, credentials))
    document = summary(site_settings, secrets)
    print_json(document) if as_json else say(text(document, plan=plan))


@app.command("provision")
def provision_sensors(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    prefix: Annotated[
        str, typer.Option(help="What the devices' names in ThingsBoard begin with, before the sensor's name.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have ThingsBoard create a device for each sensor without one."""
    from bridge.commissioning.provision_view import show
    from bridge.config import load_site

    secrets = secrets_of(site, credentials)
    raise typer.Exit(show(load_site(site), secrets, prefix, dry_run=dry_run, as_json=as_json))


@app.command()
def status(
    site: SitePath = SITE,
    watch: Annotated[bool, typer.Option("--watch", help="Show it afresh every second.")] = False,
    as_json: AsJson = False,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="SENSOR", help="Forget what was learned of a sensor: time-out, refusals, silence."
        ),
    ] = None,
) -> None:
    """Show sensors, buses, uplink and the ledger."""
    from bridge.commissioning.status import collect, request_forgetting, show, watch_it
    from bridge.config import load_site

    site_settings = load_site(site)
    if forget is not None:
        typer.echo(request_forgetting(site_settings, forget))
    elif watch:
        watch_it(site_settings)
    elif as_json:
        print_json(collect(site_settings))
    else:
        show(site_settings)


@app.command()
def decode(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROTOCOL] HEX|-",
            help="One of `serial-bridge protocols`, then bytes in hex, or - for one stream on each line.",
        ),
    ],
    model: Annotated[str | None, typer.Option(help="Name the registers after this device model.")] = None,
    bus: Annotated[
        str | None, typer.Option(help="Decode what this bus speaks; with it, PROTOCOL may be left out.")
    ] = None,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """Take bytes apart into frames and values.

    Exit status 1 if there is not one frame.
    """
    from bridge.commissioning.decode import entry_of
    from bridge.commissioning.decode import run as decode_streams

    *names, data = words
    if len(names) > 1 or not (names or bus):
        raise typer.BadParameter("name one protocol (or --bus), then all bytes in one word, or -")
    try:
        entry = entry_of(names[0] if names else None, bus, site)
    except KeyError:
        raise typer.BadParameter(
            f"{names[0]!r} is not a protocol; `serial-bridge protocols` lists them"
        ) from None
    raise typer.Exit(decode_streams(entry, data, model, as_json, sys.stdin, sys.stdout))


@app.command()
def protocols(
    name: Annotated[str | None, typer.Argument(help="A protocol, to see the keys of its sensors.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the protocols a bus can speak, or show one."""
    from bridge.commissioning.protocol_page import page, page_text
    from bridge.commissioning.protocols import listing, listing_text
    from protocols import protocol

    if name is None:
        rows = listing()
        print_json(rows) if as_json else say(listing_text(rows))
        return
    try:
        document = page(protocol(name))
    except KeyError:
        raise typer.BadParameter(
            f"{name!r} is not a protocol; `serial-bridge protocols` lists them"
        ) from None
    print_json(document) if as_json else say(page_text(document))


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="A model, to see its map and replay its vectors.")
    ] = None,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """List the device models, or show and prove one."""
    from bridge.commissioning.models import describe, is_right, listing, listing_text, model_text, shelf

    models_shelf = shelf(site)
    if name is None:
        rows = listing(models_shelf)
        print_json(rows) if as_json else say(listing_text(rows))
        return
    try:
        document = describe(name, models_shelf)
    except KeyError:
        raise typer.BadParameter(f"{name!r} is not a model; `serial-bridge models` lists them") from None
    print_json(document) if as_json else say(model_text(document))
    raise typer.Exit(not is_right(document))


@app.command()
def simulate(
    devices: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to put one link for each bus; made if missing.")
    ],
    site: SitePath = SITE,
) -> None:
    """Play a site's sensors, for `run --devices FOLDER`."""
    from bridge.config import load_site
    from bridge.sandbox.sensors import simulate_until_stopped

    simulate_until_stopped(load_site(site), devices, say)


@app.command()
def schema(site: SitePath = SITE) -> None:
    """Print the JSON Schema of site.toml, for editors."""
    from bridge.config import OwnModels, site_schema

    print_json(site_schema(OwnModels(site)))


@app.command("try")
def try_sensor(
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
    from bridge.commissioning.try_sensor import ask, text
    from bridge.config import load_site, with_keys

    keyed = with_keys(load_site(site), secrets_of(site, credentials))
    answer = event_loop.run(ask(keyed, sensor, devices))
    print_json(answer) if as_json else say(text(answer))
    raise typer.Exit(not answer["values"])


app.command()(enroll_cli.enroll)
app.command()(install_cli.install)
app.command()(install_cli.uninstall)
app.command()(doctor_cli.doctor)


def main() -> None:
    """Run the command line; print every foreseen error as one sentence on standard error."""
    sys.excepthook = _print_traceback
    try:
        app()
    except ConfigError as error:
        say(lines(error.mistakes), err=True)
        sys.exit(2)
    except PackageError as error:
        say(one_line(error), err=True)
        sys.exit(2)
    except StepsFailed as error:
        say(lines(error.failures), err=True)
        sys.exit(1)
    except BridgeError as error:
        say(one_line(error), err=True)
        sys.exit(1)
    except PermissionError as error:
        advice = "run this with sudo, or as one of the group serial-bridge"
        say(f"{error.filename or error} is not open to this user: {advice}", err=True)
        sys.exit(1)


def _load(site: Path, credentials: Path | None) -> tuple[Site, Credentials]:
    """Return site and credentials, or raise with the mistakes of both at once."""
    from bridge.config import load

    return load(site, secrets_of(site, credentials))


def _print_traceback(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print an error that nobody foresaw, as Python does, with text that steers no terminal."""
    from traceback import format_exception

    say("".join(format_exception(kind, error, traceback)), err=True)


def _log_to_stderr(verbose: int) -> None:
    """Log INFO to standard error; with `verbose` 1 DEBUG too, with 2 also the bytes on the wire.

    Under systemd the journal adds the time, and takes the level as <n>.
    """
    import logging

    from bridge.cli.logs import PlainFormatter

    if "JOURNAL_STREAM" in os.environ:
        for level, priority in (("CRITICAL", 2), ("ERROR", 3), ("WARNING", 4), ("INFO", 6), ("DEBUG", 7)):
            logging.addLevelName(getattr(logging, level), f"<{priority}>")
        style = "%(levelname)s%(message)s"
    else:
        style = "%(asctime)s %(levelname)-7s %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter(style))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for name in ("bridge", "protocols"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("bridge.wire").setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    python = ".".join(map(str, sys.version_info[:3]))
    logging.getLogger(__name__).info("serial-bridge %s, Python %s", VERSION, python)
