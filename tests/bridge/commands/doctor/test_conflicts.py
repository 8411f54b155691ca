"""Programs that want the port of a bus: what is said of each, and what is not said of a peaceful one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.commands.doctor import conflicts
from bridge.commands.doctor.finding import Finding
from tests.bridge.commands.doctor.described import Described

# Of Debian 12's gpsd 3.22: 60-gpsd.rules and /etc/default/gpsd
GPSD_RULES = """\
SUBSYSTEM!="tty", GOTO="gpsd_rules_end"
# ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6001", SYMLINK+="gps%n"
ATTRS{idVendor}=="10c4", ATTRS{idProduct}=="ea60", SYMLINK+="gps%n", ENV{SYSTEMD_WANTS}="gpsdctl@%k.service"
"""
GPSD_SETTINGS = 'DEVICES=""\nGPSD_OPTIONS=""\nUSBAUTO="true"\n'


@pytest.fixture
def on_usb(described: Described) -> Described:
    described.adapter("1-1", "10c4", "ea60", "cp210x", tty="ttyUSB0", serial="AB0JPQ7X")
    described.file("sys/class/tty/ttyUSB0/dev", "188:0\n")
    return described


def said(described: Described, adapter: str = "serial:AB0JPQ7X") -> list[Finding]:
    return list(conflicts.check(described.site(adapter), described.machine()))


def test_a_machine_of_its_own_has_no_rivals(on_usb: Described) -> None:
    on_usb.process(1, "systemd")
    on_usb.process(300, "agetty", "--noclear", "tty1", "linux")
    on_usb.file("proc/consoles", "tty0                 -WU (EC  p  )    4:7\n")
    assert said(on_usb) == []


def test_brltty_is_told_while_a_bus_is_on_usb(on_usb: Described) -> None:
    on_usb.process(512, "brltty", cgroup="0::/system.slice/brltty.service")
    (found,) = said(on_usb)
    assert found.sentence.startswith("brltty (process 512) takes USB adapters away")
    assert found.fix == "sudo systemctl mask --now brltty.service"
    assert said(on_usb, "/dev/ttyAMA0") == []
    assert len(said(on_usb, "serial:AQ00GONE")) == 1  # which it has taken


def test_modem_manager_is_told_until_a_rule_keeps_it_away(on_usb: Described) -> None:
    on_usb.process(513, "ModemManager")
    (found,) = said(on_usb)
    assert found.sentence.startswith("ModemManager (process 513) sends AT commands")
    assert found.fix == "sudo serial-bridge install"
    on_usb.file("run/udev/data/c188:0", "S:sbridge/bus1\nE:ID_BUS=usb\nE:ID_MM_PORT_IGNORE=1\n")
    assert said(on_usb) == []


def test_gpsd_is_told_for_the_adapters_that_its_rules_claim(on_usb: Described) -> None:
    on_usb.file("usr/lib/udev/rules.d/60-gpsd.rules", GPSD_RULES)
    assert said(on_usb) == []
    on_usb.file("etc/default/gpsd", GPSD_SETTINGS)
    (found,) = said(on_usb)
    assert (
        found.sentence
        == "gpsd takes adapters of the kind 10c4:ea60 for a GPS receiver: /dev/ttyUSB0, bus bus1"
    )
    on_usb.adapter("1-2", "0403", "6001", "ftdi_sio", tty="ttyUSB1", serial="AQ00FTDI")
    assert said(on_usb, "serial:AQ00FTDI") == []


@pytest.mark.parametrize(
    "put",
    [
        lambda described: described.process(77, "agetty", "-o", "-p -- \\u", "ttyAMA0", "vt220"),
        lambda described: described.link(
            "etc/systemd/system/getty.target.wants/serial-getty@ttyAMA0.service"
        ),
    ],
    ids=["running", "enabled"],
)
def test_a_login_prompt_on_the_port_is_told(described: Described, put: Callable[[Described], None]) -> None:
    described.soldered("ttyAMA0")
    put(described)
    (found,) = said(described, "path:platform-fe201000.serial")
    assert "is on /dev/ttyAMA0, which is bus bus1" in found.sentence
    assert found.fix == "sudo systemctl mask --now serial-getty@ttyAMA0.service"


@pytest.mark.parametrize(
    ("place", "line", "fix"),
    [
        (
            "boot/firmware/cmdline.txt",
            "console=serial0,115200 console=tty1 root=PARTUUID=1 rootwait\n",
            "sudo sed -i 's/console=serial0[^ \"]* *//' /boot/firmware/cmdline.txt && sudo reboot",
        ),
        (
            "etc/default/grub",
            'GRUB_CMDLINE_LINUX="console=tty0 console=ttyAMA0,115200n8"\n',
            "sudo sed -i 's/console=ttyAMA0[^ \"]* *//' /etc/default/grub && sudo update-grub && sudo reboot",
        ),
    ],
)
def test_the_kernels_console_on_the_port_is_told_with_where_it_is_set(
    described: Described, place: str, line: str, fix: str
) -> None:
    described.soldered("ttyAMA0")
    described.file("proc/consoles", "ttyAMA0              -W- (EC  p a)  204:64\n")
    described.file(place, line)
    (found,) = said(described, "path:platform-fe201000.serial")
    assert found.sentence == "the kernel writes its messages to /dev/ttyAMA0, which is bus bus1"
    assert found.fix == fix


def test_a_console_is_known_by_sysfs_too(described: Described) -> None:
    described.soldered("ttyAMA0")
    described.file("sys/class/tty/console/active", "tty0 ttyAMA0\n")
    (found,) = said(described, "path:platform-fe201000.serial")
    assert found.fix == (
        "remove console=ttyAMA0… from the kernel command line (/boot/firmware/cmdline.txt on a Raspberry Pi, "
        "GRUB elsewhere), then: sudo reboot"
    )
