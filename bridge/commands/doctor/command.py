"""`serial-bridge doctor`."""

from __future__ import annotations

from typing import Final

import typer

from bridge.commands.terminal.options import (
    SITE,
    AsJson,
    CredentialsPath,
    SitePath,
    print_json,
    secrets_of,
    tell,
)

SECTION: Final = "When stuck"


def command(
    site: SitePath = SITE,
    credentials: CredentialsPath = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with this machine, and what mends it.

    Exit status 1 if anything is.
    """
    import logging

    from bridge import event_loop
    from bridge.commands.doctor.examination import Machine, examine, text, wrong
    from bridge.commands.doctor.examination import as_json as document
    from bridge.config import load_site

    logging.getLogger("bridge").addHandler(logging.NullHandler())  # the findings say what its warnings would
    findings = event_loop.run(examine(load_site(site), secrets_of(site, credentials), Machine()))
    print_json(document(findings)) if as_json else tell(text(findings))
    raise typer.Exit(bool(wrong(findings)))
