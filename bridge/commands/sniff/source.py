"""Where the octets of a line come from: its port, the process that reads its bus, or a capture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.captures import Record
from bridge.captures import read as read_capture
from bridge.commands.decode.traffic import PAUSE_US
from bridge.config import Bus, load_site
from bridge.errors import ConfigError, PortLost
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.reader.tap import listen_in
from bridge.spool import lock
from bridge.status.runtime import Runtime
from protocols import load
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, ProtocolTemplate

_PAUSE_S: Final = PAUSE_US / 1e6


@dataclass(frozen=True, slots=True)
class Source:
    """Where octets come from.

    Attributes:
        protocol: what is spoken.
        port: returns the device file; raises PortLost if it is not there.
        settings: of the line.
        capture: the capture to read; None: the port.
        spool: of the site that has the bus; None: no bus of a site.
        bus: its name.
    """

    protocol: Protocol
    port: Callable[[], str]
    settings: LineSettings | None
    capture: Path | None
    spool: Path | None = None
    bus: str = "sniffed"


def source_of(
    line: str | None,
    protocol: str | None,
    settings: str | None,
    capture: Path | None,
    site: Path,
    devices: Path | None,
) -> Source:
    """Return where octets come from, by the arguments of the command.

    Raises:
        ConfigError: something is missing or unknown; the message says what to write.
    """
    if line is not None and "/" not in line:
        site_settings = load_site(site)
        buses = site_settings.buses
        if line not in buses:
            names = ", ".join(buses)
            raise ConfigError(
                [f'{site}: there is no bus "{line}"; the buses are: {names}; a port has a / in its name']
            )
        bus = buses[line]
        return Source(
            bus.protocol, lambda: find_port(bus, devices), bus.line, capture, site_settings.spool.path, line
        )
    if line is None and capture is None:
        raise ConfigError(["name a bus of the site file or a port: serial-bridge sniff /dev/ttyUSB0 …"])
    if protocol is None:
        raise ConfigError(["say what is spoken: --protocol modbus-rtu; `serial-bridge protocols` lists them"])
    try:
        entry = load(protocol)
    except KeyError:
        raise ConfigError([f'"{protocol}" is not a protocol; `serial-bridge protocols` lists them']) from None
    if isinstance(entry, ProtocolTemplate):
        raise ConfigError([f"{entry.title}: name the bus that declares them instead of --protocol"])
    try:
        wanted = LineSettings.parse(settings) if settings else entry.line
    except ValueError as error:
        raise ConfigError([f"--line: {error}"]) from error
    if wanted is None and capture is None:
        raise ConfigError(['say how the line is set: --line "9600 8N1"; the master\'s manual tells'])
    return Source(entry, lambda: line or "", wanted, capture)


def listening_bus(name: str, site: Path) -> Bus:
    """Return a bus of the site that only listens.

    Raises:
        ConfigError: there is no such bus, or it is polled by this bridge; the message says what to write.
    """
    buses = load_site(site).buses
    if name not in buses:
        raise ConfigError([f'{site}: there is no bus "{name}"; the buses are: {", ".join(buses)}'])
    bus = buses[name]
    if not bus.listen:
        raise ConfigError(
            [f"{site}: bus.{name}: only a bus that listens has another master: write listen = true first"]
        )
    return bus


async def records(source: Source, seconds: float | None) -> AsyncGenerator[Record]:
    """Yield the octets of a line as they come; a record without octets is a pause. Nothing is ever sent.

    Args:
        source: of a bus in service, its reader is listened in on; any other port is opened.
        seconds: how long to listen; None: until cancelled. A capture is read to its end.

    Raises:
        PortLost, AlreadyRunning: the line cannot be listened to, or no longer; the message says why.
        NotACapture: the file is none.
    """
    if source.capture is not None:
        for record in read_capture(source.capture):
            yield record
        return
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    async with aclosing(_live(source)) as live:
        async for record in live:
            yield record
            if end is not None and loop.time() >= end:
                return


async def _live(source: Source) -> AsyncGenerator[Record]:
    """Yield what passes now, and pauses, until closed."""
    if source.spool is not None:
        try:
            connection = Runtime(source.spool).connect(source.bus)
        except PermissionError:
            raise PortLost(f"bus {source.bus} is read by another user: run this with sudo") from None
        if connection is not None:
            async with aclosing(listen_in(connection, source.bus, _PAUSE_S)) as tapped:
                async for record in tapped:
                    yield record
            return
    with ExitStack() as stack:
        if source.spool is not None:
            with suppress(OSError):  # no spool yet, or out of reach: the port's own lock still protects it
                stack.enter_context(lock(source.spool, f"bus-{source.bus}"))
        assert source.settings is not None
        port = Port()
        await port.open(source.port(), source.settings, None, True)
        try:
            while True:
                data = await port.read(asyncio.get_running_loop().time() + _PAUSE_S)
                yield Record(time.time_ns() // 1000, data)
        finally:
            await port.close()
