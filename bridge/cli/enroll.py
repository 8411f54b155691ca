"""`serial-bridge enroll`: the conversation. What it finds and writes is `bridge.commissioning.enroll`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.options import SITE, AsJson, SitePath, print_json, say
from bridge.plain_text import one_line

if TYPE_CHECKING:
    from bridge.commissioning.enroll import Proposal


def enroll(
    bus: Annotated[str | None, typer.Argument(metavar="BUS", help="The bus; asked for if left out.")] = None,
    port: Annotated[
        Path | None,
        typer.Option(help="The adapter's device file; without, plug it in when asked.", metavar="DEVICE"),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the adapter.", min=1)] = 60,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """Says which adapter a bus has, and writes it."""
    from bridge.commissioning import enroll as job

    bus = bus and _named(bus)
    known = job.buses(site)
    job.check_writable(site)
    found = _find(site, port, timeout, is_silent=yes)
    say(one_line(found), err=as_json)
    bus = bus or _named(_ask(known, err=as_json))
    adapter = found.identity.adapter
    if other := job.taken_by(site, bus, found.port):
        raise typer.BadParameter(
            f"{found.port.device} is bus {one_line(other)} already: give that another one first"
        )
    is_written = bus in known and (
        known[bus] == adapter or yes or typer.confirm(_question(site, bus, known[bus], adapter), err=as_json)
    )
    if is_written:
        job.write(site, bus, adapter)
    if as_json:
        print_json(
            {
                "bus": bus,
                "adapter": adapter,
                "by": found.identity.kind.value,
                "flaw": found.identity.flaw,
                "port": str(found.port.device),
                "product": found.port.product,
                "written": is_written,
                "next": job.next_step(site) if is_written else None,
            }
        )
    elif is_written:
        say(f'{site}: bus {bus} has adapter "{adapter}"\nnext: {job.next_step(site)}')
    elif bus not in known:
        say(f"{site} has no bus {bus} yet; to copy into it:\n\n{job.block(bus, adapter)}")
    raise typer.Exit(not is_written)


def _find(site: Path, port: Path | None, timeout_s: float, *, is_silent: bool) -> Proposal:
    """The adapter that is meant: named, the one that is there, or the one that is plugged in now."""
    from bridge.commissioning import enroll as job
    from bridge.port.adapter import adapters

    if port is not None:
        return job.by_port(port)
    offered = job.spare(site)
    if offered and (
        is_silent or typer.confirm(f"{offered.port.device} is no bus's yet: that one?", True, err=True)
    ):
        return offered
    before = list(adapters())
    say(f"plug the adapter in now (waiting {timeout_s:g} s)", err=True)
    return job.plugged_in(before, timeout_s, site=site)


def _ask(known: dict[str, str], *, err: bool) -> str:
    """Which bus it is, with what each has now."""
    for name, adapter in known.items():
        say(one_line(f"  {name:<16} {adapter or 'has no adapter yet'}"), err=err)
    bus: str = typer.prompt("which bus is it", err=err)
    return bus


def _named(bus: str) -> str:
    from bridge.config.places import check_bus_name

    try:
        return check_bus_name(bus)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _question(site: Path, bus: str, before: str, adapter: str) -> str:
    instead = f' instead of "{before}"' if before else ""
    return one_line(f'write adapter = "{adapter}"{instead} for bus {bus} into {site}?')
