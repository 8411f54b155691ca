"""By what an adapter is known again, and which serial numbers are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config.places import check_adapter
from bridge.port.adapter import Adapter, adapters, find_adapter
from bridge.port.identity import SHARED, Identity, Kind, NoIdentity, flaw, identify, refusal
from tests.bridge.port.test_adapter import Sysfs

SOCKET = "pci-0000:00:06.0-usb-0"


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    sysfs = Sysfs(tmp_path)
    sysfs.tty("ttyAMA0", sysfs.device("platform/soc/fe201000.serial", "platform"))
    return sysfs


def identities(sysfs: Sysfs) -> dict[str, Identity]:
    """Return the identity of each device of a machine, by the kernel's name for it."""
    present = list(adapters(sysfs.root))
    return {adapter.device.name: identify(adapter, present) for adapter in present}


def test_an_adapter_with_a_number_of_its_own_is_known_by_it_in_any_socket(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    assert identities(sysfs)["ttyUSB0"] == Identity("serial:AB0JPQ7X", Kind.SERIAL)


def test_the_four_ports_of_one_adapter_are_told_apart_by_their_interface(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB", "1-1", "FT4QUAD1", "00", "01", "02", "0a")
    names = [identities(sysfs)[f"ttyUSB{port}"].adapter for port in range(4)]
    assert names == ["serial:FT4QUAD1:0", "serial:FT4QUAD1:1", "serial:FT4QUAD1:2", "serial:FT4QUAD1:a"]


def test_an_adapter_without_a_number_is_known_by_its_socket(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1.4", "")
    assert identities(sysfs)["ttyUSB0"] == Identity(
        f"path:{SOCKET}:1.4:1.0", Kind.SOCKET, "it has no serial number"
    )


def test_two_adapters_of_one_number_are_known_by_their_sockets_and_named(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AQ00XTWO")
    sysfs.usb("ttyUSB1", "1-2", "AQ00XTWO")
    found = identities(sysfs)
    assert (found["ttyUSB0"].adapter, found["ttyUSB1"].adapter) == (
        f"path:{SOCKET}:1:1.0",
        f"path:{SOCKET}:2:1.0",
    )
    assert found["ttyUSB0"].flaw == "/dev/ttyUSB0 and /dev/ttyUSB1 have the same serial number AQ00XTWO"


def test_a_port_that_is_soldered_on_is_known_by_its_device_file(sysfs: Sysfs) -> None:
    assert identities(sysfs)["ttyAMA0"] == Identity("/dev/ttyAMA0", Kind.DEVICE)


def test_every_name_that_is_given_leads_back_to_its_port_and_may_stand_in_a_site(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    sysfs.usb("ttyUSB1", "1-2", "0001")
    sysfs.usb("ttyUSB2", "1-3", "AB:12")
    sysfs.usb("ttyACM", "1-4", "QUAD", "00", "0b")
    for device, identity in identities(sysfs).items():
        assert find_adapter(check_adapter(identity.adapter), sysfs.root) == f"/dev/{device}"


def test_ports_that_share_an_interface_have_no_identity(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "MOXA1")
    shared = (sysfs.root / "class/tty/ttyUSB0/device").resolve().parent.relative_to(sysfs.root / "devices")
    sysfs.tty("ttyUSB1", sysfs.device(f"{shared}/ttyUSB1", "usb-serial"))
    with pytest.raises(NoIdentity, match=r"^/dev/ttyUSB0: neither a serial number nor .* from ttyUSB1: use"):
        identities(sysfs)


@pytest.mark.parametrize(
    "serial",
    [*SHARED, "", "0", "00000000", "000000000000", "FFFFFFFF", "0001", "00000001", "000000000001", "1",
     "12345678", "123456789012", "0123456789ABCDEF", "0123456789abcdef", "00:00:00", "AB:12",
     "AB/12", "AB$12", "AB?12"],
)  # fmt: skip
def test_a_number_that_is_none_is_not_used(serial: str) -> None:
    assert flaw(serial)


@pytest.mark.parametrize(
    "serial",
    ["AB0JPQ7X", "FT000001", "0042", "A10000LX", "E6605481DB484636", "1234ABCD", "DN01-7#2", "55770405"],
)
def test_a_number_that_may_be_the_adapters_own_is_used(serial: str) -> None:
    assert flaw(serial) == ""


def test_a_site_that_names_a_clones_number_is_told_the_socket(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "A50285BI")
    said = refusal("serial:A50285BI", list(adapters(sysfs.root)))
    assert said.startswith('adapter "serial:A50285BI" may be the wrong one, many adapters have the serial ')
    assert said.endswith(f': write "path:{SOCKET}:1:1.0" (/dev/ttyUSB0)')
    assert refusal("serial:A50285BI", []).endswith('write "path:…", as `serial-bridge enroll` writes it')


def test_a_site_that_names_a_number_present_twice_is_told_both_sockets(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AQ00XTWO")
    sysfs.usb("ttyUSB1", "1-2", "AQ00XTWO")
    present = list(adapters(sysfs.root))
    both = f'"path:{SOCKET}:1:1.0" (/dev/ttyUSB0) or "path:{SOCKET}:2:1.0" (/dev/ttyUSB1)'
    assert refusal("serial:AQ00XTWO", present).endswith(both)


def test_a_site_that_leaves_out_which_of_the_ports_is_told_them(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB", "1-1", "QUAD", "00", "01")
    present = list(adapters(sysfs.root))
    assert refusal("serial:QUAD", present) == (
        'adapter "serial:QUAD" has 2 ports: write "serial:QUAD:0" (/dev/ttyUSB0) '
        'or "serial:QUAD:1" (/dev/ttyUSB1)'
    )
    assert refusal("serial:QUAD:1", present) == ""


@pytest.mark.parametrize("adapter", ["serial:AB0JPQ7X", "path:pci-0000:00:06.0-usb-0:1:1.0", "/dev/ttyAMA0"])
def test_a_site_that_names_an_adapter_well_is_not_refused(adapter: str) -> None:
    assert refusal(adapter, [Adapter(Path("/dev/ttyUSB0"), "AB0JPQ7X", 0, "", "1-1")]) == ""
