"""What a check says, and the machine it looks at."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

SERVICE_USER = "serial-bridge"


class Severity(Enum):
    """What it means for the readings."""

    FAULT = "fault"  # something does not work now
    RISK = "risk"  # it will not, one day
    UNSEEN = "unseen"  # it could not be looked at for lack of rights


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        area: the check it comes from.
        sentence: what is wrong, where, and what follows. Of what is UNSEEN: a noun.
        fix: one command that mends it, or shows what has to be mended; a sentence where the place varies.
    """

    area: str
    severity: Severity
    sentence: str
    fix: str


@dataclass(frozen=True, slots=True)
class Person:
    """A user of this machine, by number."""

    name: str
    uid: int
    gids: Collection[int]

    def may(self, path: Path, wanted: int) -> bool:
        """Whether `path` may be read (os.R_OK) and written (os.W_OK), as far as its mode says.

        Raises:
            OSError: it is not there, or may not be looked at.
        """
        found = path.stat()
        if self.uid == os.geteuid():
            return os.access(path, wanted)
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.gids else 0
        return self.uid == 0 or found.st_mode >> shift & wanted == wanted


def service_user() -> Person:
    """Who runs the services; before they are installed, whoever runs this."""
    try:
        entry = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return Person(_user_name(os.geteuid()), os.geteuid(), os.getgroups())
    return Person(entry.pw_name, entry.pw_uid, os.getgrouplist(entry.pw_name, entry.pw_gid))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_of(path: Path) -> str:
    """The name of a file's group, or its number."""
    gid = path.stat().st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a check finds what it looks at.

    Attributes:
        root: what /etc, /usr, /run and /boot lie below.
        user: who must be able to use ports and spool.
    """

    sysfs: Path = Path("/sys")
    procfs: Path = Path("/proc")
    root: Path = Path("/")
    kernel_log: Path = Path("/dev/kmsg")
    user: Person = field(default_factory=service_user)
