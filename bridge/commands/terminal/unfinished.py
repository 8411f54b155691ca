"""The values of site.toml before a command changes it, noted until the audit log has the change.

    note the old values ─▶ site.toml is replaced ─▶ line in the audit log ─▶ the note goes

A command that is killed in between leaves the note. The next one that changes site.toml finds it, and writes
the line that is missing before it begins. The note is locked for as long as its command lives, so that nobody
takes the change of a living command for that of a killed one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge.audit_log import AuditLog
from bridge.files import acting_as_owner, open_regular, read_all

NAME: Final = ".audit.unfinished"
_MODE: Final = 0o600
_LARGEST_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A command of which the audit log may have no line.

    Attributes:
        command: as typed.
        before: the values of site.toml when it began, by their places.
    """

    command: str
    before: Mapping[str, object]


class Note:
    """The note of a site, held by this process."""

    def __init__(self, descriptor: int) -> None:
        """Take the note behind an open descriptor that is locked."""
        self._descriptor = descriptor

    def read(self) -> Unfinished | None:
        """Return the command that was killed; None if there is none, or it was killed before its change."""
        try:
            note: Any = json.loads(read_all(self._descriptor, _LARGEST_BYTES))
            return Unfinished(str(note["command"]), dict(note["before"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def write(self, command: str, before: Mapping[str, object]) -> None:
        """Have the values on the disk; without room there, the command goes on without a note."""
        data = json.dumps({"command": command, "before": before}).encode()
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, data, 0)
            os.fsync(self._descriptor)


@contextmanager
def note_of(log: AuditLog) -> Iterator[Note | None]:
    """Hold the note beside a log; None where another command holds it, or none can be kept.

    It goes at the end of the block, also after an error.
    """
    for path in log.paths:
        place = path.with_name(NAME)
        with suppress(OSError):
            descriptor = _opened(place)
            break
    else:
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        yield None
        return
    try:
        yield Note(descriptor)
    finally:
        with suppress(OSError), acting_as_owner(place.parent):
            place.unlink()
        os.close(descriptor)


def _opened(place: Path) -> int:
    with acting_as_owner(place.parent):
        return open_regular(place, os.O_RDWR | os.O_CREAT, _MODE)
