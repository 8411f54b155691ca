"""Adapters without a driver, taken from it, or of one serial number."""

from __future__ import annotations

import pytest

from bridge.commands.doctor import usb
from bridge.commands.doctor.finding import Severity
from tests.bridge.commands.doctor.described import Described


@pytest.mark.parametrize(
    ("vendor", "product", "interface", "module"),
    [
        ("0403", "6001", {}, "ftdi_sio"),
        ("10c4", "ea60", {}, "cp210x"),
        ("1a86", "7523", {}, "ch341"),
        ("067b", "23a3", {}, "pl2303"),
        ("1a86", "55d3", {"bInterfaceClass": "02", "bInterfaceSubClass": "02"}, "cdc_acm"),
    ],
)
def test_an_adapter_without_a_driver_is_named_with_the_module_it_needs(
    described: Described, vendor: str, product: str, interface: dict[str, str], module: str
) -> None:
    described.adapter("1-1.3", vendor, product, "", **interface)
    (found,) = usb.check(described.site(), described.machine())
    assert found.sentence.startswith(
        f"the adapter {vendor}:{product} in USB socket 1-1.3 has no port, because"
    )
    assert found.fix == f"sudo modprobe {module}"


def test_an_adapter_with_its_driver_and_a_mouse_without_are_nothing_to_say(described: Described) -> None:
    described.adapter("1-1", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="AB0JPQ7X")
    described.adapter("1-2", "046d", "c077", "", bInterfaceClass="03", bInterfaceSubClass="01")
    assert not list(usb.check(described.site(), described.machine()))


def test_an_interface_that_is_left_free_beside_a_port_is_nothing_to_say(described: Described) -> None:
    described.adapter("1-1", "0403", "6010", "ftdi_sio", tty="ttyUSB0", serial="AB0JPQ7X")
    free = described.root / "devices/pci0000:00/0000:00:06.0/usb1/1-1/1-1:1.1"
    free.mkdir()
    (described.root / "bus/usb/devices/1-1:1.1").symlink_to(free)
    assert not list(usb.check(described.site(), described.machine()))


def test_an_adapter_that_a_program_took_from_its_driver_is_told(described: Described) -> None:
    described.adapter("1-1", "1a86", "7523", "usbfs")
    (found,) = usb.check(described.site(), described.machine())
    assert found.sentence.startswith("a program has taken the adapter 1a86:7523 in USB socket 1-1")
    assert found.fix == "sudo fuser -v /dev/bus/usb/001/004"


def test_two_adapters_of_one_number_are_named_until_both_are_known_by_their_sockets(
    described: Described,
) -> None:
    described.adapter("1-1", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="AQ00TWIN")
    described.adapter("1-2", "0403", "6001", "ftdi_sio", tty="ttyUSB1", serial="AQ00TWIN")
    first, second = (f"path:pci-0000:00:06.0-usb-0:{socket}:1.0" for socket in (1, 2))
    (found,) = usb.check(described.site(first), described.machine())
    assert found.severity is Severity.RISK
    assert found.sentence.startswith("/dev/ttyUSB0 and /dev/ttyUSB1 have the same serial number AQ00TWIN")
    assert found.fix == "sudo serial-bridge enroll --port /dev/ttyUSB1"
    assert not list(usb.check(described.site(first, second), described.machine()))
