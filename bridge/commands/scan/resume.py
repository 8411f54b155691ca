"""What a scan has done so far, kept in the runtime folder: an interrupted one goes on where it stopped.

It is kept after each step of the plan, so at most one step is repeated. The note is removed by a restart of
the machine, and a finished scan leaves none to go on with.
"""

from __future__ import annotations

import re
from typing import Any, cast

from bridge.commands.scan.result import Located, located_document, located_in
from bridge.status.runtime import keep_note, kept_note


class Note:
    """The note of the scan of one port."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._name = "scan-" + re.sub(r"[^A-Za-z0-9]+", "-", port).strip("-")
        self._is_failing = False

    def read(self) -> tuple[frozenset[str], tuple[Located, ...]]:
        """Return the steps that are done, and what was found; nothing if there is no such note."""
        note = kept_note(self._name)
        if note is None or note.get("port") != self._port:
            return frozenset(), ()
        try:
            finds = [located_in(find) for find in cast(list[Any], note["finds"])]
            return frozenset(map(str, cast(list[Any], note["done"]))), tuple(finds)
        except (KeyError, TypeError, ValueError):  # of another version
            return frozenset(), ()

    def write(self, done: frozenset[str], finds: tuple[Located, ...]) -> None:
        """Keep what is done; a scan goes on where that is not possible, and cannot be resumed."""
        if self._is_failing:
            return
        note = {"port": self._port, "done": sorted(done), "finds": [located_document(find) for find in finds]}
        try:
            keep_note(self._name, note)
        except OSError:
            self._is_failing = True
