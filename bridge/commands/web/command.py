"""`serial-bridge web`: the page for the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.commands.terminal.help_text import Command, group
from bridge.commands.terminal.next_step import command as next_step
from bridge.commands.terminal.options import SITE, AsJson, SitePath, Verbose, print_json, say
from bridge.commands.web.start import IDLE_S

if TYPE_CHECKING:
    from bridge.commands.web.access import Access
    from bridge.commands.web.store import AccessStore
    from bridge.config import Site

SECTION: Final = "Services"

command = group("Serve the page for the phone, pair a browser, end sessions.")


@command.command(cls=Command)
def serve(
    site: SitePath = SITE,
    verbose: Verbose = 0,
    idle: Annotated[
        float, typer.Option(help="Seconds without a request after which it ends.", min=1)
    ] = IDLE_S,
) -> None:
    """Serve the page until nobody looks for ten minutes; systemd starts it when somebody comes."""
    from bridge.commands.web.start import serve_pages

    serve_pages(site, verbose, idle)


@command.command(cls=Command)
def pair(site: SitePath = SITE) -> None:
    """Show a code for one browser, valid for ten minutes, with the address of the page and a QR code."""
    from bridge.commands.terminal.audited import Change, record
    from bridge.commands.web.pairing import invitation

    settings, store = _opened(site)
    text = invitation(settings, store)
    record(site, "web pair", Change("web: pairing code", None, "offered"))
    say(text)


@command.command(cls=Command)
def sessions(site: SitePath = SITE, as_json: AsJson = False) -> None:
    """List the browsers that are paired."""
    from bridge.commands.web.access import SESSION_S, name_of
    from bridge.commands.web.store import now_s

    _, store = _opened(site)
    now, access = now_s(), store.read()
    access.prune(now)
    rows = [
        {
            "session": name_of(key),
            "ends_in_s": round(session.begun_s + SESSION_S - now),
            "browser": session.browser,
        }
        for key, session in access.sessions.items()
    ]
    if as_json:
        print_json(rows)
    elif rows:
        for row in rows:
            say(f"{row['session']}  ends in {int(str(row['ends_in_s'])) // 60} min  {row['browser']}")
    else:
        say(f"no browser is paired: {next_step('sudo serial-bridge web pair', site)}")


@command.command(cls=Command)
def revoke(
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="As `sessions` lists it; none: all.")
    ] = None,
    site: SitePath = SITE,
) -> None:
    """End a session, or all."""
    from bridge.commands.terminal.audited import Change, record

    _, store = _opened(site)
    names = _revoked(store, session)
    record(site, "web revoke", *(Change(f"web: session {name}", "paired", None) for name in names))
    if session is not None and not names:
        step = next_step("sudo serial-bridge web sessions", site)
        say(f"no session is named {session}; to list them: {step}", err=True)
        raise typer.Exit(1)
    say("1 session ended" if len(names) == 1 else f"{len(names)} sessions ended")


def _opened(site: SitePath) -> tuple[Site, AccessStore]:
    """Return the site and who is paired.

    Raises:
        BridgeError: this user may not see that.
    """
    import os

    from bridge.commands.web.store import AccessStore
    from bridge.config import load_site
    from bridge.errors import BridgeError

    settings = load_site(site)
    if not os.access(settings.spool.path.parent, os.W_OK):
        raise BridgeError(f"{settings.spool.path.parent} is not yours to write: run it with sudo")
    return settings, AccessStore(settings.spool.path)


def _revoked(store: AccessStore, session: str | None) -> list[str]:
    """End a session, or all, but for those whose time is over; return their names."""
    from bridge.commands.web.store import now_s

    def revoke(access: Access) -> list[str]:
        access.prune(now_s())
        return access.revoke(session)

    return store.change(revoke)
