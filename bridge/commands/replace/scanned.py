"""The devices of a bus, at its own line settings and in its own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.commands.scan.result import Ending, Located
from bridge.commands.scan.scan import Wishes, scan, target_of
from bridge.commands.scan.survey import Progress
from bridge.config import Bus, Site
from bridge.errors import BridgeError
from bridge.status.runtime import Runtime
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.scanning import Evidence, Find


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


async def finds_on(bus: Bus, site: Site, devices: Path | None, addresses: str) -> Sequence[Located]:
    """Return who is on a bus: of one whose sensors push whom its reader hears, else whom a scan finds.

    Args:
        bus: the bus.
        site: the site, as site.toml has it.
        devices: as for `try`.
        addresses: ask these only; "": all.

    Raises:
        BridgeError: nothing may be sent on this bus; the message says why and what to do.
        PortLost: the port is missing, busy or failed.
    """
    if isinstance(bus.protocol, PushingProtocol) and (senders := _heard(bus, site)) is not None:
        return senders
    wishes = Wishes(addresses=addresses)
    result = await scan(target_of(bus.name, site.path, devices), wishes, _Silent())
    if result.ending is Ending.NOT_OURS and not result.finds:
        raise BridgeError(f"bus {bus.name}: {result.remark}")
    return result.finds


def _heard(bus: Bus, site: Site) -> list[Located] | None:
    """Return who is heard on a bus in service and is no sensor of the site; None if nobody listens there."""
    document = Runtime(site.spool.path).buses().get(bus.name)
    if document is None or not document["running"]:
        return None
    return [
        Located(
            Find(protocol=bus.protocol.name, address=sender, evidence=Evidence.HEARD, keys={"id": sender}),
            bus.line,
            0.0,
        )
        for sender in document.get("line", {}).get("not_configured", {})
        if sender
    ]
