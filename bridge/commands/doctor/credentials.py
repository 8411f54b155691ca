"""The secrets: present, correct, and private."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from bridge.commands.doctor.finding import Finding, Severity
from bridge.config import Credentials, Site, load_credentials
from bridge.errors import ConfigError

AREA = "credentials"


def load(site: Site, path: Path) -> Credentials | None:
    """Return the credentials; None if they have a mistake or this user may not read them."""
    try:
        return load_credentials(path, site)
    except (ConfigError, OSError):
        return None


def check(site: Site, path: Path) -> Iterator[Finding]:
    """Yield every mistake in credentials.toml and in the files it names, including their modes."""
    if _is_missing(path):
        sentence = f"there is no {path}: readings wait in the spool until it holds the sensors' tokens"
        yield Finding(
            AREA, Severity.FAULT, sentence, f"sudo install -m 600 /dev/null {shlex.quote(str(path))}"
        )
        return
    if not os.access(path, os.R_OK):
        yield Finding(AREA, Severity.UNSEEN, str(path), "")
        return
    try:
        load_credentials(path, site)
    except ConfigError as error:
        for mistake in error.mistakes:
            yield Finding(AREA, Severity.FAULT, mistake, _fix(mistake))


def _fix(mistake: str) -> str:
    """Return the chmod command at the end of a mistake, if it is whole; a path in it may hold anything."""
    fix = re.search(r"run: (chmod 600 .*)$", mistake)
    try:
        words = shlex.split(fix[1]) if fix else []
    except ValueError:
        words = []
    return f"sudo {shlex.join(words)}" if len(words) == 3 else "serial-bridge check"


def _is_missing(path: Path) -> bool:
    """Return whether there is no such file; False, too, where this user may not even look."""
    try:
        return not path.exists()
    except PermissionError:
        return False
