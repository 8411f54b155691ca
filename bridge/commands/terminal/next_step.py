"""Commands that the installer is told to type next."""

from __future__ import annotations

import shlex
from pathlib import Path

from bridge.services import SITE

__all__ = ["SITE", "command"]


def command(words: str, site: Path) -> str:
    """Return a command of the bridge, with --site unless the site file is in its usual place."""
    return words if site == SITE else f"{words} --site {shlex.quote(str(site))}"
