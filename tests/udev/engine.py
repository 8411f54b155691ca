"""udev's own rule engine on devices that do not exist: Debian's rules and ours, in a /dev of its own.

umockdev shows udevadm a described /sys. What udevadm links is linked for real, so it has a mount namespace
with a /run, a /dev and groups of its own. Its exit status says nothing of a bad rule: its complaints do.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import program

RULES = "99-serial-bridge.rules"
_CONTROLLER = "/devices/pci0000:00/0000:00:06.0"

_UNSHARED = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
_NAMESPACE = """
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/dev/pts
for node in null zero urandom tty; do touch /run/dev/$node; mount --bind /dev/$node /run/dev/$node; done
mount --rbind /dev/pts /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
mount --rbind /run/dev /dev
mkdir -p /etc/udev/rules.d
mount -t tmpfs none /etc/udev/rules.d
cp "$1"/*.rules /etc/udev/rules.d/
{ cat /etc/group; echo serial-bridge:x:990:; } > /run/group
mount --bind /run/group /etc/group
exec umockdev-run -d "$1/devices.umockdev" -- bash -c "$2" bash "$1"
"""
# Since systemd 257 a test runs no PROGRAM, takes it to have succeeded, and makes no link: both are done here.
_EVENTS = """
rules=/etc/udev/rules.d
for device in "$UMOCKDEV_DIR"/dev/tty*; do LD_PRELOAD= ln -s "$device" /dev/; done
number=0
while read -r action name path; do
    if [ $action = unplug ]; then rm /dev/$name; continue; fi
    number=$((number + 1))
    udevadm test --action="$action" "/sys$path" > "$1/$number.out" 2>&1
    skipped=$(sed -n "s/.*skipping execution of '\\(.*\\)'\\.$/\\1/p" "$1/$number.out")
    if [ "$skipped" ] && ! LD_PRELOAD= $skipped; then
        sed -i 's/PROGRAM!="[^"]*", //' $rules/*
        udevadm test --action="$action" "/sys$path" > "$1/$number.out" 2>&1
        cp "$1"/*.rules $rules
    fi
    for link in $(sed -n 's/^ *DEVLINKS=//p' "$1/$number.out"); do
        LD_PRELOAD= bash -c '[ -e $1 ] || { mkdir -p ${1%/*}; ln -sfn $2 $1; }' link $link /dev/$name
    done
done < "$1/events"
"""


@dataclass(frozen=True, slots=True)
class Tty:
    """A serial device.

    Attributes:
        path: below /sys.
        description: it and its parents, in umockdev's format.
    """

    name: str
    path: str
    description: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What udev made of a device.

    Attributes:
        links: in /dev, those that other rules make left out.
        runs: the commands that would be run.
        written: the attributes that our rules write, by their last name.
        complaints: what udev finds wrong in our rules.
        done: what our rules did, as udevadm says it: "MODE 0660".
    """

    properties: dict[str, str]
    links: tuple[str, ...]
    runs: tuple[str, ...]
    written: dict[str, str]
    complaints: tuple[str, ...]
    done: tuple[str, ...]

    @property
    def bus(self) -> str | None:
        """Return the bus whose port it is."""
        return self.properties.get("SERIAL_BRIDGE_BUS")


def usb(
    name: str,
    socket: str,
    serial: str | None,
    *,
    interface: int = 0,
    product: str = "0403/6001",
    latency_timer: bool = True,
) -> Tty:
    """A port of a USB adapter in a socket of the hub: "1", "1.4"."""
    vendor, model = product.split("/")
    device = f"{_CONTROLLER}/usb1/1-{socket}"
    at_interface = f"{device}/1-{socket}:1.{interface}"
    port = f"{at_interface}/{name}"
    tty = f"{port}/tty/{name}"
    number, at_socket = int(re.sub(r"\D", "", name)), 10 + int(socket.replace(".", ""))
    entries = [
        _entry(
            tty,
            "tty",
            node=name,
            properties={"MAJOR": 188, "MINOR": number},
            attributes={"dev": f"188:{number}"},
            device=f"../../../{name}",
        ),
        _entry(
            port,
            "usb-serial",
            properties={"DRIVER": "ftdi_sio"},
            attributes={"port_number": 0, "latency_timer": 16} if latency_timer else {"port_number": 0},
        ),
        _entry(
            at_interface,
            "usb",
            properties={"DEVTYPE": "usb_interface", "INTERFACE": "255/255/255"},
            attributes={
                "bInterfaceNumber": f"{interface:02x}",
                "bInterfaceClass": "ff",
                "bInterfaceSubClass": "ff",
                "bInterfaceProtocol": "ff",
            },
        ),
        _entry(
            device,
            "usb",
            node=f"bus/usb/001/{at_socket:03}",
            properties={
                "DEVTYPE": "usb_device",
                "BUSNUM": "001",
                "DEVNUM": f"{at_socket:03}",
                "MAJOR": 189,
                "MINOR": at_socket,
            },
            attributes={
                "idVendor": vendor,
                "idProduct": model,
                "bcdDevice": "0400",
                "bDeviceClass": "00",
                "busnum": 1,
                "devnum": at_socket,
                "manufacturer": "Maker",
                "product": "USB UART",
            }
            | ({"serial": serial} if serial is not None else {}),
        ),
        _entry(
            f"{_CONTROLLER}/usb1",
            "usb",
            properties={"DEVTYPE": "usb_device"},
            attributes={"idVendor": "1d6b", "idProduct": "0002", "busnum": 1},
        ),
        _entry(_CONTROLLER, "pci", properties={"PCI_SLOT_NAME": "0000:00:06.0"}),
    ]
    return Tty(name, tty, "\n".join(entries))


def soldered_on(name: str) -> Tty:
    """A UART of the board."""
    port = "/devices/platform/soc/fe201000.serial"
    tty = f"{port}/tty/{name}"
    entries = [
        _entry(tty, "tty", node=name, properties={"MAJOR": 204, "MINOR": 64}, attributes={"dev": "204:64"}),
        _entry(port, "platform", properties={"DRIVER": "uart-pl011"}),
    ]
    return Tty(name, tty, "\n".join(entries))


def play(folder: Path, rules: str, events: Sequence[tuple[str, Tty]], *, others: str = "") -> list[Outcome]:
    """Return what udev makes of one event after the other: ("add", tty).

    After ("unplug", tty) the device file is gone, and udev does not know yet; nothing comes of that.

    Args:
        rules: ours.
        others: the rules of another package, in 99-com.rules.
    """
    for name in ("udevadm", "umockdev-run"):
        program(name)
    (folder / RULES).write_text(rules)
    (folder / "99-com.rules").write_text(others)
    ttys = dict.fromkeys(tty for _, tty in events)
    blocks = dict.fromkeys(block for tty in ttys for block in tty.description.split("\n\n"))
    (folder / "devices.umockdev").write_text("\n\n".join(blocks) + "\n")
    (folder / "events").write_text("".join(f"{action} {tty.name} {tty.path}\n" for action, tty in events))
    subprocess.run(
        [*_UNSHARED, "bash", "-c", _NAMESPACE, "bash", folder, _EVENTS],
        check=True,
        timeout=60,
    )
    told = [action for action, _ in events if action != "unplug"]
    return [_outcome((folder / f"{number}.out").read_text()) for number, _ in enumerate(told, 1)]


def _outcome(output: str) -> Outcome:
    """Read what `udevadm test` prints: line by line in systemd 252, since 257 indented below headings."""
    properties = dict(re.findall(r"^ *([A-Z_.]+)=(.*)$", output, re.MULTILINE))
    links = sorted(properties.get("DEVLINKS", "").split())
    properties["DEVLINKS"] = " ".join(links)
    ours = [line for line in output.splitlines() if RULES in line]
    return Outcome(
        properties,
        tuple(link for link in links if "/sbridge/" in link),
        tuple(re.findall(r"^(?:run: '|  RUN\{program\} : )(.*?)'?$", output, re.MULTILINE)),
        dict(re.findall(r"ATTR\b\S*.*/(\w+)(?:' writing '|}=\")(\w+)", "\n".join(ours))),
        tuple(line for line in ours if re.search(r"[Ii]nvalid|[Uu]nknown|ignor|[Ff]ailed", line)),
        tuple(
            re.sub(rf".*{RULES}:\d+ ", "", line)
            for line in ours
            if re.search(rf"{RULES}:\d+ [A-Z]{{2,}}\b", line)
        ),
    )


def _entry(
    path: str,
    subsystem: str,
    *,
    node: str = "",
    properties: dict[str, object],
    attributes: dict[str, object] | None = None,
    device: str = "",
) -> str:
    lines = [f"P: {path}"]
    if node:
        lines += [f"N: {node}", f"E: DEVNAME=/dev/{node}"]
    lines += [f"E: {key}={value}" for key, value in {**properties, "SUBSYSTEM": subsystem}.items()]
    lines += [f"A: {key}={value}\\n" for key, value in (attributes or {}).items()]
    if device:
        lines.append(f"L: device={device}")
    return "\n".join(lines) + "\n"
