"""The device file that an adapter in site.toml means today.

Kernel names are no identity: ttyUSB0 and ttyUSB1 swap when two adapters are plugged in the other order. So a
site names what stays, and it is looked up in sysfs each time the port is opened; that needs no udev, so it
works in a container too:

    serial:AB0JPQ7X      the serial number of the USB adapter (udev's ID_SERIAL_SHORT)
    serial:AB0JPQ7X:1    ... and its interface (hexadecimal, as udev writes it), where it has several ports
    path:pci-0000:00:14.0-usb-0:3:1.0    the socket it is plugged into (udev's ID_PATH)
    /dev/ttyAMA0         a device file that stays
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.causes import Cause
from bridge.errors import PortLost, port_lost

if TYPE_CHECKING:
    from bridge.config import Bus

SYSFS = Path("/sys")

_latest: dict[Path, tuple[frozenset[tuple[str, int]], tuple[Adapter, ...]]] = {}
"""The last listing of each sysfs root: the names and inodes of its devices, and their descriptions."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One serial device of this machine.

    Attributes:
        device: its device file.
        serial: serial number of its USB adapter, or "".
        interface: which interface of the USB adapter it is; 0 for others.
        id_path: the socket it is plugged into, as udev's ID_PATH; "" for what is soldered on and has none.
        usb: the kernel's name of its USB device, the same for all its ports: "1-1.2"; "" for what is no USB
            adapter.
        product: what the USB adapter calls itself: "FTDI FT232R USB UART"; "" if it does not.
    """

    device: Path
    serial: str
    interface: int
    id_path: str
    usb: str = ""
    product: str = ""


def find_port(bus: Bus, devices: Path | None = None, sysfs: Path = SYSFS) -> str:
    """Return the device file of a bus.

    Args:
        devices: a folder with a link for each bus, by its name, used before the adapter in site.toml. A link
            to one of several devices that fit is not trusted: its maker could not tell them apart.

    Raises:
        PortLost: the adapter is not plugged in, or several fit.
    """
    if devices is None or not (link := devices / bus.name).exists():
        return find_adapter(bus.adapter, sysfs)
    matches = fitting(bus.adapter, adapters(sysfs))
    if link.resolve() in [match.device for match in matches]:
        _only_match(bus.adapter, matches)
    return str(link)


def find_adapter(adapter: str, sysfs: Path = SYSFS) -> str:
    """Return the device file of "serial:…", "path:…" or an absolute path.

    Raises:
        PortLost: as for `find_port`.
    """
    if adapter.startswith("/"):
        return adapter
    return _only_match(adapter, fitting(adapter, adapters(sysfs)))


def fitting(adapter: str, candidates: Iterable[Adapter]) -> list[Adapter]:
    """Return the candidates that "serial:…" or "path:…" means; none for an absolute path."""
    kind, _, name = adapter.partition(":")
    if kind == "path":
        return [candidate for candidate in candidates if candidate.id_path == name]
    serial, _, interface = name.partition(":")
    return [
        candidate
        for candidate in candidates
        if kind == "serial"
        and candidate.serial == serial
        and (not interface or candidate.interface == int(interface, 16))
    ]


def adapters(sysfs: Path = SYSFS) -> tuple[Adapter, ...]:
    """Return the serial devices of this machine that have hardware behind them, by name.

    A device never changes while it is there, and one that comes back has another inode: so a call reads the
    list of names, and describes the devices anew only if that list differs from the last one.
    """
    try:
        with os.scandir(sysfs / "class" / "tty") as entries:
            listing = frozenset((entry.name, entry.inode()) for entry in entries)
    except FileNotFoundError:  # a container without sysfs
        return ()
    latest = _latest.get(sysfs)
    if latest is None or latest[0] != listing:
        ttys = sorted(sysfs / "class" / "tty" / name for name, _ in listing)
        latest = listing, tuple(_describe(tty, sysfs) for tty in ttys if (tty / "device").exists())
        _latest[sysfs] = latest
    return latest[1]


def _only_match(adapter: str, matches: list[Adapter]) -> str:
    if not matches:
        raise port_lost(f'adapter "{adapter}"', Cause.PORT_GONE)
    if len(matches) > 1:
        ways = [f'"path:{match.id_path}" ({match.device})' for match in matches]
        raise PortLost(f'adapter "{adapter}" fits several devices: write {" or ".join(ways)}')
    return str(matches[0].device)


def _describe(tty: Path, sysfs: Path) -> Adapter:
    """Return the description of a tty, walking up to its controller as udev's path_id does."""
    serial, interface, usb, product = "", 0, "", ""
    parts: list[str] = []
    last_subsystem = ""
    device = (tty / "device").resolve()
    root = (sysfs / "devices").resolve()
    for parent in (device, *device.parents):
        if parent == root:
            break
        subsystem = _subsystem(parent)
        if subsystem == "usb":
            if (number := _attribute(parent, "bInterfaceNumber")) and not interface:
                interface = int(number, 16)
            if not usb and (parent / "devnum").exists() and "-" in parent.name:
                usb, serial = parent.name, _as_udev(_attribute(parent, "serial"))
                product = f"{_attribute(parent, 'manufacturer')} {_attribute(parent, 'product')}".strip()
        if subsystem != last_subsystem:
            if subsystem == "usb" and "-" in parent.name:
                parts.append(f"usb-0:{parent.name.split('-', 1)[1]}")
            elif subsystem in ("pci", "platform"):
                parts.append(f"{subsystem}-{parent.name}")
        last_subsystem = subsystem or last_subsystem
    return Adapter(Path("/dev") / tty.name, serial, interface, "-".join(reversed(parts)), usb, product)


def _subsystem(device: Path) -> str:
    link = device / "subsystem"
    return link.resolve().name if link.exists() else ""


def _attribute(device: Path, name: str) -> str:
    try:
        return (device / name).read_text(errors="replace").strip()
    except OSError:
        return ""


def _as_udev(serial: str) -> str:
    """Return a serial number as udev writes ID_SERIAL_SHORT, for that is what an installer sees.

    Odd characters become "_". A number with a comma or with non-ASCII characters becomes "", for udev does
    not count it as one (usb_id).
    """
    if not serial.isascii() or not serial.isprintable() or "," in serial:
        return ""
    return re.sub(r"[^\w#+\-.:=@/$%?,]", "_", re.sub(r"\s+", "_", serial))
