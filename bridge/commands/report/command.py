"""`serial-bridge report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from bridge.commands.terminal.options import SITE, SitePath, tell

SECTION: Final = "Every day"


def command(
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")
    ] = Path("report.html"),
    site: SitePath = SITE,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write a PDF; needs Chromium on this machine.")] = False,
    language: Annotated[Literal["en", "de"], typer.Option(metavar="en|de", help="Of the report.")] = "en",
) -> None:
    """Write the state of the site as one page: for the hand-over, to print or to mail.

    The page needs no network: site, adapters, sensors, values, the last 24 hours of each line, the ledger.
    """
    from bridge.commands.report.content import gather
    from bridge.commands.report.page import page
    from bridge.commands.report.pdf import pdf_of
    from bridge.config import load_site
    from bridge.errors import BridgeError
    from bridge.files import write_whole

    html = page(gather(load_site(site)), language)
    if str(output) == "-":
        if pdf and sys.stdout.isatty():
            raise BridgeError("a PDF is nothing for a terminal: name a file, or send it into one with >")
        typer.echo(pdf_of(html) if pdf else html, nl=False)
        return
    target = output.with_suffix(".pdf") if pdf else output
    contents = pdf_of(html) if pdf else html.encode()
    try:
        write_whole(target, contents)
    except OSError as error:
        raise BridgeError(f"{target}: {error.strerror}; name another file") from error
    tell(f"{target}: open it in a browser, print it, or mail it")
