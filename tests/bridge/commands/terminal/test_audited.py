"""Which changes of site.toml reach the audit log, also where a command is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from bridge.commands.terminal.audited import log_of, recorded_edit
from bridge.commands.terminal.unfinished import NAME

OLD, NEW, NEWER = (f"a = {number}\n[spool]\npath = 'spool.db'\n" for number in (1, 2, 3))

KILLED = """
import os, signal, sys
from pathlib import Path
from bridge.commands.terminal.audited import recorded_edit
site = Path(sys.argv[1])
with recorded_edit(site, "first"):
    if sys.argv[2]:
        site.write_text(sys.argv[2])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(site: Path, text: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(site), text], check=False, timeout=60)


def changes(site: Path) -> list[Any]:
    entries, torn = log_of(site).entries()
    assert torn == 0
    return [
        (entry["command"], change["before"], change["after"])
        for entry in entries
        for change in entry["changes"]
        if change["what"] == "site.toml: a"
    ]


def test_the_change_of_a_killed_command_is_told_before_that_of_the_next(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(OLD)
    killed(site, NEW)
    assert changes(site) == []
    with recorded_edit(site, "second"):
        site.write_text(NEWER)
    assert changes(site) == [("first", 1, 2), ("second", 2, 3)]
    assert not (tmp_path / NAME).exists()


def test_a_command_that_was_killed_before_its_change_is_not_told(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(OLD)
    killed(site, "")
    with recorded_edit(site, "second"):
        site.write_text(NEW)
    assert changes(site) == [("second", 1, 2)]


def test_a_command_that_still_runs_is_not_taken_for_a_killed_one(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(OLD)
    with recorded_edit(site, "first"):
        site.write_text(NEW)
        with recorded_edit(site, "second"):
            pass
        assert changes(site) == []
    assert changes(site) == [("first", 1, 2)]


def test_half_a_note_is_none(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(OLD)
    (tmp_path / NAME).write_text('{"command": "first", "bef')
    with recorded_edit(site, "second"):
        site.write_text(NEW)
    assert changes(site) == [("second", 1, 2)]
