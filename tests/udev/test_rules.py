"""What udev itself makes of our rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.commands.install.files import RULES
from tests.udev.engine import Tty, play, soldered_on, usb
from tests.udev.sites import files_of

ONE = {"meters": "serial:AB0JPQ7X"}
_WHEN = "USEC_INITIALIZED"


def rules(**adapters: str) -> str:
    """Return the rules of a site whose buses have these adapters."""
    return files_of(adapters)[RULES]


@pytest.mark.parametrize(
    ("adapter", "tty"),
    [
        ("serial:AB0JPQ7X", usb("ttyUSB0", "1", "AB0JPQ7X")),
        ("serial:AB0JPQ7X", usb("ttyUSB3", "2.4.1", "AB0JPQ7X", product="10c4/ea60", latency_timer=False)),
        ("serial:AB0JPQ7X:0", usb("ttyUSB0", "1", "AB0JPQ7X")),
        ("path:pci-0000:00:06.0-usb-0:2.4:1.0", usb("ttyUSB7", "2.4", None, product="1a86/7523")),
        ("path:pci-0000:00:06.0-usb-0:1:1.0", usb("ttyUSB7", "1", "0001")),
        ("/dev/ttyUSB2", usb("ttyUSB2", "1", "AB0JPQ7X")),
        ("/dev/ttyAMA0", soldered_on("ttyAMA0")),
        ("path:platform-fe201000.serial", soldered_on("ttyAMA0")),
    ],
)
def test_an_enrolled_adapter_is_its_bus(tmp_path: Path, adapter: str, tty: Tty) -> None:
    (found,) = play(tmp_path, rules(meters=adapter), [("add", tty)])
    assert found.complaints == ()
    assert found.links == ("/dev/sbridge/meters",)
    assert found.properties["SYSTEMD_WANTS"] == "serial-bridge@meters.service"
    assert found.properties["ID_MM_PORT_IGNORE"] == "1"
    assert ":systemd:" in found.properties["CURRENT_TAGS"]
    assert {"GROUP 990", "MODE 0660"} <= set(found.done)
    assert found.runs == ("/usr/bin/systemctl --no-block start serial-bridge@meters.service",)


@pytest.mark.parametrize(
    "tty",
    [
        usb("ttyUSB0", "1", "AB0JPQ7Y"),
        usb("ttyUSB0", "1", "AB0JPQ7X1"),
        usb("ttyUSB0", "1", None),
        usb("ttyUSB0", "1", "QUAD", interface=2),
        usb("ttyUSB0", "2.1", "0001"),
        soldered_on("ttyS0"),
    ],
)
def test_an_adapter_that_is_not_enrolled_stays_untouched(tmp_path: Path, tty: Tty) -> None:
    site = rules(
        meters="serial:AB0JPQ7X",
        quad="serial:QUAD:1",
        cheap="path:pci-0000:00:06.0-usb-0:2:1.0",
        board="/dev/ttyAMA0",
    )
    (without,) = play(tmp_path, "", [("add", tty)])
    (found,) = play(tmp_path, site, [("add", tty)])
    assert found.done == found.runs == found.links == ()
    assert set(found.properties) - set(without.properties) <= {"ID_PATH", "ID_PATH_TAG"}
    assert {**found.properties, _WHEN: ""}.items() >= {**without.properties, _WHEN: ""}.items()


def test_the_ports_of_a_four_port_adapter_are_four_buses(tmp_path: Path) -> None:
    adapters = {name: f"serial:FT4232:{interface}" for interface, name in enumerate("abcd")}
    ports = [usb(f"ttyUSB{at}", "1", "FT4232", interface=at, product="0403/6011") for at in range(4)]
    found = play(tmp_path, rules(**adapters), [("add", port) for port in reversed(ports)])
    assert [each.bus for each in found] == ["d", "c", "b", "a"]
    assert [each.links for each in found] == [(f"/dev/sbridge/{name}",) for name in "dcba"]


def test_two_adapters_keep_their_buses_when_the_kernel_swaps_their_names(tmp_path: Path) -> None:
    site = rules(meters="serial:A001", soil="serial:B002")
    for first, second in (("A001", "B002"), ("B002", "A001")):
        ttys = [usb("ttyUSB0", "1", first), usb("ttyUSB1", "2", second)]
        found = play(tmp_path, site, [("add", tty) for tty in ttys])
        assert {each.bus: each.properties["ID_SERIAL_SHORT"] for each in found} == {
            "meters": "A001",
            "soil": "B002",
        }


def test_a_second_adapter_with_the_same_serial_number_does_not_take_the_bus_over(tmp_path: Path) -> None:
    first, clone = usb("ttyUSB0", "1", "AB0JPQ7X"), usb("ttyUSB1", "2", "AB0JPQ7X")
    events = [("add", first), ("add", clone), ("change", clone), ("change", first)]
    was, refused, again, still = play(tmp_path, rules(**ONE), events)
    assert was.links == still.links == ("/dev/sbridge/meters",)
    for event in (refused, again):
        assert (event.links, event.bus, event.properties["SERIAL_BRIDGE_TWIN"]) == ((), None, "meters")
        assert "SYSTEMD_WANTS" not in event.properties
    (said,) = refused.runs
    assert "/dev/ttyUSB1 is left alone: it fits bus meters" in said
    assert again.runs == ()


def test_an_adapter_plugged_in_again_gets_its_bus_under_any_kernel_name(tmp_path: Path) -> None:
    before, after = usb("ttyUSB0", "1", "AB0JPQ7X"), usb("ttyUSB1", "2", "AB0JPQ7X")
    _, found = play(tmp_path, rules(**ONE), [("add", before), ("unplug", before), ("add", after)])
    assert found.links == ("/dev/sbridge/meters",)


def test_a_change_keeps_the_bus_and_starts_nothing_by_hand(tmp_path: Path) -> None:
    tty = usb("ttyUSB0", "1", "AB0JPQ7X")
    _, changed = play(tmp_path, rules(**ONE), [("add", tty), ("change", tty)])
    assert changed.links == ("/dev/sbridge/meters",)
    assert changed.properties["SYSTEMD_WANTS"] == "serial-bridge@meters.service"
    assert changed.runs == ()


def test_a_link_that_another_rule_made_names_the_device(tmp_path: Path) -> None:
    others = 'KERNEL=="ttyAMA0", SYMLINK+="serial0"\n'
    uart = soldered_on("ttyAMA0")
    (found,) = play(tmp_path, rules(meters="/dev/serial0"), [("add", uart)], others=others)
    assert found.bus == "meters"


def test_the_bytes_of_an_ftdi_are_not_held_back(tmp_path: Path) -> None:
    (found,) = play(tmp_path, rules(**ONE), [("add", usb("ttyUSB0", "1", "AB0JPQ7X"))])
    assert found.written == {"latency_timer": "1"}


def test_a_rule_that_udev_does_not_understand_is_seen_here(tmp_path: Path) -> None:
    broken = rules(**ONE).replace('MODE="0660"', 'MOOD="0660"')
    (found,) = play(tmp_path, broken, [("add", usb("ttyUSB0", "1", "AB0JPQ7X"))])
    assert found.complaints
