"""The bytecode of what the services run, compiled once here because no service may write it.

pip compiles what it installs, and the Debian package brings it compiled. Other installers leave that to the
first run, but a service sees a read-only system: each of its starts would compile some two hundred modules
anew, for as much CPU time as all the rest of the start.
"""

from __future__ import annotations

import compileall
import sysconfig
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("purelib"))
"""Where this program and what it imports is installed."""


def compile_missing() -> None:
    """Compile what has no bytecode yet, or has that of another source; leave out what cannot be compiled."""
    compileall.compile_dir(PACKAGES, quiet=2)
