"""The result of a check, and the machine it looks at."""

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
    """What a finding means for the readings."""

    FAULT = "fault"  # something does not work now
    RISK = "risk"  # something will stop working, one day
    UNSEEN = "unseen"  # the check was skipped for lack of permission


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or one check that was skipped.

    Attributes:
        area: the check it comes from.
        severity: UNSEEN for a check that was skipped.
        sentence: what is wrong, where, and what follows. For UNSEEN: a noun, the thing that was not seen.
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

    def may(self, path: Path, access: int) -> bool:
        """Return whether the user may access `path`, as far as its mode says.

        Args:
            access: os.R_OK, os.W_OK, or both.

        Raises:
            OSError: the file is missing, or may not be looked at.
        """
        status = path.stat()
        if self.uid == os.geteuid():
            return os.access(path, access)
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return self.uid == 0 or status.st_mode >> shift & access == access


def service_user() -> Person:
    """Return the user who runs the services; before they are installed, the one who runs this."""
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
    """Return the name of a file's group, or its number."""
    gid = path.stat().st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the checks find the parts of the machine that they look at.

    Attributes:
        root: the folder that holds /etc, /usr, /run and /boot.
        user: the user who must be able to use ports and spool.
    """

    sysfs: Path = Path("/sys")
    procfs: Path = Path("/proc")
    root: Path = Path("/")
    kernel_log: Path = Path("/dev/kmsg")
    user: Person = field(default_factory=service_user)
