"""`serial-bridge report`."""

from __future__ import annotations

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
    from bridge.commands.report.pdf import print_pdf
    from bridge.config import load_site
    from bridge.errors import BridgeError
    from bridge.files import write_whole

    html = page(gather(load_site(site)), language)
    if str(output) == "-" and not pdf:
        typer.echo(html, nl=False)
        return
    target = output.with_suffix(".pdf") if pdf else output
    try:
        if pdf:
            print_pdf(html, target)
        else:
            write_whole(target, html.encode())
    except OSError as error:
        raise BridgeError(f"{target}: {error.strerror}; name another file") from error
    tell(f"{target}: open it in a browser, print it, or mail it")
