"""Programs that take a serial port for their own device: a braille display, modem, GPS, login or console.

    brltty          claims the USB device itself: FTDI, CP210x and CH340 chips are in braille displays too
    ModemManager    writes AT commands into a new port to find out whether it is a modem
    gpsd            gets CP210x and PL2303 adapters from its own udev rules (60-gpsd.rules)
    getty, console  use a port that the machine had for itself

`port` finds programs that have a port open; this module finds these before they open it, or after they took
it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from shlex import quote

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.commands.doctor.port import ports
from bridge.commands.doctor.usb import usb_id
from bridge.config import Bus, Site
from bridge.port.adapter import adapters
from bridge.port.holders import Process, processes

AREA = "rivals"

_BOOT_FILES = ("boot/firmware/cmdline.txt", "boot/cmdline.txt", "etc/default/grub")
_fault = partial(Finding, AREA, Severity.FAULT)
_risk = partial(Finding, AREA, Severity.RISK)


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield the programs that want the port of a bus too."""
    running = list(processes(machine.procfs))
    usb = {adapter.device: adapter.usb for adapter in adapters(machine.sysfs) if adapter.usb}
    devices = ports(site, machine)
    on_usb = {bus: device for bus, device in devices.items() if device in usb}
    yield from _brltty(
        [bus.name for bus in site.buses.values() if _is_usb(bus) or bus.name in on_usb], running
    )
    yield from _modem_manager(on_usb, running, machine)
    for bus, device in on_usb.items():
        yield from _gpsd(bus, device, usb_id(usb[device], machine.sysfs), machine)
    for bus, device in devices.items():
        yield from _login(bus, device, running, machine)
        yield from _console(bus, device, machine)


def _is_usb(bus: Bus) -> bool:
    """Return whether the text of the adapter says USB: one that a program took away cannot be looked up."""
    return bus.adapter.startswith("serial:") or "-usb" in bus.adapter


def _brltty(on_usb: list[str], running: Iterable[Process]) -> Iterator[Finding]:
    for process in running:
        if process.command == "brltty" and on_usb:
            sentence = (
                f"brltty (process {process.pid}) takes USB adapters away, because braille displays have the "
                f"same chips: bus {', '.join(on_usb)}"
            )
            yield _risk(sentence, f"sudo systemctl mask --now {quote(process.unit or 'brltty.service')}")


def _modem_manager(
    on_usb: dict[str, Path], running: Iterable[Process], machine: Machine
) -> Iterator[Finding]:
    open_buses = [bus for bus, device in on_usb.items() if not _is_ignored(device, machine)]
    for process in running:
        if process.command == "ModemManager" and open_buses:
            sentence = (
                f"ModemManager (process {process.pid}) sends AT commands into a new port to find modems, "
                f"and nothing keeps it from bus {', '.join(open_buses)}"
            )
            yield _risk(sentence, "sudo serial-bridge install")


def _is_ignored(device: Path, machine: Machine) -> bool:
    """Return whether a udev rule, such as ours, tells ModemManager to leave the port alone."""
    try:
        number = (machine.sysfs / "class/tty" / device.name / "dev").read_text().strip()
        properties = (machine.root / "run/udev/data" / f"c{number}").read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"^E:ID_MM_(PORT|DEVICE)_IGNORE=1$", properties, re.MULTILINE) is not None


def _gpsd(bus: str, device: Path, usb: str, machine: Machine) -> Iterator[Finding]:
    vendor, _, product = usb.partition(":")
    claim = re.compile(rf'^[^#\n]*idVendor}}=="{vendor}", *ATTRS{{idProduct}}=="{product}"', re.MULTILINE)
    settings = _text(machine.root / "etc/default/gpsd")
    folders = (machine.root / place / "udev/rules.d" for place in ("etc", "usr/lib", "lib"))
    rules = (rule for folder in folders for rule in folder.glob("*gpsd*.rules"))
    if re.search(r'^USBAUTO="?true', settings, re.MULTILINE) and any(claim.search(_text(r)) for r in rules):
        sentence = f"gpsd takes adapters of the kind {usb} for a GPS receiver: {device}, bus {bus}"
        yield _risk(sentence, "sudo sed -i 's/^USBAUTO=.*/USBAUTO=\"false\"/' /etc/default/gpsd")


def _login(bus: str, device: Path, running: Iterable[Process], machine: Machine) -> Iterator[Finding]:
    unit = f"serial-getty@{device.name}.service"
    names = {device.name, str(device)}
    process_text = next(
        (
            f" (process {process.pid})"
            for process in running
            if "getty" in process.command and names & {*process.arguments}
        ),
        "",
    )
    enabled_unit = machine.root / "etc/systemd/system/getty.target.wants" / unit
    if process_text or enabled_unit.is_symlink():
        sentence = f"a login prompt{process_text} is on {device}, which is bus {bus}"
        yield _fault(sentence, f"sudo systemctl mask --now {quote(unit)}")


def _console(bus: str, device: Path, machine: Machine) -> Iterator[Finding]:
    consoles = {line.split()[0] for line in _text(machine.procfs / "consoles").splitlines() if line}
    consoles |= {*_text(machine.sysfs / "class/tty/console/active").split()}
    if device.name in consoles:
        sentence = f"the kernel writes its messages to {device}, which is bus {bus}"
        yield _fault(sentence, _without_console(device.name, machine))


def _without_console(name: str, machine: Machine) -> str:
    """Return the command that takes the console off the kernel's command line, wherever that is kept."""
    for place in _BOOT_FILES:
        argument = re.search(rf"console=({re.escape(name)}|serial0)\b", _text(machine.root / place))
        if argument:
            grub = "sudo update-grub && " if place.endswith("grub") else ""
            edit = quote(f's/{argument[0]}[^ "]* *//')
            return f"sudo sed -i {edit} /{place} && {grub}sudo reboot"
    return (
        f"remove console={name}… from the kernel command line (/boot/firmware/cmdline.txt on a Raspberry Pi, "
        "GRUB elsewhere), then: sudo reboot"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
