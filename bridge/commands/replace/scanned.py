"""The devices that answer on a bus, at its own line settings and in its own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.commands.scan.result import Located
from bridge.commands.scan.scan import Wishes, scan, target_of
from bridge.commands.scan.survey import Progress
from bridge.errors import BridgeError


class _Silent:
    """Watches a scan and says nothing."""

    def found(self, located: Located) -> None:
        """Ignore a find: all come at the end."""

    def progress(self, progress: Progress) -> None:
        """Ignore how far it is."""

    def said(self, sentence: str) -> None:
        """Ignore a sentence: it is the result's remark."""

    def finished(self, step: str) -> None:
        """Ignore a step."""


async def finds_on(name: str, site: Path, devices: Path | None, addresses: str) -> Sequence[Located]:
    """Scan a bus, or these addresses of it, and return the finds.

    Raises:
        BridgeError: nothing may be sent on this bus, or nobody answers; the message says why and what to do.
        PortLost: the port is missing, busy or failed.
    """
    result = await scan(target_of(name, site, devices), Wishes(addresses=addresses), _Silent())
    if not result.finds and result.remark:
        raise BridgeError(f"bus {name}: {result.remark}")
    return result.finds
