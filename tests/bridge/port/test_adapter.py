"""Finding an adapter, in a sysfs laid out as the kernel lays it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import Bus
from bridge.errors import PortLost
from bridge.port.adapter import adapters, find_adapter, find_port
from protocols import load
from protocols.toolkit.polling import LineSettings


class Sysfs:
    """A sysfs in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "class" / "tty").mkdir(parents=True)

    def device(self, path: str, subsystem: str, **attributes: str) -> Path:
        """A device below /sys/devices; its parents are there, or have no subsystem."""
        device = self.root / "devices" / path
        device.mkdir(parents=True, exist_ok=True)
        (self.root / "bus" / subsystem).mkdir(parents=True, exist_ok=True)
        (device / "subsystem").symlink_to(self.root / "bus" / subsystem)
        for name, value in attributes.items():
            (device / name).write_text(f"{value}\n")
        return device

    def tty(self, name: str, device: Path | None) -> None:
        """A terminal of the kernel, with hardware behind it or without."""
        (self.root / "class" / "tty" / name).mkdir()
        if device is not None:
            (self.root / "class" / "tty" / name / "device").symlink_to(device)

    def usb(self, tty: str, socket: str, serial: str, *interfaces: str) -> None:
        """A USB adapter in a socket ("1-1.2") of a PCI controller; one terminal for each interface."""
        self.device("pci0000:00/0000:00:06.0", "pci") if not (self.root / "bus/pci").exists() else None
        usb = self.device(f"pci0000:00/0000:00:06.0/usb1/{socket}", "usb", serial=serial, devnum="4")
        for at, interface in enumerate(interfaces or ("00",)):
            name = f"{usb.relative_to(self.root / 'devices')}/{socket}:1.{at}"
            self.device(name, "usb", bInterfaceNumber=interface)
            kernel_name = f"{tty}{at}" if interfaces else tty
            self.tty(kernel_name, self.device(f"{name}/{kernel_name}", "usb-serial"))


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    sysfs = Sysfs(tmp_path)
    sysfs.tty("tty0", None)
    sysfs.tty("ttyAMA0", sysfs.device("platform/soc/fe201000.serial", "platform"))
    return sysfs


def test_an_absolute_path_stays_as_it_is(tmp_path: Path) -> None:
    assert find_adapter("/dev/ttyAMA0", tmp_path) == "/dev/ttyAMA0"


def test_an_adapter_is_found_by_its_serial_number_whatever_the_kernel_calls_it(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB1", "1-1", "A001")
    sysfs.usb("ttyUSB0", "1-2", "B002")
    assert find_adapter("serial:A001", sysfs.root) == "/dev/ttyUSB1"
    assert find_adapter("serial:B002", sysfs.root) == "/dev/ttyUSB0"


def test_an_adapter_is_found_by_its_socket_under_udevs_name_for_it(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "A001")
    sysfs.usb("ttyUSB1", "1-1.4.2", "A001")
    assert find_adapter("path:pci-0000:00:06.0-usb-0:1:1.0", sysfs.root) == "/dev/ttyUSB0"
    assert find_adapter("path:pci-0000:00:06.0-usb-0:1.4.2:1.0", sysfs.root) == "/dev/ttyUSB1"
    assert find_adapter("path:platform-fe201000.serial", sysfs.root) == "/dev/ttyAMA0"


def test_an_interface_tells_the_ports_of_one_adapter_apart(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB", "1-1", "QUAD", "00", "01", "0a")
    assert find_adapter("serial:QUAD:1", sysfs.root) == "/dev/ttyUSB1"
    assert find_adapter("serial:QUAD:0a", sysfs.root) == "/dev/ttyUSB2"


def test_two_adapters_of_one_serial_number_are_told_apart_by_their_sockets(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "0001")
    sysfs.usb("ttyUSB1", "1-2", "0001")
    with pytest.raises(
        PortLost, match=r'write "path:pci-0000:00:06.0-usb-0:1:1.0" \(/dev/ttyUSB0\) or "path:'
    ):
        find_adapter("serial:0001", sysfs.root)


def test_a_link_to_one_of_two_that_fit_is_not_trusted(sysfs: Sysfs, tmp_path: Path) -> None:
    bus = Bus(name="meters", adapter="serial:A001", protocol=load("modbus-rtu"), line=LineSettings(9600))
    (tmp_path / "meters").symlink_to("/dev/null")
    sysfs.usb("null", "1-1", "A001")
    assert find_port(bus, tmp_path, sysfs.root) == str(tmp_path / "meters")
    sysfs.usb("ttyUSB1", "1-2", "A001")
    with pytest.raises(PortLost, match="fits several devices"):
        find_port(bus, tmp_path, sysfs.root)


@pytest.mark.parametrize("adapter", ["serial:A001", "serial:B002:1", "path:pci-0000:00:06.0-usb-0:9:1.0"])
def test_an_adapter_that_is_not_plugged_in_is_named(sysfs: Sysfs, adapter: str) -> None:
    sysfs.usb("ttyUSB0", "1-2", "B002")
    with pytest.raises(PortLost, match=f'^adapter "{adapter}" is not there: plug in the adapter$'):
        find_adapter(adapter, sysfs.root)


def test_a_bus_without_its_adapter_is_told_with_the_next_step(sysfs: Sysfs) -> None:
    bus = Bus(name="meters", adapter="serial:A001", protocol=load("modbus-rtu"), line=LineSettings(9600))
    sysfs.usb("ttyUSB0", "1-2", "B002")
    with pytest.raises(PortLost, match=r"is not there: plug in the adapter$"):
        find_port(bus, None, sysfs.root)


def test_a_serial_number_is_written_as_udev_writes_it(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB 12&x:(")
    assert [adapter.serial for adapter in adapters(sysfs.root)] == ["", "AB_12_x:_"]


@pytest.mark.parametrize("serial", ["AB 12&é", "AB,12"])
def test_a_serial_number_that_udev_does_not_take_is_none(sysfs: Sysfs, serial: str) -> None:
    sysfs.usb("ttyUSB0", "1-1", serial)
    assert [adapter.serial for adapter in adapters(sysfs.root)] == ["", ""]


def test_terminals_without_hardware_are_no_adapters(sysfs: Sysfs) -> None:
    assert [adapter.device.name for adapter in adapters(sysfs.root)] == ["ttyAMA0"]


def test_many_adapters_are_described_once_and_again_when_one_comes_or_goes(sysfs: Sysfs) -> None:
    for number in range(64):
        sysfs.usb(f"ttyUSB{number}", f"1-{number}", f"SERIAL{number}")
    assert len(adapters(sysfs.root)) == 65
    (sysfs.root / "devices/pci0000:00/0000:00:06.0/usb1/1-7/serial").write_text("never read again")
    assert find_adapter("serial:SERIAL7", sysfs.root) == "/dev/ttyUSB7"
    sysfs.usb("ttyUSB99", "2-1", "NEW")
    assert find_adapter("serial:NEW", sysfs.root) == "/dev/ttyUSB99"
    (sysfs.root / "class/tty/ttyUSB99/device").unlink()
    (sysfs.root / "class/tty/ttyUSB99").rmdir()
    with pytest.raises(PortLost, match="is not there"):
        find_adapter("serial:NEW", sysfs.root)


def test_a_system_without_sysfs_has_no_adapter(tmp_path: Path) -> None:
    assert adapters(tmp_path) == ()
