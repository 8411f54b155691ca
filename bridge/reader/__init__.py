"""One bus into the spool: who is asked when (schedule), asking (poll), which sensors share a device (group),
what is kept (on_change), and the task that does it all (reader)."""

from __future__ import annotations

from bridge.reader.reader import Reader

__all__ = ["Reader"]
