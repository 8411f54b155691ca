"""The scan within `setup`: who answers is said at once, and a line of progress is overwritten."""

from __future__ import annotations

import sys
import time
from typing import Final

import typer

from bridge.commands.scan.result import Located
from bridge.commands.scan.survey import Progress
from bridge.commands.scan.text import progress_line
from bridge.commands.setup.dialogue import Dialogue
from bridge.plain_text import one_line
from protocols.toolkit.scanning import Evidence

_SHOW_EVERY_S: Final = 0.2
AT_ONCE: Final = (Evidence.IDENTIFIED, Evidence.ANSWERS, Evidence.REFUSES)


class Face:
    """Shows a scan in the dialogue; `with` removes its line of progress at the end.

    Args:
        dialogue: where it is shown.
    """

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._is_live = sys.stderr.isatty()
        self._shown_at = 0.0
        self._keys: set[tuple[str, str, str]] = set()  # of the finds that were said

    def __enter__(self) -> Face:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def found(self, located: Located) -> None:
        """Say at once that somebody is there; the question comes at the end."""
        find = located.find
        if find.evidence not in AT_ONCE or located.key in self._keys:
            return
        self._keys.add(located.key)
        self._clear()
        place = f"address {find.address}" if find.address else "somebody"
        self._dialogue.tell(f"{place} answers: {find.protocol} at {located.line}")

    def progress(self, progress: Progress) -> None:
        """Overwrite the line of progress, on a terminal."""
        if self._is_live and time.monotonic() >= self._shown_at + _SHOW_EVERY_S:
            self._shown_at = time.monotonic()
            typer.echo(f"\r{one_line(progress_line(progress))}\x1b[K", nl=False, err=True)

    def said(self, sentence: str) -> None:
        """Say a sentence on the line as a whole."""
        self._clear()
        self._dialogue.tell(sentence)

    def finished(self, step: str) -> None:
        """Ignore a step: a scan within the dialogue is begun again, not resumed."""

    def _clear(self) -> None:
        if self._is_live:
            typer.echo("\r\x1b[K", nl=False, err=True)
