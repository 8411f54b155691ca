"""`serial-bridge replace`: the conversation. The work itself is `bridge.commands.replace.replacement`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge.commands.terminal.audited import recorded_edit
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
from bridge.plain_text import one_line

if TYPE_CHECKING:
    from bridge.commands.replace.counters import Continuation
    from bridge.commands.scan.result import Located
    from bridge.config import Site

SECTION: Final = "Every day"


def command(
    sensor: Annotated[
        str,
        typer.Argument(metavar="SENSOR", help="The sensor that was exchanged, as named in the site file."),
    ],
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address or serial number of the new one; without, the bus is scanned for it.",
        ),
    ] = None,
    addresses: Annotated[
        str, typer.Option(help="Scan for it among these only. Default: all.", metavar="1-20,33")
    ] = "",
    last: Annotated[
        list[str] | None,
        typer.Option(
            help="The last value of a counter, read off the old sensor: import_energy=8123.4. Repeatable.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    counter: Annotated[
        list[str] | None,
        typer.Option(
            help="A value that goes on. Default: energy, volume, pulses. Repeatable.", metavar="KEY"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="All counters begin anew.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Exchange a broken sensor: same name, same token, its counters go on.

    Connect the new one first. Nothing is written to it.
    """
    from bridge import event_loop
    from bridge.commands.replace import replacement
    from bridge.commands.replace.last_values import corrected, doubt, last_known, read_off
    from bridge.commands.replace.text import document, lines
    from bridge.config import load_site, with_keys
    from bridge.config.edit import check_writable

    site_settings = with_keys(load_site(site), secrets_of(site, credentials))
    check_writable(site)
    last_shown = read_off(last or ())
    bus, old = replacement.find_sensor(site_settings, sensor)
    if address is not None:
        new_keys = replacement.keys_for_address(bus, address)
    else:
        new_keys = _scanned(site_settings, bus.name, sensor, devices, addresses, is_silent=yes)
    block = replacement.block_of(site_settings, bus.name, sensor)
    is_same = replacement.changed(block, new_keys) == block
    counter_keys = () if fresh else counter or None
    remembered = None if fresh else last_known(site_settings, bus, sensor, is_same_address=is_same)
    last_values = corrected(remembered, last_shown)
    proposal = event_loop.run(
        replacement.propose(
            site_settings, bus, old, new_keys, last_values, devices=devices, counter_keys=counter_keys
        )
    )
    if last_values is not None and (doubtful := last_values.doubtful(proposal.continuations)):
        if yes:
            raise doubt(sensor, doubtful[0])
        last_values = corrected(last_values, _ask_for_last(sensor, doubtful))
        proposal = replacement.with_last(proposal, last_values)
    say(lines(proposal, last_values), err=as_json)
    is_written = yes or typer.confirm(f"write this into {site}?", True, err=as_json)
    if is_written:
        with recorded_edit(site, f"replace {sensor}"):
            replacement.write(site, proposal)
        replacement.forget(site_settings, bus.name, sensor)
    step = next_command("sudo serial-bridge install", site)
    if as_json:
        print_json(document(proposal, is_written=is_written, next_step=step if is_written else None))
    elif is_written:
        tell(f"{site}: {sensor} is the new one; to undo it: serial-bridge audit has the old values")
        say(f"next: {step}", err=True)
    raise typer.Exit(not is_written)


def _scanned(
    site: Site, bus: str, sensor: str, devices: Path | None, addresses: str, *, is_silent: bool
) -> dict[str, Any]:
    """Scan the bus and return the keys of the device that may be the new sensor; of several the choice."""
    from bridge import event_loop
    from bridge.commands.replace import replacement
    from bridge.commands.replace.scanned import finds_on
    from bridge.commands.scan.text import name as name_of

    say(f"scanning bus {bus} for the new sensor; --address skips this", err=True)
    finds = event_loop.run(finds_on(site.buses[bus], site, devices, addresses))
    block = replacement.block_of(site, bus, sensor)
    candidates = replacement.candidates(site, site.buses[bus], sensor, finds)
    if not candidates:
        raise replacement.nothing_new(site.buses[bus], sensor)
    for number, located in enumerate(candidates, 1):
        say(one_line(f"  {number}  address {located.find.address or '-'}: {name_of(located.find)}"), err=True)
    if len(candidates) == 1:
        return replacement.identity_keys(candidates[0], block)
    if is_silent:
        raise replacement.several(candidates)
    choice = typer.prompt("which one is it", value_proc=partial(_choice, candidates), err=True)
    return replacement.identity_keys(choice, block)


def _choice(candidates: Sequence[Located], text: str) -> Located:
    """Return the candidate whose number was typed. Raises `BadParameter` with the rule."""
    by_number = {str(number): located for number, located in enumerate(candidates, 1)}
    if located := by_number.get(text.strip()):
        return located
    raise typer.BadParameter(f"write a number from 1 to {len(candidates)}")


def _ask_for_last(sensor: str, doubtful: Sequence[Continuation]) -> dict[str, int | float]:
    """Ask for the last values of the old sensor, where those that are remembered may be the new one's."""
    tell(f"the bus has read this address all along, so what it read last may be the new {sensor}'s already")
    return {
        entry.key: typer.prompt(
            f"{entry.key}, as the old one showed it last",
            default=str(entry.last),
            value_proc=_typed_number,
            err=True,
        )
        for entry in doubtful
    }


def _typed_number(text: str) -> int | float:
    """Return the number that was typed. Raises `BadParameter` with the rule."""
    from bridge.commands.replace.last_values import number_in

    try:
        return number_in(text.strip())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
