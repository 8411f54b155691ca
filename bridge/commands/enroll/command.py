"""`serial-bridge enroll`: the conversation. The work itself is `bridge.commands.enroll.enrolment`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.commands.terminal.audited import recorded_edit
from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, say, tell
from bridge.plain_text import one_line

if TYPE_CHECKING:
    from bridge.commands.enroll.enrolment import Proposal


SECTION: Final = "Set up"


def command(
    bus: Annotated[str | None, typer.Argument(metavar="BUS", help="The bus; asked for if left out.")] = None,
    port: Annotated[
        Path | None,
        typer.Option(help="The adapter's device file; without, plug it in when asked.", metavar="DEVICE"),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for the adapter.", min=1)
    ] = 60,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
    as_json: AsJson = False,
) -> None:
    """Find out which adapter a bus has, and write it."""
    from bridge.commands.enroll import enrolment
    from bridge.config.edit import check_writable

    bus = bus and _checked_name(bus)
    bus_adapters = enrolment.buses(site)
    check_writable(site)
    if bus and bus_adapters and bus not in bus_adapters:
        present = ", ".join(bus_adapters)
        tell(f"{site} has no bus {bus} yet; it has: {present}; a block to copy comes at the end", err=True)
    proposal = _find(site, bus, port, timeout, is_silent=yes)
    tell(one_line(proposal), err=as_json)
    bus = bus or _checked_name(_ask(bus_adapters, err=as_json))
    adapter = proposal.identity.adapter
    if other_bus := enrolment.taken_by(site, bus, proposal.port):
        raise typer.BadParameter(
            f"{proposal.port.device} is bus {one_line(other_bus)} already: give that another one first"
        )
    is_written = bus in bus_adapters and (
        bus_adapters[bus] == adapter
        or yes
        or typer.confirm(_question(site, bus, bus_adapters[bus], adapter), err=as_json)
    )
    if is_written:
        with recorded_edit(site, f"enroll {bus}"):
            enrolment.write(site, bus, adapter)
    if as_json:
        print_json(
            {
                "bus": bus,
                "adapter": adapter,
                "by": proposal.identity.kind.value,
                "flaw": proposal.identity.flaw,
                "port": str(proposal.port.device),
                "product": proposal.port.product,
                "written": is_written,
                "next": enrolment.next_step(site) if is_written else None,
            }
        )
    elif is_written:
        tell(f'{site}: bus {bus} has adapter "{adapter}"\nnext: {enrolment.next_step(site)}')
    elif bus not in bus_adapters:
        say(f"{site} has no bus {bus} yet; to copy into it:\n\n{enrolment.block(bus, adapter)}")
    raise typer.Exit(not is_written)


def _find(site: Path, bus: str | None, port: Path | None, timeout_s: float, *, is_silent: bool) -> Proposal:
    """Return the adapter of `port`, the only free one, that which the bus has, or the one plugged in now."""
    from bridge.commands.enroll import enrolment
    from bridge.port.adapter import adapters

    if port is not None:
        return enrolment.by_port(port)
    proposal = enrolment.spare(site)
    if proposal and (
        is_silent or typer.confirm(f"{proposal.port.device} is no bus's yet: that one?", True, err=True)
    ):
        return proposal
    own_adapter = enrolment.own(site, bus) if bus else None
    if own_adapter and (
        is_silent
        or typer.confirm(f"bus {bus} has its adapter already, and it is in: keep it?", True, err=True)
    ):
        return own_adapter
    adapters_before = list(adapters())
    if present := enrolment.present_text(site):
        free = "; to take one of these: --port DEVICE" if "free" in present else ""
        tell(f"plugged in already: {present}{free}", err=True)
    say(f"plug the adapter in now (waiting {timeout_s:g} s)", err=True)
    return enrolment.plugged_in(adapters_before, timeout_s, site=site)


def _ask(bus_adapters: dict[str, str], *, err: bool) -> str:
    """Ask for the bus, with a list of the buses and their present adapters."""
    for name, adapter in bus_adapters.items():
        say(one_line(f"  {name:<16} {adapter or 'has no adapter yet'}"), err=err)
    bus: str = typer.prompt("which bus is it", err=err)
    return bus


def _checked_name(bus: str) -> str:
    from bridge.config.places import check_bus_name

    try:
        return check_bus_name(bus)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _question(site: Path, bus: str, old_adapter: str, adapter: str) -> str:
    replaced_text = f' instead of "{old_adapter}"' if old_adapter else ""
    return one_line(f'write adapter = "{adapter}"{replaced_text} for bus {bus} into {site}?')
