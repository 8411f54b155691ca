"""Listening to a line, or to a capture of one: where the octets come from, and what is done with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.captures import Capture, Record, open_capture
from bridge.captures import read as read_capture
from bridge.commands.decode.traffic import PAUSE_US, Heard, Traffic
from bridge.commands.sniff import text
from bridge.commands.sniff.learning import blocks, learned
from bridge.config import load_site
from bridge.errors import AlreadyRunning, ConfigError
from bridge.plain_text import json_text
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.spool import lock
from protocols import load
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol, Protocol, ProtocolTemplate


@dataclass(frozen=True, slots=True)
class Source:
    """Where octets come from.

    Attributes:
        protocol: what is spoken.
        port: the device file; "" for a capture.
        settings: of the line.
        capture: the capture to read; None: the port.
        lock: the spool and the name of the lock that keeps a bus for one process; None: no bus of a site.
        bus: its name in the proposed blocks.
    """

    protocol: Protocol
    port: str
    settings: LineSettings | None
    capture: Path | None
    lock: tuple[Path, str] | None = None
    bus: str = "sniffed"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is done with the traffic. Attributes as the options of the command."""

    model: str | None = None
    seconds: float | None = None
    write: Path | None = None
    is_learning: bool = False
    address: int | None = None
    as_json: bool = False


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
    if line is not None and not line.startswith("/"):
        site_settings = load_site(site)
        buses = site_settings.buses
        if line not in buses:
            raise ConfigError(
                [f'{site}: there is no bus "{line}"; the buses are: {", ".join(buses)}; a port begins with /']
            )
        bus = buses[line]
        port = "" if capture else find_port(bus, devices)
        bus_lock = site_settings.spool.path, f"bus-{line}"
        return Source(bus.protocol, port, bus.line, capture, bus_lock, line)
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
    return Source(entry, line or "", wanted, capture)


async def listen(source: Source, wishes: Wishes, say: Callable[[object], None]) -> bool:
    """Show, keep and learn from what passes; return whether there was a frame."""
    with ExitStack() as stack:
        if source.lock and source.capture is None:
            try:
                stack.enter_context(lock(*source.lock))
            except AlreadyRunning as running:
                raise AlreadyRunning(
                    f"{running}: `serial-bridge status` shows what it reads; stop it to see every octet"
                ) from None
            except OSError:  # no spool yet, or out of reach: the port's own lock still protects the bus
                pass
        capture = open_capture(wishes.write) if wishes.write else None
        if capture:
            stack.callback(capture.close)
        traffic = Traffic(source.protocol, wishes.model)
        overhearer = _overhearer(source) if wishes.is_learning else None
        frames, first_us, last_us = 0, 0, 0
        with suppress(asyncio.CancelledError):  # Ctrl-C ends it; what was learned is still said
            async for record in _records(source, wishes, capture):
                first_us, last_us = first_us or record.at_us, record.at_us
                heard = list(traffic.hear(record)) if record.data else list(traffic.silence())
                frames += _show(heard, wishes, overhearer, say)
        frames += _show(list(traffic.silence()), wishes, overhearer, say)
    if overhearer is not None:
        units = learned(overhearer, max((last_us - first_us) / 1e6, 1.0))
        say(blocks(source.bus, units) if units else "no request with its reply was heard: nothing to propose")
    elif not frames:
        say(
            f"no frame of {source.protocol.name} was heard: compare protocol, baud rate and parity, "
            "then A and B"
        )
    return bool(frames)


def _overhearer(source: Source) -> ModbusOverhearer:
    """Return the overhearer that learns.

    Raises:
        ConfigError: of this protocol nothing can be learned.
    """
    if isinstance(source.protocol, PolledProtocol) and source.protocol.overhearer is not None:
        overhearer = source.protocol.overhearer([])
        if isinstance(overhearer, ModbusOverhearer):
            return overhearer
    raise ConfigError([f"--learn: of {source.protocol.title} nothing can be learned yet, only of Modbus"])


def _show(
    heard: list[Heard], wishes: Wishes, overhearer: ModbusOverhearer | None, say: Callable[[object], None]
) -> int:
    """Print events, and hand them to what learns; return how many were frames."""
    frames = 0
    for one in heard:
        frames += isinstance(one.event, Frame)
        if overhearer is not None:
            overhearer.hear(one.event, one.start_us / 1e6, one.start_us / 1e6)
            continue
        if wishes.address is not None and (one.fields or {}).get("address") != wishes.address:
            continue
        say(json_text(text.document(one)) if wishes.as_json else text.line(one))
    return frames


async def _records(source: Source, wishes: Wishes, capture: Capture | None) -> AsyncIterator[Record]:
    """Yield octets as they come; a record without octets is a pause."""
    if source.capture is not None:
        for record in read_capture(source.capture):
            if capture:
                capture.write(record)
            yield record
        return
    assert source.settings is not None
    port = Port()
    loop = asyncio.get_running_loop()
    await port.open(source.port, source.settings, None, True)
    end = None if wishes.seconds is None else loop.time() + wishes.seconds
    try:
        while end is None or loop.time() < end:
            data = await port.read(loop.time() + PAUSE_US / 1e6)
            record = Record(time.time_ns() // 1000, data)
            if capture and data:
                capture.write(record)
            yield record
    finally:
        await port.close()
