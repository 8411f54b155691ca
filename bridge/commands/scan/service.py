"""A scan of a bus in service: its reader asks, some addresses at a time, between the polls of its sensors.

Only the protocol and the line settings of the bus can be searched, and only addresses: to ask everybody at
once would speak into the replies of the sensors. Those in site.toml are not asked, they are known.

"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bridge.commands.scan.result import Ending, Located, ScanResult, merged
from bridge.commands.scan.survey import Progress, Subject, Watcher
from bridge.config import Bus
from bridge.errors import BridgeError, PortLost
from bridge.reader.lending import question, reader_stopped
from bridge.reader.searching import SearchQuery, find_in
from bridge.status.runtime import Runtime

_AT_ONCE: Final = 4  # addresses in one question: a person sees how far it is


async def scan_in_service(bus: Bus, spool: Path, subject: Subject, watcher: Watcher) -> ScanResult | None:
    """Have the reader of a bus scan it; None if no reader lends its line.

    Args:
        bus: the bus.
        spool: of its site.
        subject: what is scanned.
        watcher: is told as it goes on.

    Raises:
        BridgeError: the bus is in service, and cannot be scanned so; the message says what to do.
        PortLost: its reader did not answer, or has lost the line.
    """
    runtime = Runtime(spool)
    try:
        connection = runtime.connect(bus.name)
    except PermissionError:
        raise PortLost(f"bus {bus.name} is read by another user: run this with sudo") from None
    if connection is None:
        return None
    connection.close()
    _check(bus, subject)
    known = {sensor.settings.address for sensor in bus.sensors}
    addresses = [address for address in _addresses(bus, subject) if address not in known]
    begun, finds, ending = _now(), list(subject.finds), Ending.COMPLETE
    watcher.said(f"bus {bus.name} is in service: its reader asks, between the polls of its sensors")
    try:
        for at in range(0, len(addresses), _AT_ONCE):
            step = addresses[at : at + _AT_ONCE]
            elapsed_s = _now() - begun
            left_s = elapsed_s / at * (len(addresses) - at) if at else None
            watcher.progress(Progress(f"address {step[0]}–{step[-1]}", left_s, at / len(addresses)))
            for find in await _asked(runtime, bus, step, is_quick=subject.limits.is_quick):
                located = Located(find_in(find), bus.line, _now() - begun)
                finds.append(located)
                watcher.found(located)
    except asyncio.CancelledError:
        ending = Ending.INTERRUPTED
    remarks = [f"the sensors of site.toml were not asked: {', '.join(sorted(known)) or 'none'}"]
    if not finds and ending is Ending.COMPLETE:
        remarks.append(
            f"nothing else answers at {bus.line}: check its power, then A and B (swapped?), then its address"
        )
    return ScanResult(bus.name, merged(finds), ending, "; ".join(remarks), None, _now() - begun)


async def _asked(
    runtime: Runtime, bus: Bus, addresses: Sequence[str], *, is_quick: bool
) -> Sequence[dict[str, object]]:
    connection = runtime.connect(bus.name)
    if connection is None:
        raise reader_stopped(bus.name)
    query = SearchQuery(bus.name, bus.protocol.name, str(bus.line), tuple(addresses), is_quick)
    finds: list[dict[str, object]] = await question(connection, bus.name, query.text())
    return finds


def _check(bus: Bus, subject: Subject) -> None:
    """Raise BridgeError if the reader of a bus cannot search what is asked for."""
    stop = f"stop it first: sudo systemctl stop serial-bridge@{bus.name}"
    if list(subject.protocols) != [bus.protocol.name] or subject.limits.line not in (None, bus.line):
        raise BridgeError(
            f"bus {bus.name} is in service as {bus.protocol.name} at {bus.line}: to scan it otherwise, {stop}"
        )
    scanning = subject.scannings().get(bus.protocol.name)
    if scanning is None or scanning.search is None or scanning.addressed is None:
        raise BridgeError(
            f"bus {bus.name} is in service, and {bus.protocol.title} is not searched by address: {stop}"
        )


def _addresses(bus: Bus, subject: Subject) -> list[str]:
    """Return the addresses to ask.

    Raises:
        BridgeError: the protocol finds addresses by itself, so they must be named.
    """
    scanning, limits = subject.scannings()[bus.protocol.name], subject.limits
    if limits.addresses and scanning.addressed is not None:
        return [*scanning.addressed(limits.addresses)]
    rounds = scanning.rounds[:1] if limits.is_quick else scanning.rounds
    addresses = [address for part in rounds for address in part]
    if not addresses:
        raise BridgeError(f"bus {bus.name} is in service: name the addresses to ask, --addresses 1-20")
    return addresses


def _now() -> float:
    return asyncio.get_running_loop().time()
