"""USB adapters that the kernel did not make a port of, and those that only seem to be different ones."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bridge.commissioning.doctor.finding import Finding, Machine, Severity
from bridge.commissioning.doctor.port import ports
from bridge.config import Site
from bridge.port.adapter import Adapter, adapters
from bridge.port.identity import refusal

AREA = "usb"

# The usual ones of the kernel's own tables: drivers/usb/serial/{ftdi_sio_ids.h,cp210x.c,ch341.c,pl2303.h}
_DRIVERS = {
    "0403": ("ftdi_sio", ("6001", "6010", "6011", "6014", "6015")),
    "10c4": ("cp210x", ("ea60", "ea70", "ea71")),
    "1a86": ("ch341", ("5523", "7522", "7523")),
    "067b": ("pl2303", ("2303", "23a3", "23b3", "23c3", "23d3", "23e3", "23f3")),
}
_ACM = ("02", "02")  # class and subclass: a modem that speaks for itself, as many adapters do (cdc_acm)


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Adapters without a driver, and adapters of one serial number."""
    interfaces: dict[str, list[Path]] = defaultdict(list)
    for interface in sorted((machine.sysfs / "bus/usb/devices").glob("*:*")):
        interfaces[interface.name.partition(":")[0]].append(interface)
    for socket, all_of_it in interfaces.items():
        yield from _driver(socket, all_of_it, machine)
    yield from _twins(site, machine)


def usb_id(usb: str, sysfs: Path) -> str:
    """VENDOR:PRODUCT of a USB device, "0403:6001"; by the kernel's name for it."""
    return ":".join(_attribute(sysfs / "bus/usb/devices" / usb / name) for name in ("idVendor", "idProduct"))


def _driver(socket: str, interfaces: list[Path], machine: Machine) -> Iterator[Finding]:
    """An adapter of whose interfaces none has a driver: one alone may be left free on purpose, for JTAG."""
    adapter = usb_id(socket, machine.sysfs)
    module = _module(adapter, interfaces)
    drivers = {found for interface in interfaces if (found := _driver_of(interface))}
    if not module:
        return
    if not drivers:
        sentence = f"the adapter {adapter} in USB socket {socket} has no port, because its driver is missing"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo modprobe {module}")
    elif "usbfs" in drivers:
        sentence = f"a program has taken the adapter {adapter} in USB socket {socket} from its driver"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo fuser -v {_node(socket, machine)}")


def _module(adapter: str, interfaces: list[Path]) -> str:
    """The driver that a USB device needs; "" for one that is no serial adapter."""
    vendor, _, product = adapter.partition(":")
    module, products = _DRIVERS.get(vendor, ("", ()))
    if product in products:
        return module
    kinds = {
        (_attribute(each / "bInterfaceClass"), _attribute(each / "bInterfaceSubClass")) for each in interfaces
    }
    return "cdc_acm" if _ACM in kinds else ""


def _driver_of(interface: Path) -> str:
    found = re.search(r"^DRIVER=(.+)$", _attribute(interface / "uevent"), re.MULTILINE)
    return found[1] if found else ""


def _node(socket: str, machine: Machine) -> str:
    """The file through which a program talks to a USB device without its driver."""
    device = machine.sysfs / "bus/usb/devices" / socket
    return f"/dev/bus/usb/{int(_attribute(device / 'busnum')):03}/{int(_attribute(device / 'devnum')):03}"


def _twins(site: Site, machine: Machine) -> Iterator[Finding]:
    """Two adapters of one number, unless sockets tell all of them apart, or the check of the port says so."""
    present = list(adapters(machine.sysfs))
    by_number: dict[str, dict[str, Adapter]] = defaultdict(dict)
    for adapter in present:
        if adapter.serial:
            by_number[adapter.serial][adapter.usb] = adapter
    settled = set(ports(site, machine).values())
    if any(refusal(bus.adapter, present) for bus in site.buses.values()):
        return
    for number, twins in by_number.items():
        devices = [twin.device for twin in twins.values()]
        if len(devices) > 1 and not settled.issuperset(devices):
            loose = next(device for device in devices if device not in settled)
            sentence = (
                f"{' and '.join(map(str, devices))} have the same serial number {number}: "
                "only their USB sockets tell them apart"
            )
            fix = f"sudo serial-bridge enroll --port {loose}"
            yield Finding(AREA, Severity.RISK, sentence, fix)


def _attribute(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
