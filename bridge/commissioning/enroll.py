"""`enroll`: says which adapter a bus has, by plugging it in or naming its port, and writes it into site.toml.

An adapter that was just plugged in is the one that was not there before: that needs no udev, and no installer
has to know what a serial number is. What is written tells it from every other (`bridge.port.identity`). The
rest of site.toml stays as it is, comments and all, and need not be right yet.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from bridge.commissioning.next_step import SITE, command
from bridge.commissioning.whole_file import edit
from bridge.config.document import Document
from bridge.errors import BridgeError, ConfigError, PortLost
from bridge.port.adapter import SYSFS, Adapter, adapters, find_adapter
from bridge.port.identity import Identity, Kind, identify

LOOK_EVERY_S = 0.5


class NotFound(BridgeError):
    """There is no such adapter, or none was plugged in."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An adapter, and how it will be recognised."""

    port: Adapter
    identity: Identity

    def __str__(self) -> str:
        what = f" ({self.port.product})" if self.port.product else ""
        match self.identity.kind:
            case Kind.SERIAL:
                how = f"recognised by its serial number {self.port.serial}, in whichever USB socket it is"
            case Kind.SOCKET:
                how = f"recognised by its USB socket: keep it there, because {self.identity.flaw}"
            case Kind.DEVICE:
                how = "recognised by its device file: it is no USB adapter"
        return f"{self.port.device}{what}: {how}"


def buses(path: Path) -> dict[str, str]:
    """The buses of a site file and the adapter each has; "" for one that has none yet.

    Raises:
        ConfigError: there is no such file, or it is not TOML.
    """
    tables = Document.read(path).tables.get("bus", {})
    if not isinstance(tables, Mapping):
        return {}
    named = {name: table for name, table in tables.items() if isinstance(table, Mapping)}
    return {name: str(table.get("adapter", "")) for name, table in named.items()}


def check_writable(path: Path) -> None:
    """Says so before an installer has plugged and answered: the file cannot be replaced.

    Raises:
        ConfigError: what `write` would end with.
    """
    if not os.access(path.resolve().parent, os.W_OK):
        raise ConfigError([f"{path}: cannot be replaced: run this as the file's owner or with sudo"])


def by_port(port: Path, sysfs: Path = SYSFS) -> Proposal:
    """The adapter behind a device file, or a link to one.

    Raises:
        NotFound: there is none.
        NoIdentity: nothing tells it from another.
    """
    present = list(adapters(sysfs))
    for each in present:
        if each.device in (port, port.resolve()):
            return Proposal(each, identify(each, present))
    known = ", ".join(str(each.device) for each in present if each.usb) or "no USB adapter is plugged in"
    raise NotFound(f"{port} is no serial port of this machine: {known}")


def spare(path: Path, sysfs: Path = SYSFS) -> Proposal | None:
    """The one USB adapter that is plugged in and is no bus's yet; None if there is none, or several."""
    present = list(adapters(sysfs))
    taken = _ports(path, sysfs).values()
    found = [each for each in present if each.usb and str(each.device) not in taken]
    return Proposal(found[0], identify(found[0], present)) if len(found) == 1 else None


def plugged_in(
    before: Collection[Adapter],
    timeout_s: float,
    sysfs: Path = SYSFS,
    *,
    site: Path = SITE,
    pause: Callable[[float], None] = time.sleep,
) -> Proposal:
    """Waits for an adapter that was not there before.

    Args:
        before: those that were.
        site: the site file, for what to type next.
        pause: called with how long to wait before the next look.

    Raises:
        NotFound: none came in time, or it has several ports, which are named.
        NoIdentity: nothing tells it from another.
    """
    known = {(each.device, each.usb) for each in before}
    last: list[Adapter] = []
    for _ in range(max(1, round(timeout_s / LOOK_EVERY_S))):
        pause(LOOK_EVERY_S)
        present = list(adapters(sysfs))
        known &= {(each.device, each.usb) for each in present}  # one pulled out and plugged in again is new
        new = [each for each in present if (each.device, each.usb) not in known]
        if new and new == last:  # the ports of one adapter appear one by one
            return _only(new, present)
        last = new
    raise NotFound(
        f"no serial adapter was plugged in within {timeout_s:g} s: try another socket or cable, "
        f"then: {command('serial-bridge doctor', site)}"
    )


def _ports(path: Path, sysfs: Path) -> dict[str, str]:
    """The device file of each bus whose adapter is plugged in."""
    found = {}
    for bus, adapter in buses(path).items():
        with suppress(PortLost):
            found[bus] = find_adapter(adapter, sysfs)
    return found


def _only(new: list[Adapter], present: Collection[Adapter]) -> Proposal:
    if len(new) > 1:
        ports = ", ".join(str(each.device) for each in new)
        raise NotFound(f"it has {len(new)} ports: say which, --port {new[0].device}, of {ports}")
    return Proposal(new[0], identify(new[0], present))


def taken_by(path: Path, bus: str, port: Adapter, sysfs: Path = SYSFS) -> str | None:
    """Another bus whose port this is already. Errors as for `buses`."""
    ports = _ports(path, sysfs).items()
    return next((other for other, has in ports if has == str(port.device) and other != bus), None)


def write(path: Path, bus: str, adapter: str) -> None:
    """Sets the adapter of a bus that the site file has; comments, order and mode of the file stay.

    Raises:
        ConfigError: the file cannot be replaced, or its layout does not let itself be edited.
    """
    edit(path, lambda text: _edited(path, text, bus, adapter))


def next_step(path: Path) -> str:
    """What to type once the adapter is written."""
    return command("sudo serial-bridge install", path)


def block(bus: str, adapter: str) -> str:
    """What to copy into a site file that does not have the bus."""
    return f"""[bus.{bus}]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "9600 8N1"                # as the sensor's manual says
"""


def _edited(path: Path, text: str, bus: str, adapter: str) -> str:
    expected = tomllib.loads(text)
    expected["bus"][bus]["adapter"] = adapter
    document: Any = tomlkit.parse(text)
    document["bus"][bus]["adapter"] = adapter
    edited = tomlkit.dumps(document)
    with suppress(tomllib.TOMLDecodeError):
        if tomllib.loads(edited) == expected:
            return edited
    raise ConfigError([f'{path}: cannot be edited as it is written: set adapter = "{adapter}" by hand'])
