"""The command: what people and programs get, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.commands.doctor.examination import as_json, examine, text, wrong
from bridge.commands.doctor.finding import Finding, Severity
from bridge.commands.terminal.next_step import SITE, command
from bridge.release import VERSION
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.commands.doctor.described import Described

FOUND = [
    Finding("port", Severity.FAULT, "bus meters: /dev/ttyUSB0 is held by minicom (process 7)", "sudo kill 7"),
    Finding("spool", Severity.UNSEEN, "the spool /var/lib/serial-bridge/spool.db", ""),
    Finding("kernel log", Severity.UNSEEN, "the kernel log", ""),
]


def test_each_finding_is_a_sentence_and_a_command_and_what_was_not_seen_is_said_once() -> None:
    assert text(FOUND) == (
        f"serial-bridge {VERSION}\n"
        "fault: bus meters: /dev/ttyUSB0 is held by minicom (process 7)\n"
        "  sudo kill 7\n"
        "not seen: the spool /var/lib/serial-bridge/spool.db, the kernel log; "
        "run it with sudo to see these too"
    )
    assert text([]) == f"serial-bridge {VERSION}\nnothing wrong was found"
    assert text(FOUND[1:2]).startswith(f"serial-bridge {VERSION}\nnothing wrong was found\nnot seen: ")


def test_what_was_not_seen_is_not_wrong() -> None:
    assert wrong(FOUND) == FOUND[:1]
    assert as_json(FOUND)["findings"] == [
        {
            "area": "port",
            "severity": "fault",
            "sentence": "bus meters: /dev/ttyUSB0 is held by minicom (process 7)",
            "fix": "sudo kill 7",
        }
    ]
    assert len(as_json(FOUND)["unseen"]) == 2
    assert as_json(FOUND)["version"] == VERSION


def doctor(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "doctor", "--site", str(site), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.end_to_end
def test_every_area_is_looked_at_and_the_exit_status_says_that_something_is_wrong(
    described: Described,
) -> None:
    described.site("serial:AB0JPQ7X", url="coap://127.0.0.1:1")
    done = doctor(described.folder / "site.toml", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    areas = {finding["area"] for finding in json.loads(done.stdout)["findings"]}
    assert {"port", "credentials", "uplink"} <= areas


@pytest.mark.end_to_end
def test_a_site_that_is_wrong_is_the_first_thing_to_mend(described: Described) -> None:
    described.file("site.toml", "site = 5\n")
    done = doctor(described.folder / "site.toml")
    assert done.returncode == 2
    assert "site.toml:1: site" in done.stderr


async def test_a_machine_on_which_all_is_well_gets_a_clean_bill(described: Described) -> None:
    server = StandIn()
    await server.start()
    described.adapter("1-1", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="AB0JPQ7X")
    described.file("credentials.toml", "")
    (described.folder / "credentials.toml").chmod(0o600)
    (described.folder / "ttyX").touch(mode=0o660)
    site = described.site(
        str(described.folder / "ttyX"), more='limit = "1MB"\n', url=f"coap://127.0.0.1:{server.port}"
    )
    found = await examine(site, described.folder / "credentials.toml", described.machine())
    await server.stop()
    assert [finding for finding in wrong(found) if finding.area != "clock"] == []  # this machine's own


async def test_a_command_that_mends_it_names_the_site_that_was_examined(described: Described) -> None:
    site = described.site("serial:AB0JPQ7X", url="coap://127.0.0.1:1")
    found = await examine(site, described.folder / "credentials.toml", described.machine())
    fixes = [finding.fix for finding in found]
    assert f"sudo serial-bridge enroll bus1 --site {site.path}" in fixes
    assert f"sudo install -m 600 /dev/null {described.folder}/credentials.toml" in fixes


def test_only_a_site_in_another_place_is_named() -> None:
    assert command("serial-bridge doctor", SITE) == "serial-bridge doctor"
    assert command("serial-bridge doctor", Path("my site")) == "serial-bridge doctor --site 'my site'"
