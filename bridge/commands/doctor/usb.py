"""USB adapters for which the kernel made no port, and adapters that share a serial number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.commands.doctor.port import ports
from bridge.config import Site
from bridge.port.adapter import Adapter, adapters
from bridge.port.identity import refusal

AREA = "usb"

# The usual entries of the kernel's own tables: drivers/usb/serial/{ftdi_sio_ids.h,cp210x.c,ch341.c,pl2303.h}
_DRIVERS = {
    "0403": ("ftdi_sio", ("6001", "6010", "6011", "6014", "6015")),
    "10c4": ("cp210x", ("ea60", "ea70", "ea71")),
    "1a86": ("ch341", ("5523", "7522", "7523")),
    "067b": ("pl2303", ("2303", "23a3", "23b3", "23c3", "23d3", "23e3", "23f3")),
}
_ACM = ("02", "02")  # class and subclass: a modem that speaks for itself, as many adapters do (cdc_acm)


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield adapters without a driver, and adapters that share a serial number."""
    interfaces: dict[str, list[Path]] = defaultdict(list)
    for interface in sorted((machine.sysfs / "bus/usb/devices").glob("*:*")):
        interfaces[interface.name.partition(":")[0]].append(interface)
    for socket, socket_interfaces in interfaces.items():
        yield from _driver(socket, socket_interfaces, machine)
    yield from _twins(site, machine)


def usb_id(usb: str, sysfs: Path) -> str:
    """Return VENDOR:PRODUCT of a USB device, such as "0403:6001".

    Args:
        usb: the kernel's name of the device, such as "1-1.2".
    """
    return ":".join(_attribute(sysfs / "bus/usb/devices" / usb / name) for name in ("idVendor", "idProduct"))


def _driver(socket: str, interfaces: list[Path], machine: Machine) -> Iterator[Finding]:
    """Yield an adapter with no driver on any interface: one may be left free on purpose, for JTAG."""
    adapter = usb_id(socket, machine.sysfs)
    module = _module(adapter, interfaces)
    drivers = {driver for interface in interfaces if (driver := _driver_of(interface))}
    if not module:
        return
    if not drivers:
        sentence = f"the adapter {adapter} in USB socket {socket} has no port, because its driver is missing"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo modprobe {module}")
    elif "usbfs" in drivers:
        sentence = f"a program has taken the adapter {adapter} in USB socket {socket} from its driver"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo fuser -v {_node(socket, machine)}")


def _module(adapter: str, interfaces: list[Path]) -> str:
    """Return the driver that a USB device needs; "" for one that is no serial adapter."""
    vendor, _, product = adapter.partition(":")
    module, products = _DRIVERS.get(vendor, ("", ()))
    if product in products:
        return module
    kinds = {
        (_attribute(interface / "bInterfaceClass"), _attribute(interface / "bInterfaceSubClass"))
        for interface in interfaces
    }
    return "cdc_acm" if _ACM in kinds else ""


def _driver_of(interface: Path) -> str:
    match = re.search(r"^DRIVER=(.+)$", _attribute(interface / "uevent"), re.MULTILINE)
    return match[1] if match else ""


def _node(socket: str, machine: Machine) -> str:
    """Return the file through which a program talks to a USB device without its driver."""
    device = machine.sysfs / "bus/usb/devices" / socket
    return f"/dev/bus/usb/{int(_attribute(device / 'busnum')):03}/{int(_attribute(device / 'devnum')):03}"


def _twins(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield adapters that share a serial number, unless site.toml tells all of them apart by socket.

    Nothing if the check of the port has refused one already.
    """
    present = list(adapters(machine.sysfs))
    by_number: dict[str, dict[str, Adapter]] = defaultdict(dict)
    for adapter in present:
        if adapter.serial:
            by_number[adapter.serial][adapter.usb] = adapter
    bus_devices = set(ports(site, machine).values())
    if any(refusal(bus.adapter, present) for bus in site.buses.values()):
        return
    for number, twins in by_number.items():
        devices = [twin.device for twin in twins.values()]
        if len(devices) > 1 and not bus_devices.issuperset(devices):
            free_device = next(device for device in devices if device not in bus_devices)
            sentence = (
                f"{' and '.join(map(str, devices))} have the same serial number {number}: "
                "only their USB sockets tell them apart"
            )
            fix = f"sudo serial-bridge enroll --port {free_device}"
            yield Finding(AREA, Severity.RISK, sentence, fix)


def _attribute(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
