"""What commands leave in the audit log, and how it is read back."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bridge.audit_log import STEPS, Change
from bridge.clock import Instant
from bridge.commands.terminal.app import app
from bridge.commands.terminal.audited import differences, log_of, toml_values
from bridge.spool import Reading, SpoolAdmin
from tests.support.site import site_head

SITE = (
    site_head(adapter="/dev/null", spool="data/spool.db")
    + """
[[bus.meters.sensor]]
name = "soil"
address = 1
every = "10s"
registers = { x = { holding = 0 } }
"""
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path / "site.toml"


def run(site: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(app, [*arguments, "--site", str(site)])
    assert done.exit_code == 0, done.output
    return done


def entries(site: Path) -> list[dict[str, Any]]:
    document = json.loads(run(site, "audit", "--json").stdout)
    found: list[dict[str, Any]] = document["entries"]
    return found


def with_readings(site: Path, sensor: str, count: int) -> None:
    with closing(SpoolAdmin.open(site.parent / "data/spool.db")) as spool:
        spool.add([Reading(sensor, Instant("boot", n), 1000 + n, b'{"v":1}', 1) for n in range(count)])


def test_readings_dropped_and_reassigned_by_hand_stand_in_it_with_their_counts(site: Path) -> None:
    with_readings(site, "old", 3)
    run(site, "spool", "reassign", "old", "soil")
    run(site, "spool", "drop", "soil", "--yes")
    moved, dropped = entries(site)
    assert moved["command"] == "spool reassign old soil"
    assert [(c["what"], c["after"]) for c in moved["changes"]] == [
        ("spool: old", {"queued": 0, "refused": 0, "dropped": 0}),
        ("spool: soil", {"queued": 3, "refused": 0, "dropped": 0}),
    ]
    assert dropped["command"] == "spool drop soil"
    (change,) = dropped["changes"]
    assert change["before"] == {"queued": 3, "refused": 0, "dropped": 0}
    assert change["after"] == {"queued": 0, "refused": 0, "dropped": 3}
    assert (site.parent / "data/audit.jsonl").exists()


def test_a_command_that_changed_nothing_leaves_no_line(site: Path) -> None:
    with_readings(site, "old", 1)
    run(site, "spool", "drop", "old", "--yes")
    run(site, "spool", "drop", "old", "--yes")
    assert len(entries(site)) == 1


def test_the_listing_has_who_when_what_and_both_values(site: Path) -> None:
    log = log_of(site)
    assert run(site, "audit").stdout == (
        f"nothing was changed by a command yet; the log will be {site.parent / 'data/audit.jsonl'}\n"
    )
    old, new = {"site.toml: bus.meters.line": "9600 8N1"}, {"site.toml: bus.meters.line": "9600 8E1"}
    log.record("setup", differences(old, new))
    shown = run(site, "audit").stdout.splitlines()
    assert shown[0].endswith("setup")
    assert shown[1] == "    site.toml: bus.meters.line: 9600 8N1 → 9600 8E1"


def test_of_a_file_that_was_written_the_lines_are_counted_and_each_step_is_shown(site: Path) -> None:
    unit = ["[Unit]", "Description=x", "[Service]"]
    changes = [
        Change("/etc/x.service", None, unit),
        Change(STEPS, None, ["wrote /etc/x.service", "started x"]),
    ]
    log_of(site).record("install", changes)
    assert run(site, "audit").stdout.splitlines()[1:] == [
        "    /etc/x.service: - → 3 lines",
        "    wrote /etc/x.service",
        "    started x",
    ]


def test_only_the_newest_are_listed_and_the_torn_are_counted(site: Path) -> None:
    log = log_of(site)
    for number in range(5):
        log.record(f"change-{number}", differences({}, {"x": number}))
    with log.paths[-1].open("a") as file:
        file.write('{"at": "20')
    shown = run(site, "audit", "--last", "2").stdout
    assert "change-2" not in shown
    assert "change-3" in shown
    assert "change-4" in shown
    assert "3 older ones: serial-bridge audit --last 5" in shown
    assert "1 line is no whole entry" in shown


def test_text_in_the_log_steers_no_terminal(site: Path) -> None:
    log_of(site).record("x\x1b[2J", differences({}, {"site.toml: a\nb": "\x1b]0;title\a"}))
    assert "\x1b" not in run(site, "audit").stdout
    assert "\x1b" not in run(site, "audit", "--json").stdout


def test_the_values_of_a_file_are_found_by_place_and_sensors_by_name(site: Path) -> None:
    before = toml_values(site)
    assert before["site.toml: bus.meters.sensor[soil].address"] == 1
    site.write_text(SITE.replace("address = 1", "address = 7"))
    (change,) = differences(before, toml_values(site))
    assert (change.what, change.before, change.after) == ("site.toml: bus.meters.sensor[soil].address", 1, 7)
    assert toml_values(site.with_name("none.toml")) == {}


def test_a_site_file_with_mistakes_or_none_still_has_a_log(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    assert log_of(site).paths[-1] == tmp_path / "audit.jsonl"
    site.write_text("this is [[no toml")
    assert log_of(site).paths[-1] == tmp_path / "audit.jsonl"
    site.write_text('[spool]\npath = "d/x.db"\nsize = 3\n[clock]\ntrust = "system"\n')
    assert log_of(site).paths[0] == tmp_path / "d" / "audit.jsonl"
    assert log_of(site).trust == "system"


@pytest.mark.parametrize("place", ["/etc/cron.d/x.db", "/var/lib/x.db", "link/x.db"])
def test_a_site_file_does_not_lead_the_log_into_a_folder_of_the_system(tmp_path: Path, place: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    site = tmp_path / "site.toml"
    site.write_text(f'[spool]\npath = "{place}"\n')
    assert log_of(site).paths == (tmp_path / "audit.jsonl",)
