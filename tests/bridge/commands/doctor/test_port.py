"""A port that another program holds, that is missing, forbidden, or may be the wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.commands.doctor import port
from bridge.commands.doctor.examination import wrong
from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.status.runtime import Runtime
from tests.bridge.commands.doctor.described import ROOT, STRANGER, Described

HOLD = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(flush=True); sys.stdin.read()"


@pytest.fixture
def line() -> Iterator[Path]:
    """A pseudo-terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield Path(os.ttyname(slave))
    os.close(slave)
    os.close(master)


@pytest.fixture
def holder(line: Path) -> Iterator[int]:
    """Yield the pid of another process that has the pseudo-terminal open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(line)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        yield other.pid
        other.communicate()


def real_processes(described: Described) -> Machine:
    """Return the described machine, on which the processes of this one run."""
    machine = described.machine()
    return Machine(machine.sysfs, Path("/proc"), machine.root, machine.kernel_log, ROOT)


def said(site: Site, machine: Machine) -> list[Finding]:
    return wrong(list(port.check(site, machine)))


def test_who_holds_the_port_is_named(described: Described, line: Path, holder: int) -> None:
    os_name = (Path("/proc") / str(holder) / "comm").read_text().strip()
    faults = [
        finding
        for finding in said(described.site(str(line)), real_processes(described))
        if f"process {holder}" in finding.sentence
    ]
    assert [finding.sentence for finding in faults] == [
        f"bus bus1: {line} is used by another program (process {holder} {os_name}): stop it"
    ]
    assert faults[0].fix == f"sudo kill {holder}"


def test_our_own_reader_holds_its_port_by_right(described: Described, line: Path, holder: int) -> None:
    site = described.site(str(line))
    Runtime(site.spool.path).publish("bus-bus1", {"state": "ready"})
    (document,) = described.folder.rglob("bus-bus1.json")
    document.write_text(document.read_text().replace(str(os.getpid()), str(holder)))
    assert not [f for f in said(site, real_processes(described)) if str(holder) in f.sentence]


@pytest.mark.parametrize(
    ("unit", "fixes"),
    [
        ("gpsd.service", ["sudo systemctl disable --now gpsd.service"]),
        ("system-serial\\x2dbridge.slice/serial-bridge@bus1.service", []),
        (
            "system-serial\\x2dbridge.slice/serial-bridge@bus2.service",
            ["sudo systemctl disable --now serial-bridge@bus2.service"],
        ),
    ],
    ids=["another's", "this bus's", "another bus's"],
)
def test_a_service_that_holds_the_port_is_stopped_by_its_name(
    described: Described, unit: str, fixes: list[str]
) -> None:
    described.process(411, "holder", cgroup=f"1:name=systemd:/\n0::/system.slice/{unit}")
    (described.folder / "held").touch()
    (described.folder / "proc/411/fd/7").symlink_to(described.folder / "held")
    found = said(described.site(str(described.folder / "held")), described.machine())
    assert [finding.fix for finding in found] == fixes


def test_an_adapter_that_is_not_there_is_a_matter_of_enrolling(described: Described) -> None:
    found = said(described.site("serial:AB0JPQ7X", "/dev/ttyGONE0"), described.machine())
    assert [finding.fix for finding in found] == [
        "sudo serial-bridge enroll bus1",
        "sudo serial-bridge enroll bus2",
    ]
    assert found[0].sentence == 'bus bus1: adapter "serial:AB0JPQ7X" is not there: plug in the adapter'
    assert found[1].sentence == "bus bus2: /dev/ttyGONE0 is not there: plug in the adapter"


def test_a_clones_serial_number_is_refused_by_name(described: Described) -> None:
    described.adapter("1-1", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="A50285BI")
    (found,) = said(described.site("serial:A50285BI"), described.machine())
    assert found.severity is Severity.FAULT
    assert 'write "path:pci-0000:00:06.0-usb-0:1:1.0" (/dev/ttyUSB0)' in found.sentence


def test_a_port_that_the_services_user_may_not_open_is_named_with_its_group(
    described: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    (described.folder / "ttyX").touch(mode=0o640)
    monkeypatch.setattr(port, "group_of", lambda _: "dialout")
    site = described.site(str(described.folder / "ttyX"))
    (found,) = said(site, described.machine(STRANGER))
    assert found.sentence == (
        f"bus bus1: {described.folder}/ttyX does not open, permission denied (to user stranger): "
        "it is for group dialout"
    )
    assert found.fix == "sudo usermod -aG dialout stranger"
    monkeypatch.setattr(port, "group_of", lambda _: "root")
    assert [finding.fix for finding in said(site, described.machine(STRANGER))] == [
        "sudo serial-bridge install"
    ]
    (described.folder / "ttyX").chmod(0o666)
    assert not said(site, described.machine(STRANGER))
