"""The devices that answer on a bus, at its own line settings and in its own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.result import Located
from bridge.commands.scan.survey import Progress, Subject, Survey
from bridge.config import Site
from bridge.errors import AlreadyRunning, BridgeError
from bridge.files import NotOurFile
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.spool import lock


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


async def finds_on(site: Site, name: str, devices: Path | None) -> Sequence[Located]:
    """Scan a bus and return the finds.

    Raises:
        BridgeError: nothing may be sent on this bus; the message says why and what to do.
        PortLost: the port is missing, busy or failed.
    """
    bus = site.buses[name]
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(site.spool.path, f"bus-{name}"))
        except AlreadyRunning as running:
            raise AlreadyRunning(f"{running}: name the address of the new sensor with --address") from None
        except NotOurFile:
            raise
        except OSError:
            pass  # no spool yet: the port's own lock still protects the bus
        port = Port()
        await port.open(find_port(bus, devices), bus.line, bus.rs485)
        try:
            subject = Subject(name, {bus.protocol.name: bus.protocol}, Limits(line=bus.line))
            result = await Survey(port, subject, _Silent()).run()
        finally:
            await port.close()
    if not result.finds and result.remark:
        raise BridgeError(f"bus {name}: {result.remark}")
    return result.finds
