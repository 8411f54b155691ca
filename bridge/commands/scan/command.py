"""`serial-bridge scan`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, DevicesPath, SitePath, print_json, say

if TYPE_CHECKING:
    from bridge.commands.scan.result import Located
    from bridge.commands.scan.resume import Note
    from bridge.commands.scan.survey import Progress

SECTION: Final = "Set up"
_SHOW_EVERY_S: Final = 0.2


def command(
    place: Annotated[
        str, typer.Argument(metavar="BUS|PORT", help="A bus of the site file, or a device: /dev/ttyUSB0.")
    ],
    line: Annotated[
        str, typer.Option("--line", metavar='"9600 8N1"', help="Only these line settings; of a bus, its own.")
    ] = "",
    protocol: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this protocol; may be repeated.")
    ] = None,
    addresses: Annotated[str, typer.Option(metavar="1-20,33", help="Only these addresses.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Only the addresses that are usual.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the scan of this line that was interrupted.")
    ] = False,
    site: SitePath = SITE,
    devices: DevicesPath = None,
    as_json: AsJson = False,
) -> None:
    """Find out who is on a line: settings, addresses, models; write nothing to any device.

    Where another master is at work, or sensors send by themselves, only listen. Ctrl-C ends a scan and shows
    what it found. Exit status 1 if nothing was found.
    """
    from bridge import event_loop
    from bridge.commands.scan import text
    from bridge.commands.scan.result import Ending, document
    from bridge.commands.scan.resume import Note
    from bridge.commands.scan.scan import Wishes, scan, target_of

    target = target_of(place, site, devices)
    wishes = Wishes(line, protocol or (), addresses, quick, resume)
    face = _Face(Note(target.name), is_resumed=resume, is_silent=as_json)
    result = event_loop.run(scan(target, wishes, face))
    face.close(is_complete=result.ending is Ending.COMPLETE)
    if as_json:
        print_json(document(result))
    else:
        for located in result.finds:
            say("\n".join(text.find_lines(located)))
        say("\n".join(text.summary(result, site)))
    raise typer.Exit(not result.finds)


class _Face:
    """Shows a scan as it goes on: progress in one line that is overwritten, and each find at once."""

    def __init__(self, note: Note, *, is_resumed: bool, is_silent: bool) -> None:
        """Show a scan on standard error.

        Args:
            note: where it is kept what is done.
            is_resumed: what stands there goes on to count.
            is_silent: show nothing.
        """
        self._note = note
        self._is_silent = is_silent
        self._is_live = sys.stderr.isatty() and not is_silent
        self._done, finds = note.read() if is_resumed else (frozenset[str](), ())
        self._finds = [*finds]
        self._names: dict[tuple[str, str, str], str] = {}
        self._shown_at = 0.0

    def found(self, located: Located) -> None:
        """Say at once that somebody is there; the rest is told at the end."""
        from bridge.commands.scan.text import name

        self._finds.append(located)
        find = located.find
        if self._is_silent or self._names.get(located.key) == name(find):
            return
        self._names[located.key] = name(find)
        address = f" address {find.address}" if find.address else ""
        self._say(f"{located.line}: {find.protocol}{address}, {name(find)}")

    def progress(self, progress: Progress) -> None:
        """Overwrite the line of progress, on a terminal."""
        from bridge.commands.scan.text import progress_line

        if self._is_live and time.monotonic() >= self._shown_at + _SHOW_EVERY_S:
            self._shown_at = time.monotonic()
            typer.echo(f"\r{progress_line(progress)}\x1b[K", nl=False, err=True)

    def said(self, sentence: str) -> None:
        """Say a sentence on the line as a whole."""
        if not self._is_silent:
            self._say(sentence)

    def finished(self, step: str) -> None:
        """Keep what is done, so that the scan can be resumed."""
        self._done |= {step}
        self._note.write(self._done, tuple(self._finds))

    def close(self, *, is_complete: bool) -> None:
        """Remove the line of progress; of a complete scan there is nothing to go on with."""
        self._clear()
        if is_complete:
            self._note.write(frozenset(), ())

    def _clear(self) -> None:
        if self._is_live:
            typer.echo("\r\x1b[K", nl=False, err=True)

    def _say(self, sentence: str) -> None:
        self._clear()
        say(sentence, err=True)
