"""What `status` says when nobody runs, and that it tells a process that is gone from one that lives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bridge.commissioning.status import collect, show
from bridge.config import Site, load_site
from bridge.runtime import Runtime
from tests.bridge.config.conftest import SITES


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The example site, its spool in the test's folder; no process of it ever ran."""
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


def test_a_bus_that_runs_is_told_as_it_says(site: Site) -> None:
    told = {"state": "ready", "error": None, "sensors": {"soil": {"state": "ok", "timeouts": 3}}}
    Runtime(site.spool.path).publish("bus-meters", told)
    found = collect(site)
    assert found["buses"]["meters"]["state"] == "ready"
    assert (found["sensors"]["soil"]["state"], found["sensors"]["soil"]["timeouts"]) == ("ok", 3)


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
    assert "temperature 21.5" in shown
    assert "soil: 2 timeouts" in shown
    assert "ledger: read 0 = delivered 0" in shown
