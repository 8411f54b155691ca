"""`serial-bridge peek`."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, DevicesPath, SitePath, print_json, tell

SECTION: Final = "When stuck"


def command(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="The bus, as named in the site file.")],
    unit: Annotated[int, typer.Argument(metavar="UNIT", min=0, max=255, help="The unit address.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="input, holding, coil or discrete.")],
    span: Annotated[str, typer.Argument(metavar="FIRST-LAST", help="Addresses from 0, such as 0-20.")],
    site: SitePath = SITE,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Read registers of a Modbus unit, configured or not, and show what they may mean; write nothing.

    On a bus in service its reader asks for you. Exit status 1 if no register was read.
    """
    from bridge import event_loop
    from bridge.commands.peek.query import peek
    from bridge.commands.peek.registers import LARGEST, lines
    from bridge.config import load_site
    from bridge.plain_text import lines as plain_lines
    from protocols.modbus.registers import Table

    tables = {entry.key: entry for entry in Table}
    if table not in tables:
        raise typer.BadParameter(f"{table!r} is no table, use one of: {', '.join(tables)}")
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", span)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if not first <= last <= 0xFFFF or last - first >= LARGEST:
        raise typer.BadParameter(f"{span!r} is no span, write FIRST-LAST, at most {LARGEST} of 0–65535: 0-20")
    document = event_loop.run(
        peek(load_site(site), bus, unit, tables[table], range(first, last + 1), devices)
    )
    print_json(document) if as_json else tell(plain_lines(lines(document)))
    raise typer.Exit(not document["registers"])
