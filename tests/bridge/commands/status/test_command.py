"""What `status` says when nobody runs, and that it tells a process that is gone from one that lives."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from bridge.causes import Cause, diagnosis
from bridge.clock import MISSING, Instant, kernel_clock
from bridge.commands.check.summary import summary, text
from bridge.commands.doctor import sensors
from bridge.commands.doctor.finding import Machine, Severity
from bridge.commands.status.printing import show, show_sensor
from bridge.commands.status.screen import screen
from bridge.commands.status.snapshot import collect
from bridge.config import Credentials, Site, load_site
from bridge.release import VERSION
from bridge.spool import Reading, Spool
from bridge.status.runtime import Runtime
from tests.bridge.config.conftest import SITES
from tests.support.screens import troubled_site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return the example site, its spool in the test's folder; no process of it ever ran."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    text = (SITES / "example.toml").read_text()
    spool = f'path = "{tmp_path}/spool.db"'
    (tmp_path / "site.toml").write_text(
        "\n".join(spool if line.startswith("path =") else line for line in text.splitlines())
    )
    return load_site(tmp_path / "site.toml")


def test_before_anything_ran_all_is_zero_and_not_running(site: Site) -> None:
    found = collect(site)
    assert set(found["ledger"].values()) == {0}
    assert {row["state"] for row in found["sensors"].values()} == {"not running"}
    assert found["uplink"] == {"state": "not running", "running": False}
    rows = screen(found, {}, 80, 24).plain.splitlines()
    assert rows[-1] == "next: sudo serial-bridge install; if that was done: sudo serial-bridge doctor"
    assert all(row == row.rstrip() for row in rows)


def test_a_bus_that_runs_is_told_as_it_says(site: Site) -> None:
    told = {"state": "ready", "error": None, "sensors": {"soil": {"state": "ok", "timeouts": 3}}}
    Runtime(site.spool.path).publish("bus-meters", told)
    found = collect(site)
    assert found["buses"]["meters"]["state"] == "ready"
    assert (found["sensors"]["soil"]["state"], found["sensors"]["soil"]["timeouts"]) == ("ok", 3)


def test_what_is_wrong_and_what_was_learned_is_said_alike_by_status_doctor_and_check(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = str(diagnosis(Cause.SILENT))
    lesson = (
        "answers slowly, after 2.0 s at the slowest: waited for up to 3.0 s, where reply_timeout says 0.5 s"
    )
    row = {"state": "silent", "trouble": silent, "lessons": [lesson], "learned": {"is_slow": False}}
    slow = {"state": "ok", "trouble": "answers slowly: …", "learned": {"is_slow": True}}
    first, second, *_ = [sensor.name for sensor in site.buses["meters"].sensors]
    sensors_said = {first: row, second: slow}
    Runtime(site.spool.path).publish("bus-meters", {"state": "ready", "error": None, "sensors": sensors_said})
    show(site)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(first))
    assert row.endswith(str(silent))
    (finding,) = sensors.check(site, Machine())
    assert (finding.severity, finding.sentence) == (Severity.FAULT, f"{first} {silent}")
    document = summary(site, Credentials({}))
    assert document["buses"]["meters"]["sensors"][first]["lessons"] == [lesson]
    assert f"    learned: {lesson}" in text(document, plan=True).splitlines()
    assert lesson not in text(document)


def test_a_process_that_is_gone_has_no_state(site: Site, tmp_path: Path) -> None:
    runtime = Runtime(site.spool.path)
    runtime.publish("bus-meters", {"state": "ready", "sensors": {"soil": {"state": "ok", "last_ts": 5}}})
    (document,) = (tmp_path / "run").rglob("*.json")
    with subprocess.Popen(["true"]) as gone:
        pass
    document.write_text(json.dumps(json.loads(document.read_text()) | {"pid": gone.pid}))
    found = collect(site)
    assert found["buses"]["meters"]["state"] == "not running"
    assert (found["sensors"]["soil"]["state"], found["sensors"]["soil"]["last_ts"]) == ("not running", 5)


def test_the_version_is_told(site: Site) -> None:
    assert collect(site)["version"] == VERSION


def test_it_fits_eighty_columns(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = {"state": "ok", "last_ts": 1, "last_values": {"temperature": 21.5}, "timeouts": 2}
    Runtime(site.spool.path).publish(
        "bus-meters", {"state": "ready", "sensors": {"soil": told}, "pid": os.getpid()}
    )
    show(site)
    shown = capsys.readouterr().out
    assert "temperature 21.5 °C" in shown
    assert "ledger: read 0 = delivered 0" in shown


def test_who_is_slowed_is_said_with_how_much_and_since_when(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "400")
    time.tzset()
    slowed = {"values_per_s": 8, "since": 1_800_000_000_000, "reason": "5.00 from the server"}
    Runtime(site.spool.path).publish("uplink", {"state": "up", "holds": {}, "slowed": {"soil": slowed}})
    assert collect(site)["uplink"]["slowed"] == {"soil": slowed}
    show(site)
    assert "soil slowed to 8 values/s since 08:00: 5.00 from the server" in capsys.readouterr().out


def test_values_that_the_server_could_not_store_are_said(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    told = {"state": "ok", "last_ts": 1, "last_values": {"x": 1}, "unstorable": 3}
    Runtime(site.spool.path).publish("bus-meters", {"state": "ready", "sensors": {"soil": told}})
    show(site)
    assert "soil: 3 values left out that ThingsBoard cannot store as numbers" in capsys.readouterr().out


def test_a_clock_nobody_vouches_for_is_said_with_what_is_missing(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(kernel_clock, "is_synchronized", lambda: False)
    monkeypatch.setattr(kernel_clock, "has_set_clock_at_boot", lambda: False)
    monkeypatch.setattr(kernel_clock, "boottime_ns", lambda: 700 * 1_000_000_000)
    assert collect(site)["clock"]["source"] is None
    show(site)
    shown = capsys.readouterr().out
    assert "clock: waiting for the time: the system clock shows" in shown
    assert MISSING in shown


def test_readings_whose_time_was_estimated_are_said(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Spool.open(site.spool.path)) as spool:
        spool.add([Reading("soil", Instant("lost", n * 1_000_000_000), None, b'{"x":1}', 1) for n in (1, 61)])
        spool.date("found", 1_800_000_000_001_000_000)
    assert collect(site)["clock"]["placed"] == {
        "readings": 2,
        "from_ms": 1_799_999_940_000,
        "to_ms": 1_800_000_000_000,
    }
    show(site)
    assert "between 2027-01-15 07:59:00 UTC" in " ".join(capsys.readouterr().out.split())


def test_all_of_one_sensor_is_said(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"state": "ok", "last_ts": 1, "last_values": {"temperature": 21.5}, "timeouts": 2, "requests": 9}
    told["history"] = [{"state": "never", "since": 1}, {"state": "ok", "since": 2}]
    Runtime(site.spool.path).publish("bus-meters", {"state": "ready", "sensors": {"soil": told}})
    show_sensor(site, "soil")
    shown = capsys.readouterr().out
    assert "temperature  21.5 °C" in shown
    assert "2 timeouts" in shown
    assert "states: never since 1970" in shown
    assert "ledger: read 0 = delivered 0" in shown
    assert shown.splitlines()[-1] == f'next: serial-bridge try "soil" -v --site {site.path}'
    show(site)
    next_step = " ".join(capsys.readouterr().out.partition("next: ")[2].split())
    assert f"install --site {site.path}" in next_step or next_step.endswith(f"--site {site.path}")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 20), (200, 50)])
def test_the_screen_fits_and_shows_those_in_trouble_first(width: int, height: int) -> None:
    lines = screen(troubled_site(), {}, width, height).plain.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for part in ("30 sensors:", "bus roof: lost", "disk full, 1200", "uplink: backing off"):
        assert part in text
    order = [line.split()[0] for line in lines if line.startswith(("meter-", "roof-"))]
    first = ["meter-07", "roof-27", "roof-28", "roof-29", "roof-30", "meter-12"]
    assert order[:6] == first[: len(order)]
    assert len(order) >= 5
    more = [line for line in lines if line.startswith("+")]
    assert more == {24: ["+17 more, all ok"], 20: ["+25 more: 1 slow, 24 ok"], 50: []}[height]
    if width == 40:
        assert "plug in the adapter" in " ".join(lines), "the next step is folded, not cropped"


def test_a_gateway_that_cannot_report_is_said_with_the_reason() -> None:
    document = troubled_site()
    document["gateway"] = {"device": "gate", "last_success": None, "trouble": "it has no credential"}
    assert "gateway gate reports nothing: it has no credential" in screen(document, {}, 200, 50).plain
    document["gateway"]["trouble"] = None
    assert "gateway gate" not in screen(document, {}, 200, 50).plain


def test_the_screen_of_a_pipe_has_every_sensor_uncropped_and_no_colours(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = screen(troubled_site(), {}, 10_000, None).plain
    assert sum(line.startswith(("meter-", "roof-")) for line in shown.splitlines()) == 30
    assert "does not answer: check its power, then A and B" in shown
    show(site)
    assert "\x1b" not in capsys.readouterr().out


def test_a_sensor_whose_adapter_is_gone_is_not_called_ok(site: Site) -> None:
    told = {"state": "lost", "error": "the adapter is not there", "sensors": {"soil": {"state": "ok"}}}
    Runtime(site.spool.path).publish("bus-meters", told)
    assert collect(site)["sensors"]["soil"]["state"] == "no port"


def test_an_edit_is_not_in_force_until_the_process_runs_it(site: Site) -> None:
    runtime = Runtime(site.spool.path)
    started = time.time_ns() // 1_000_000 - 10_000
    mark = {"fingerprint": site.fingerprints["bus-meters"], "started": started}
    runtime.publish("bus-meters", {"state": "ready", "sensors": {}, **mark})
    assert collect(site)["not_in_force"] == []
    site.path.write_text(site.path.read_text().replace("9600 8N1", "19200 8N1"))
    edited = load_site(site.path)
    (sentence,) = collect(edited)["not_in_force"]
    assert sentence.startswith(f"site.toml was edited at {time.strftime('%H:%M')} and is not in force")
    assert "sudo serial-bridge install" in sentence
    mark = {"fingerprint": edited.fingerprints["bus-meters"], "started": started + 10_000}
    runtime.publish("bus-meters", {"state": "ready", "sensors": {}, **mark})
    assert collect(edited)["not_in_force"] == []
