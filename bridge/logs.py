"""The form of log records."""

from __future__ import annotations

import logging
import os
import sys

from bridge.plain_text import visible
from bridge.release import VERSION


class PlainFormatter(logging.Formatter):
    """Formatter of log records whose text steers no terminal and begins no line of its own.

    Further lines of a record are indented: text made up by a device or a server cannot pass for a record, nor
    for a priority, which the journal reads where a line begins.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return visible(super().format(record)).replace("\n", "\n    ")


def log_to_stderr(verbose: int) -> None:
    """Log INFO to standard error; with `verbose` 1 DEBUG too, with 2 also the bytes on the wire.

    Under systemd the journal adds the time, and takes the level as <n>.
    """
    if "JOURNAL_STREAM" in os.environ:
        for level, priority in (("CRITICAL", 2), ("ERROR", 3), ("WARNING", 4), ("INFO", 6), ("DEBUG", 7)):
            logging.addLevelName(getattr(logging, level), f"<{priority}>")
        style = "%(levelname)s%(message)s"
    else:
        style = "%(asctime)s %(levelname)-7s %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter(style))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for name in ("bridge", "protocols"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("bridge.wire").setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    python = ".".join(map(str, sys.version_info[:3]))
    logging.getLogger(__name__).info("serial-bridge %s, Python %s", VERSION, python)
