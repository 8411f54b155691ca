"""The work of `scan`: which line, with which protocols, who is on it. `setup` and `replace` call it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bridge.commands.scan.plan import Limits, steps
from bridge.commands.scan.protocols import spoken
from bridge.commands.scan.result import ScanResult
from bridge.commands.scan.resume import Note
from bridge.commands.scan.service import scan_in_service
from bridge.commands.scan.survey import USUAL_LINES, Subject, Survey, Watcher
from bridge.config import RS485, Bus, load_site
from bridge.errors import AlreadyRunning, ConfigError
from bridge.files import NotOurFile
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.spool import lock
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asks for. Attributes as the options of the command.

    Attributes:
        line: "9600 8N1"; "": the usual ones, or that of the bus.
        protocols: names; (): all, or that of the bus.
        addresses: "1-20,33"; "": all.
        is_quick: only the likely addresses.
        is_resumed: go on with the scan of this port that was interrupted.
    """

    line: str = ""
    protocols: Sequence[str] = ()
    addresses: str = ""
    is_quick: bool = False
    is_resumed: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The line that is scanned.

    Attributes:
        name: of the bus, or the device file.
        port: the device file; "" until it is looked for.
        bus: of site.toml; None: a bare port.
        spool: the spool of the site, where a bus has its lock; None: a bare port.
        devices: the folder of --devices.
    """

    name: str
    port: str = ""
    bus: Bus | None = None
    spool: Path | None = None
    devices: Path | None = field(default=None)

    @property
    def rs485(self) -> RS485 | None:
        """Return how the driver of the port is switched."""
        return self.bus.rs485 if self.bus else None


def target_of(place: str, site: Path, devices: Path | None = None) -> Target:
    """Return the line of a bus of the site, or of a device file.

    Raises:
        ConfigError: there is no such bus; the message lists them.
    """
    if "/" in place:
        return Target(place, place)
    settings = load_site(site)
    if place not in settings.buses:
        buses = ", ".join(settings.buses)
        raise ConfigError(
            [f'{site}: there is no bus "{place}"; the buses are: {buses}; a port has a / in its name']
        )
    return Target(place, "", settings.buses[place], settings.spool.path, devices)


def subject_of(target: Target, wishes: Wishes) -> Subject:
    """Return what is to be scanned.

    Raises:
        ConfigError: an option has a mistake.
    """
    bus = target.bus
    protocols: dict[str, Protocol] = (
        {bus.protocol.name: bus.protocol} if bus and not wishes.protocols else spoken(wishes.protocols)
    )
    try:
        line = LineSettings.parse(wishes.line) if wishes.line else bus.line if bus else None
    except ValueError as error:
        raise ConfigError([f"--line: {error}"]) from error
    limits = Limits(line, wishes.addresses, wishes.is_quick)
    done, finds = Note(target.name).read() if wishes.is_resumed else (frozenset[str](), ())
    subject = Subject(target.name, protocols, limits, done, finds)
    try:
        steps(subject.scannings(), limits)
    except ValueError as error:
        raise ConfigError([f"--addresses: {error}"]) from error
    return subject


async def scan(target: Target, wishes: Wishes, watcher: Watcher) -> ScanResult:
    """Scan a line; a bus in service is asked by its reader.

    Args:
        target: the line.
        wishes: what is asked for.
        watcher: is told as the scan goes on.

    Raises:
        ConfigError: an option has a mistake.
        AlreadyRunning: another process uses the bus, and does not lend its line.
        PortLost: the port is missing, busy or failed.
    """
    subject = subject_of(target, wishes)
    bus = target.bus
    if bus is not None and bus.listen:
        raise ConfigError(
            [f"bus {bus.name} only listens (listen = true), so nothing is asked on it: see `sniff --learn`"]
        )
    if bus is not None and target.spool is not None:
        lent = await scan_in_service(bus, target.spool, subject, watcher)
        if lent is not None:
            return lent
    with ExitStack() as stack:
        if bus is not None and target.spool is not None:
            _lock(stack, target.spool, bus.name)
        port = Port()
        first_line = subject.limits.line or USUAL_LINES[0]
        await port.open(target.port or find_port(_required(bus), target.devices), first_line, target.rs485)
        try:
            return await Survey(port, subject, watcher).run()
        finally:
            await port.close()


def _lock(stack: ExitStack, spool: Path, bus: str) -> None:
    """Take the bus for this process."""
    try:
        stack.enter_context(lock(spool, f"bus-{bus}"))
    except AlreadyRunning as running:
        raise AlreadyRunning(f"{running}: it does not lend its line; stop it, then scan") from None
    except NotOurFile:
        raise
    except OSError:  # no spool yet, or out of reach: the port's own lock still protects the bus
        pass


def _required(bus: Bus | None) -> Bus:
    assert bus is not None, "a bare port has its path"
    return bus
