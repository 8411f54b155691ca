"""`serial-bridge status`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json

SECTION: Final = "Every day"


def command(
    sensor: Annotated[
        str | None, typer.Argument(metavar="SENSOR", help="A sensor, to see all that is known of it.")
    ] = None,
    site: SitePath = SITE,
    watch: Annotated[bool, typer.Option("--watch", help="Show it afresh every second.")] = False,
    as_json: AsJson = False,
    as_prometheus: Annotated[
        bool,
        typer.Option("--prometheus", help="Print the figures of line, ledger and uplink for Prometheus."),
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="SENSOR", help="Forget what was learned of a sensor: time-out, refusals, silence."
        ),
    ] = None,
) -> None:
    """Show sensors, buses, uplink and the ledger, or all of one sensor."""
    from bridge.commands.status.printing import show, show_sensor, watch_it
    from bridge.commands.status.snapshot import collect, request_forgetting
    from bridge.config import load_site

    site_settings = load_site(site)
    if forget is not None:
        typer.echo(request_forgetting(site_settings, forget))
    elif watch:
        watch_it(site)
    elif as_json:
        print_json(collect(site_settings))
    elif as_prometheus:
        from bridge.commands.status.prometheus import exposition

        typer.echo(exposition(collect(site_settings), site_settings.name), nl=False)
    elif sensor is not None:
        show_sensor(site_settings, sensor)
    else:
        show(site_settings)
