"""`web revoke` on the command line: what ended is said and recorded, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bridge.commands.terminal.app import app
from bridge.commands.web.access import name_of
from bridge.commands.web.store import AccessStore, now_s
from tests.support.site import site_head


class Paired:
    """A site with two browsers that are paired."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site.toml"
        self.site.write_text(site_head(adapter="/dev/null", spool="spool.db"))
        self.store = AccessStore(folder / "spool.db")
        for cookie in ("one", "two"):
            self.store.change(lambda access: access.offer("12345678", now_s()))
            assert self.store.change(
                lambda access, cookie=cookie: access.pair("12345678", cookie, "", now_s())  # type: ignore[misc]
            )
        self.names = [name_of(key) for key in self.store.read().sessions]

    def revoke(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["web", "revoke", *arguments, "--site", str(self.site)])

    def recorded(self) -> list[dict[str, Any]]:
        log = self.folder / "audit.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [change for line in lines for change in json.loads(line)["changes"]]


@pytest.fixture
def paired(tmp_path: Path) -> Paired:
    return Paired(tmp_path)


def test_a_session_that_nobody_has_is_refused_and_not_recorded(paired: Paired) -> None:
    done = paired.revoke("5")
    assert done.exit_code == 1
    step = f"sudo serial-bridge web sessions --site {paired.site}"
    assert done.stderr == f"no session is named 5; to list them: {step}\n"
    assert paired.recorded() == []
    assert len(paired.store.read().sessions) == 2


def test_each_session_that_ended_is_recorded_by_its_name(paired: Paired) -> None:
    first, second = paired.names
    assert paired.revoke(first).stdout == "1 session ended\n"
    assert paired.revoke().stdout == "1 session ended\n"
    assert paired.revoke().stdout == "0 sessions ended\n"
    assert paired.recorded() == [
        {"what": f"web: session {name}", "before": "paired", "after": None} for name in (first, second)
    ]
