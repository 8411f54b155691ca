"""What `enroll` writes is what udev recognises: the command and the rule engine on one described machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.commands.install.files import RULES
from tests.support.programs import program
from tests.udev.engine import Tty, play, usb
from tests.udev.sites import files_of

pytestmark = pytest.mark.end_to_end

SITE = 'site = "barn"\n[thingsboard]\nurl = "coap://tb.example.com"\n'
SOCKET = "path:pci-0000:00:06.0-usb-0"


def enrolled(folder: Path, ttys: list[Tty]) -> dict[str, str]:
    """Return what `enroll --port` names each device."""
    site, machine = folder / "site.toml", folder / "plugged.umockdev"
    site.write_text(SITE)
    blocks = dict.fromkeys(block for tty in ttys for block in tty.description.split("\n\n"))
    machine.write_text("\n\n".join(blocks) + "\n")
    enroll = f"{sys.executable} -m bridge enroll bus --yes --json --site {site} --port"
    each = "; ".join(f"{enroll} /dev/{tty.name} || true" for tty in ttys)
    done = subprocess.run(
        [program("umockdev-run"), "-d", machine, "--", "sh", "-c", each],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    told, decoder = done.stdout, json.JSONDecoder()
    names: dict[str, str] = {}
    for tty in ttys:
        document, end = decoder.raw_decode(told)
        names[tty.name], told = document["adapter"], told[end:].lstrip()
    return names


@pytest.mark.parametrize(
    ("ttys", "names"),
    [
        (
            [usb(f"ttyUSB{port}", "2", "FT4QUAD1", interface=port) for port in range(4)],
            [f"serial:FT4QUAD1:{port}" for port in range(4)],
        ),
        (
            [usb("ttyUSB0", "1", "A50285BI"), usb("ttyUSB1", "2.4", "A50285BI")],
            [f"{SOCKET}:1:1.0", f"{SOCKET}:2.4:1.0"],
        ),
        (
            [usb("ttyUSB0", "1", "AQ00TWIN"), usb("ttyUSB1", "2", "AQ00TWIN"), usb("ttyUSB2", "3", None)],
            [f"{SOCKET}:1:1.0", f"{SOCKET}:2:1.0", f"{SOCKET}:3:1.0"],
        ),
        (
            [usb("ttyUSB0", "1", "AB 12&x"), usb("ttyUSB1", "2", "AB:12"), usb("ttyUSB2", "3", "AB,12")],
            ["serial:AB_12_x", f"{SOCKET}:2:1.0", f"{SOCKET}:3:1.0"],
        ),
    ],
    ids=["four ports", "clones", "twins", "odd numbers"],
)
def test_what_is_enrolled_is_what_udev_recognises(tmp_path: Path, ttys: list[Tty], names: list[str]) -> None:
    found = enrolled(tmp_path, ttys)
    assert list(found.values()) == names
    buses = {f"bus_{device.lower()}": adapter for device, adapter in found.items()}
    outcomes = play(tmp_path, files_of(buses)[RULES], [("add", tty) for tty in ttys])
    assert [outcome.bus for outcome in outcomes] == [f"bus_{tty.name.lower()}" for tty in ttys]
