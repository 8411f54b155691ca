"""`enroll`: find the adapter of a bus, by plugging it in or by its port, and write it into site.toml.

The adapter that was just plugged in is the one that was not there before: that needs no udev, and no
installer has to know what a serial number is. The text written tells it from every other adapter
(`bridge.port.identity`). The rest of site.toml stays as it is, comments included, and may still have
mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.commands.terminal.next_step import SITE, command
from bridge.config.document import Document
from bridge.config.edit import edit_tables
from bridge.errors import BridgeError, PortLost
from bridge.port.adapter import SYSFS, Adapter, adapters, find_adapter
from bridge.port.identity import Identity, Kind, NoIdentity, identify

LOOK_EVERY_S = 0.5


class NotFound(BridgeError):
    """There is no such adapter, or none was plugged in."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An adapter, and how the bridge will recognise it."""

    port: Adapter
    identity: Identity

    def __str__(self) -> str:
        product = f" ({self.port.product})" if self.port.product else ""
        match self.identity.kind:
            case Kind.SERIAL:
                how = f"recognised by its serial number {self.port.serial}, in whichever USB socket it is"
            case Kind.SOCKET:
                how = f"recognised by its USB socket: keep it there, because {self.identity.flaw}"
            case Kind.DEVICE:
                how = "recognised by its device file: it is no USB adapter"
        return f"{self.port.device}{product}: {how}"


def buses(path: Path) -> dict[str, str]:
    """Return the buses of a site file, each with its adapter; "" for one that has none yet.

    Raises:
        ConfigError: there is no such file, or it is not TOML.
    """
    tables = Document.read(path).tables.get("bus", {})
    if not isinstance(tables, Mapping):
        return {}
    bus_tables = {name: table for name, table in tables.items() if isinstance(table, Mapping)}
    return {name: str(table.get("adapter", "")) for name, table in bus_tables.items()}


def by_port(port: Path, sysfs: Path = SYSFS) -> Proposal:
    """Return the adapter behind a device file, or behind a link to one.

    Raises:
        NotFound: there is none.
        NoIdentity: nothing tells it from another adapter.
    """
    present = list(adapters(sysfs))
    for adapter in present:
        if adapter.device in (port, port.resolve()):
            return Proposal(adapter, identify(adapter, present))
    device_names = (
        ", ".join(str(adapter.device) for adapter in present if adapter.usb) or "no USB adapter is plugged in"
    )
    raise NotFound(f"{port} is no serial port of this machine: {device_names}")


def spare(path: Path, sysfs: Path = SYSFS) -> Proposal | None:
    """Return the one USB adapter plugged in that belongs to no bus; None if there is none, or several."""
    proposals = spares(path, sysfs)
    return proposals[0] if len(proposals) == 1 else None


def spares(path: Path, sysfs: Path = SYSFS) -> list[Proposal]:
    """Return the USB adapters plugged in that belong to no bus and can be recognised again.

    Raises:
        NoIdentity: there is one, and nothing tells it from another adapter.
    """
    present = list(adapters(sysfs))
    bus_devices = _ports(path, sysfs).values()
    free = [adapter for adapter in present if adapter.usb and str(adapter.device) not in bus_devices]
    if len(free) == 1:
        return [Proposal(free[0], identify(free[0], present))]
    proposals = []
    for adapter in free:
        with suppress(NoIdentity):
            proposals.append(Proposal(adapter, identify(adapter, present)))
    return proposals


def own(path: Path, bus: str, sysfs: Path = SYSFS) -> Proposal | None:
    """Return the adapter that a bus has in the site file already, if it is plugged in; else None."""
    device = _ports(path, sysfs).get(bus)
    present = list(adapters(sysfs))
    adapter = next((adapter for adapter in present if str(adapter.device) == device), None)
    if adapter is None:
        return None
    text = buses(path)[bus]
    kind = (
        Kind.SERIAL
        if text.startswith("serial:")
        else Kind.SOCKET
        if text.startswith("path:")
        else Kind.DEVICE
    )
    flaw = "site.toml names its socket" if kind is Kind.SOCKET else ""
    return Proposal(adapter, Identity(text, kind, flaw))


def present_text(path: Path, sysfs: Path = SYSFS) -> str:
    """Return which adapters are plugged in, each with its bus; "" if there is none."""
    buses_by_device = {device: bus for bus, device in _ports(path, sysfs).items()}
    texts = [
        f"{adapter.device} ({f'bus {bus}' if (bus := buses_by_device.get(str(adapter.device))) else 'free'})"
        for adapter in adapters(sysfs)
        if adapter.usb
    ]
    return ", ".join(texts)


def plugged_in(
    before: Collection[Adapter],
    timeout_s: float,
    sysfs: Path = SYSFS,
    *,
    site: Path = SITE,
    pause: Callable[[float], None] = time.sleep,
) -> Proposal:
    """Wait for an adapter that was not there before, and return it.

    Args:
        before: the adapters that were there.
        timeout_s: how long to wait.
        site: the site file, which the next step names.
        pause: called with the seconds to wait before the next look.

    Raises:
        NotFound: none came in time, or it has several ports; the message names them.
        NoIdentity: nothing tells it from another adapter.
    """
    known_adapters = {(adapter.device, adapter.usb) for adapter in before}
    last_new: list[Adapter] = []
    for _ in range(max(1, round(timeout_s / LOOK_EVERY_S))):
        pause(LOOK_EVERY_S)
        present = list(adapters(sysfs))
        # An adapter pulled out and plugged in again is new.
        known_adapters &= {(adapter.device, adapter.usb) for adapter in present}
        new = [adapter for adapter in present if (adapter.device, adapter.usb) not in known_adapters]
        if new and new == last_new:  # the ports of one adapter appear one by one
            return _only_port(new, present)
        last_new = new
    raise NotFound(
        f"no serial adapter was plugged in within {timeout_s:g} s: try another socket or cable, "
        f"then: {command('serial-bridge doctor', site)}"
    )


def _ports(path: Path, sysfs: Path) -> dict[str, str]:
    """Return the device file of each bus whose adapter is plugged in."""
    devices = {}
    for bus, adapter in buses(path).items():
        with suppress(PortLost):
            devices[bus] = find_adapter(adapter, sysfs)
    return devices


def _only_port(new: list[Adapter], present: Collection[Adapter]) -> Proposal:
    if len(new) > 1:
        ports = ", ".join(str(adapter.device) for adapter in new)
        raise NotFound(f"it has {len(new)} ports: say which, --port {new[0].device}, of {ports}")
    return Proposal(new[0], identify(new[0], present))


def taken_by(path: Path, bus: str, port: Adapter, sysfs: Path = SYSFS) -> str | None:
    """Return another bus that has this port already; None if there is none. Errors as for `buses`."""
    ports = _ports(path, sysfs).items()
    return next(
        (other_bus for other_bus, device in ports if device == str(port.device) and other_bus != bus), None
    )


def write(path: Path, bus: str, adapter: str) -> None:
    """Set the adapter of a bus that the site file has; comments, order and mode of the file stay.

    Raises:
        ConfigError: the file cannot be replaced, or is written in a way that cannot be edited safely.
    """

    def change(tables: Any) -> None:
        tables["bus"][bus]["adapter"] = adapter

    edit_tables(path, change, f'set adapter = "{adapter}" by hand')


def next_step(path: Path) -> str:
    """Return the command to type once the adapter is written."""
    return command("sudo serial-bridge install", path)


def block(bus: str, adapter: str) -> str:
    """Return the text to copy into a site file that does not have the bus."""
    return f"""[bus.{bus}]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "9600 8N1"                # as the sensor's manual says
"""
