"""The form of log records."""

from __future__ import annotations

import logging

from bridge.plain_text import visible


class PlainFormatter(logging.Formatter):
    """Formatter of log records whose text steers no terminal and begins no line of its own.

    Further lines of a record are indented: text made up by a device or a server cannot pass for a record, nor
    for a priority, which the journal reads where a line begins.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return visible(super().format(record)).replace("\n", "\n    ")
