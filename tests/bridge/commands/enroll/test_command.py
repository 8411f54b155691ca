"""Saying which adapter a bus has: what is found, what is written, and the talk on a described machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bridge.commands.enroll.enrolment import (
    NotFound,
    block,
    buses,
    by_port,
    own,
    plugged_in,
    present_text,
    spare,
    spares,
    taken_by,
    write,
)
from bridge.config import load_site
from bridge.errors import ConfigError
from bridge.port.adapter import adapters
from tests.bridge.port.test_adapter import Sysfs
from tests.support.programs import program
from tests.udev.engine import usb

SITE = """\
site = "barn-7"

[thingsboard]
url = "coap://tb.example.com"

[spool]
path = "spool.db"

[bus.meters]                       # the cabinet on the left
adapter = "serial:AB0JPQ7X"        # the blue one
protocol = "modbus-rtu"
line = "9600 8N1"

[[bus.meters.sensor]]
name = "soil"
address = 2
model = "eastron-sdm630"
every = "1m"

[bus.heating]
protocol = "modbus-rtu"
line = "19200 8E1"
"""


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path / "sys")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path / "site.toml"


def test_the_adapter_is_written_and_all_else_stays(site: Path) -> None:
    site.chmod(0o640)
    write(site, "meters", "path:pci-0000:00:06.0-usb-0:1:1.0")
    assert site.read_text() == SITE.replace("serial:AB0JPQ7X", "path:pci-0000:00:06.0-usb-0:1:1.0")
    assert site.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in site.parent.iterdir()] == ["site.toml"]


def test_a_bus_without_an_adapter_gets_one_and_the_site_loads(site: Path) -> None:
    write(site, "heating", "serial:FT4QUAD1:2")
    assert load_site(site).buses["heating"].adapter == "serial:FT4QUAD1:2"
    assert load_site(site).buses["meters"].adapter == "serial:AB0JPQ7X"


@pytest.mark.parametrize(
    "text",
    [
        '[bus]\nmeters.line = "9600 8N1"\nheating.line = ""',
        'bus = { meters = { line = "9600 8N1" }, heating = { line = "" } }',
        'bus.meters.line = "9600 8N1"\nbus.heating.line = ""\n',
        '[bus.meters]\r\nline = "9600 8N1"\r\n[bus.heating]\r\nline = ""\r\n',
        '[bus."meters"]\nadapter = 5\nline = "9600 8N1"\n\n[[bus.meters.sensor]]\n[bus.heating]\nline = ""',
    ],
)
def test_however_the_bus_is_written_nothing_else_changes(site: Path, text: str) -> None:
    site.write_bytes(text.encode())
    expected = tomllib.loads(text)
    expected["bus"]["meters"]["adapter"] = "serial:AQ00NEW1"
    write(site, "meters", "serial:AQ00NEW1")
    assert tomllib.loads(site.read_bytes().decode()) == expected


def test_a_file_that_cannot_be_replaced_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"cannot be replaced .*: run this as the file's owner or with sudo"
    ):
        write(tmp_path / "gone.toml", "meters", "serial:AQ00NEW1")


def test_the_block_to_copy_completes_a_site(site: Path) -> None:
    site.write_text(SITE.partition("[bus.heating]")[0] + block("tank", "serial:AQ00TANK"))
    assert load_site(site).buses["tank"].adapter == "serial:AQ00TANK"


def test_a_site_that_is_not_right_yet_can_be_enrolled_into(site: Path) -> None:
    assert buses(site) == {"meters": "serial:AB0JPQ7X", "heating": ""}
    site.write_text("[bus.meters\n")
    with pytest.raises(ConfigError):
        buses(site)


def test_the_one_that_is_plugged_in_now_is_found(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    looks: list[float] = []

    def pause(_seconds: float) -> None:
        looks.append(_seconds)
        if len(looks) == 3:
            sysfs.usb("ttyUSB1", "1-2", "AQ00NEW1")

    found = plugged_in(list(adapters(sysfs.root)), 60, sysfs.root, pause=pause)
    assert (str(found.port.device), found.identity.adapter) == ("/dev/ttyUSB1", "serial:AQ00NEW1")
    assert str(found).endswith("its serial number AQ00NEW1, in whichever USB socket it is")


def test_one_that_is_pulled_out_and_plugged_in_again_is_found(sysfs: Sysfs) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    tty, elsewhere = sysfs.root / "class/tty/ttyUSB0", sysfs.root / "elsewhere"
    steps = iter([lambda: tty.rename(elsewhere), lambda: elsewhere.rename(tty)])
    found = plugged_in(
        list(adapters(sysfs.root)), 60, sysfs.root, pause=lambda _: next(steps, lambda: None)()
    )
    assert found.identity.adapter == "serial:AB0JPQ7X"


def test_one_with_several_ports_is_told_to_say_which(sysfs: Sysfs) -> None:
    plugs = iter([lambda: sysfs.usb("ttyUSB", "1-1", "QUAD", "00", "01")])
    with pytest.raises(NotFound, match=r"^it has 2 ports: say which, --port /dev/ttyUSB0, of /dev/ttyUSB0, "):
        plugged_in([], 60, sysfs.root, pause=lambda _: next(plugs, lambda: None)())


def test_nothing_plugged_in_ends_with_what_to_do(sysfs: Sysfs) -> None:
    waited: list[float] = []
    with pytest.raises(NotFound, match="within 5 s: try another socket or cable"):
        plugged_in([], 5, sysfs.root, pause=waited.append)
    assert sum(waited) == 5


def test_only_one_that_is_no_bus_yet_is_offered(sysfs: Sysfs, site: Path) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    assert spare(site, sysfs.root) is None
    sysfs.usb("ttyUSB1", "1-2", "0001")
    offered = spare(site, sysfs.root)
    assert offered is not None
    assert "recognised by its USB socket: keep it there, because many adapters have" in str(offered)
    sysfs.usb("ttyUSB2", "1-3", "AQ00NEW1")
    assert spare(site, sysfs.root) is None
    free = spares(site, sysfs.root)
    assert [proposal.port.device.name for proposal in free] == ["ttyUSB1", "ttyUSB2"]


def test_a_port_is_not_given_to_two_buses(sysfs: Sysfs, site: Path) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    (port,) = adapters(sysfs.root)
    assert taken_by(site, "heating", port, sysfs.root) == "meters"
    assert taken_by(site, "meters", port, sysfs.root) is None


def test_a_port_is_found_by_a_link_to_it_and_one_that_is_none_is_named(sysfs: Sysfs, tmp_path: Path) -> None:
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    (tmp_path / "link").symlink_to("/dev/ttyUSB0")
    assert by_port(tmp_path / "link", sysfs.root).identity.adapter == "serial:AB0JPQ7X"
    with pytest.raises(NotFound, match=r"^/dev/ttyUSB7 is no serial port of this machine: /dev/ttyUSB0$"):
        by_port(Path("/dev/ttyUSB7"), sysfs.root)


def enroll(site: Path, serial: str, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    """Return the command itself, on a machine with one adapter of that serial number."""
    machine = site.with_name("machine.umockdev")
    machine.write_text(usb("ttyUSB0", "1", serial).description)
    command = [sys.executable, "-m", "bridge", "enroll", *arguments, "--site", str(site)]
    return subprocess.run(
        [program("umockdev-run"), "-d", str(machine), "--", *command],
        input=answers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.end_to_end
def test_a_bus_that_the_site_has_not_is_said_before_an_adapter_is_waited_for(site: Path) -> None:
    done = enroll(site, "AQ00NEW1", "metres", answers="y\n")
    assert done.stderr.startswith(f"{site} has no bus metres yet; it has: meters, heating; ")
    assert '[bus.metres]\nadapter = "serial:AQ00NEW1"' in done.stdout


@pytest.mark.end_to_end
def test_the_installer_is_led_from_the_adapter_to_the_next_step(site: Path) -> None:
    done = enroll(site, "AQ00NEW1", answers="y\nheating\ny\n")
    assert done.returncode == 0, done.stderr
    assert "/dev/ttyUSB0 (Maker USB UART): recognised by its serial number AQ00NEW1" in done.stdout
    assert "  meters           serial:AB0JPQ7X\n  heating          has no adapter yet\n" in done.stdout
    assert done.stdout.endswith(
        f'{site}: bus heating has adapter "serial:AQ00NEW1"\nnext: sudo serial-bridge install --site {site}\n'
    )
    assert load_site(site).buses["heating"].adapter == "serial:AQ00NEW1"
    (line,) = site.with_name("audit.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert entry["command"] == "enroll heating"
    assert entry["changes"] == [
        {"what": "site.toml: bus.heating.adapter", "before": None, "after": "serial:AQ00NEW1"}
    ]


@pytest.mark.end_to_end
def test_a_program_gets_json_and_no_question(site: Path) -> None:
    done = enroll(site, "A50285BI", "meters", "--port", "/dev/ttyUSB0", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["adapter"], told["by"]) == ("path:pci-0000:00:06.0-usb-0:1:1.0", "socket")
    assert (told["bus"], told["written"]) == ("meters", True)
    assert 'adapter = "path:pci-0000:00:06.0-usb-0:1:1.0"        # the blue one' in site.read_text()


@pytest.mark.end_to_end
def test_what_cannot_be_done_is_said_before_anything_is_plugged_in(site: Path) -> None:
    done = enroll(site, "AQ00NEW1", "Meters-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert '"Meters-1" cannot name a bus' in done.stderr
    site.unlink()
    done = enroll(site, "AQ00NEW1", "meters")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{site}: there is no such file: write it, or name it with --site\n"


@pytest.mark.end_to_end
def test_a_bus_that_the_site_does_not_have_gets_a_block_to_copy(site: Path) -> None:
    done = enroll(site, "AQ00NEW1", "tank", "--yes")
    assert done.returncode == 1
    assert done.stdout.endswith(block("tank", "serial:AQ00NEW1") + "\n")
    assert site.read_text() == SITE


def test_an_adapter_that_is_in_already_is_known_at_once(sysfs: Sysfs, site: Path) -> None:
    assert own(site, "meters", sysfs.root) is None
    assert present_text(site, sysfs.root) == ""
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    sysfs.usb("ttyUSB1", "1-2", "AQ00NEW1")
    proposal = own(site, "meters", sysfs.root)
    assert proposal is not None
    assert proposal.identity.adapter == "serial:AB0JPQ7X"
    assert "recognised by its serial number" in str(proposal)
    assert own(site, "heating", sysfs.root) is None
    assert present_text(site, sysfs.root) == "/dev/ttyUSB0 (bus meters), /dev/ttyUSB1 (free)"
