"""A machine laid out in a folder as the kernel and udev lay one out, and a site that runs on it."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.commands.doctor.finding import Machine, Person
from bridge.config import Site, load_site
from tests.bridge.port.test_adapter import Sysfs

ROOT = Person("root", os.geteuid(), [])
STRANGER = Person("stranger", 64999, [64999])


class Described(Sysfs):
    """Its /sys, /proc, /etc and /run, all below one folder; nothing of it is real unless put there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "sys")
        self.folder = folder
        (self.root / "bus/usb/devices").mkdir(parents=True)
        (folder / "proc").mkdir()
        (folder / "kmsg").touch()

    def machine(self, user: Person = ROOT) -> Machine:
        """Return what a check is given."""
        return Machine(self.root, self.folder / "proc", self.folder, self.folder / "kmsg", user)

    def adapter(
        self, socket: str, vendor: str, product: str, driver: str, *, tty: str = "", **more: str
    ) -> None:
        """A USB adapter as `usb`, with its vendor and product, and the driver its interface has, if any."""
        if tty:
            self.usb(tty, socket, more.pop("serial", ""))
        device = self.root / f"devices/pci0000:00/0000:00:06.0/usb1/{socket}"
        interface = device / f"{socket}:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        told = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": "4"}
        for name, value in told.items():
            (device / name).write_text(f"{value}\n")
        for name, value in more.items():
            (interface / name).write_text(f"{value}\n")
        if driver:
            (interface / "uevent").write_text(
                f"DEVTYPE=usb_interface\nDRIVER={driver}\nPRODUCT={vendor}/{product}\n"
            )
        for place in (device, interface):
            (self.root / "bus/usb/devices" / place.name).symlink_to(place)

    def process(self, pid: int, command: str, *arguments: str, cgroup: str = "0::/init.scope") -> None:
        """A program that runs."""
        folder = self.folder / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{command[:15]}\n")
        (folder / "cmdline").write_text("".join(f"{argument}\0" for argument in (command, *arguments)))
        (folder / "cgroup").write_text(f"{cgroup}\n")

    def file(self, path: str, text: str) -> None:
        """A file below the machine's root."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def link(self, path: str) -> None:
        """A link below the machine's root, to something of no interest."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).symlink_to("/lib/systemd/system/serial-getty@.service")

    def soldered(self, tty: str) -> None:
        """A UART of the machine itself."""
        self.tty(tty, self.device("platform/soc/fe201000.serial", "platform"))

    def site(self, *adapters: str, more: str = "", url: str = "coap://127.0.0.1") -> Site:
        """A site with a bus for each adapter: bus1, bus2 …; its spool's folder is there."""
        (self.folder / "spool").mkdir(exist_ok=True)
        buses = "".join(
            f'[bus.bus{number}]\nadapter = "{adapter}"\nprotocol = "modbus-rtu"\nline = "9600 8N1"\n'
            for number, adapter in enumerate(adapters, 1)
        )
        spool = f'[spool]\npath = "{self.folder}/spool/spool.db"\n'
        path = self.folder / "site.toml"
        path.write_text(f'site = "s"\n[thingsboard]\nurl = "{url}"\n{spool}{more}{buses}')
        return load_site(path)
