"""The audit log: who changed what of a site, and when; one JSON object a line, only ever appended to.

It lies beside the spool. Until `install` has made that folder, and for a user who may not write it, lines go
to a file of the same name beside site.toml; whoever reads the log reads both.

A line is on the disk before its change is reported as done. A crash can tear the last line only, and the next
writer begins a new one behind the torn rest, so that no other line is lost to it. Writers wait for each
other. A log that cannot be written never keeps a person from their work: the reason is a sentence.

No secret is ever handed to the log: of a token it says that it was set.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from bridge.clock.kernel_clock import system_clock
from bridge.files import acting_as_owner, open_regular, read_all
from bridge.plain_text import json_text
from bridge.release import VERSION
from bridge.status.runtime import Runtime

NAME: Final = "audit.jsonl"
STEPS: Final = "steps"
"""The place of a change that is what a command did, a sentence each."""
_LARGEST_BYTES: Final = 100_000_000
_MODE: Final = 0o660  # members of the group serial-bridge settle readings without sudo
_LOGIN: Final = Path("/proc/self/loginuid")  # set once at a login, and kept by sudo; proc(5)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed.

    Attributes:
        what: its place, such as "site.toml: bus.meters.adapter".
        before: its value before, or None if there was none.
        after: its value now, or None if it is gone.
    """

    what: str
    before: object
    after: object


class Entry(TypedDict):
    """A line of the log."""

    at: str  # UTC, ISO 8601
    clock_trusted: bool  # whether anything vouched for that time
    user: str  # who typed the command: under sudo the person, not root
    uid: int  # with whose rights it ran
    command: str
    version: str  # of the bridge
    changes: list[dict[str, Any]]  # of Change


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log of one site.

    Attributes:
        site: the site file.
        spool: the spool's database; both need not exist.
        trust: how the clock is trusted, as in [clock].
    """

    site: Path
    spool: Path
    trust: Literal["auto", "system"] = "auto"

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the places of the log, the one to write first."""
        return tuple(dict.fromkeys(path.absolute().with_name(NAME) for path in (self.spool, self.site)))

    def record(self, command: str, changes: Sequence[Change]) -> str | None:
        """Append a line about what a command changed.

        Returns:
            None once the line is on the disk; otherwise the sentence that says why it is not, and what to do.
        """
        entry = self._entry(command, changes)
        line = json_text({**entry}).encode() + b"\n"
        reasons = []
        for path in self.paths:
            try:
                with acting_as_owner(path.parent):
                    _append(path, line)
            except OSError as error:
                reasons.append(f"{path}: {error.strerror}")
            else:
                return None
        return f"this change stands in no audit log ({'; '.join(reasons)}): run such commands with sudo"

    def entries(self) -> tuple[list[Entry], int]:
        """Return the lines of the log in the order of their times, and how many lines could not be read.

        Raises:
            OSError: a file of the log is there and cannot be read.
        """
        entries: list[Entry] = []
        torn = 0
        for path in reversed(self.paths):
            for line in _lines(path):
                entry = _parsed(line)
                if entry is None:
                    torn += 1
                else:
                    entries.append(entry)
        return sorted(entries, key=lambda entry: entry["at"]), torn

    def _entry(self, command: str, changes: Sequence[Change]) -> Entry:
        clock = system_clock(self.trust, Runtime(self.spool))
        known_ms = clock.measured_ms(clock.now())
        moment = datetime.fromtimestamp(
            (time.time_ns() // 1_000_000 if known_ms is None else known_ms) / 1000, UTC
        )
        return {
            "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "clock_trusted": known_ms is not None,
            "user": person(),
            "uid": os.geteuid(),
            "command": command,
            "version": VERSION,
            "changes": [asdict(change) for change in changes],
        }


def person() -> str:
    """Return the name of the user who sits at the terminal: whoever called sudo, else who logged in.

    Root may write anything into SUDO_USER; the kernel's login id, where there is one, is beyond doubt, but a
    service and a container have none.
    """
    with suppress(OSError, ValueError, KeyError):
        login = int(_LOGIN.read_text())
        return pwd.getpwuid(login).pw_name  # 4294967295 for none: no such user
    if os.geteuid() == 0 and (name := os.environ.get("SUDO_USER")):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _append(path: Path, line: bytes) -> None:
    """Append a line durably, and leave nothing of it if it does not fit.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    is_new = not path.exists()
    descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
    try:
        if is_new:
            os.fchmod(descriptor, _MODE)  # whatever the umask says
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # another writer was killed within its line
        try:
            count = os.write(descriptor, line)
            if count < len(line):
                os.write(descriptor, line[count:])  # raises what stopped the first one
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that are not empty; none if it is not there."""
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        data = read_all(descriptor, _LARGEST_BYTES)
    finally:
        os.close(descriptor)
    yield from filter(None, data.split(b"\n"))


def _parsed(line: bytes) -> Entry | None:
    """Return the entry in a line; None if the line is torn or no entry."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match entry:
        case {
            "at": str(),
            "clock_trusted": bool(),
            "user": str(),
            "command": str(),
            "changes": list(changes),
        }:
            is_whole = all(isinstance(change, dict) and "what" in change for change in changes)
            return entry if is_whole else None
    return None
