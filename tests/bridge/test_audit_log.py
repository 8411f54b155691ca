"""The audit log: what a line says, and that no crash, neighbour or full disk costs the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge import audit_log
from bridge.audit_log import AuditLog, Change, person

CHANGE = Change("site.toml: bus.meters.adapter", "serial:OLD", "serial:NEW")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    (tmp_path / "spool").mkdir()
    return AuditLog(tmp_path / "site.toml", tmp_path / "spool" / "spool.db", "system")


def test_a_line_says_who_did_what_and_when_with_the_values_before_and_after(log: AuditLog) -> None:
    assert log.record("enroll meters", [CHANGE]) is None
    (line,) = (log.spool.parent / "audit.jsonl").read_text().splitlines()
    assert (log.spool.parent / "audit.jsonl").stat().st_mode & 0o777 == 0o660
    entry = json.loads(line)
    assert datetime.now(UTC) - datetime.fromisoformat(entry["at"]) < timedelta(minutes=1)
    assert (entry["user"], entry["uid"], entry["command"]) == (person(), os.geteuid(), "enroll meters")
    assert entry["clock_trusted"] is True
    assert entry["changes"] == [
        {"what": "site.toml: bus.meters.adapter", "before": "serial:OLD", "after": "serial:NEW"}
    ]


def test_a_clock_that_nothing_vouches_for_is_marked(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.clock.kernel_clock.is_synchronized", lambda: False)
    monkeypatch.setattr("bridge.clock.kernel_clock.has_set_clock_at_boot", lambda: False)
    AuditLog(log.site, log.spool, "auto").record("install", [CHANGE])
    assert [entry["clock_trusted"] for entry in log.entries()[0]] == [False]


def test_a_torn_last_line_hides_no_other(log: AuditLog) -> None:
    log.record("first", [CHANGE])
    path = log.paths[0]
    torn = path.read_bytes() + path.read_bytes()[:-30]
    path.write_bytes(torn)
    log.record("second", [CHANGE])
    entries, torn_lines = log.entries()
    assert [entry["command"] for entry in entries] == ["first", "second"]
    assert torn_lines == 1
    assert path.read_bytes().startswith(torn), "what was written once stays as it is"


@pytest.mark.parametrize("line", [b"[1]", b'"x"', b"\xff\xfe", b'{"at": 1}', b"[" * 100_000, b"{}"])
def test_a_line_of_something_else_is_counted_and_hides_no_other(log: AuditLog, line: bytes) -> None:
    log.record("first", [CHANGE])
    with log.paths[0].open("ab") as file:
        file.write(line + b"\n")
    log.record("second", [CHANGE])
    entries, torn_lines = log.entries()
    assert ([entry["command"] for entry in entries], torn_lines) == (["first", "second"], 1)


WRITER = """
import sys
from pathlib import Path
from bridge.audit_log import AuditLog, Change
log = AuditLog(Path(sys.argv[1], "site.toml"), Path(sys.argv[1], "spool.db"), "system")
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    assert log.record(f"{sys.argv[2]} {number}", [Change("x" * 5000, None, number)]) is None
    print(number, flush=True)
"""


def _writer(folder: Path, name: str, lines: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_lines_of_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, name, 20) for name in "abc"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)
    entries, torn = AuditLog(tmp_path / "site.toml", tmp_path / "spool.db").entries()
    commands = [entry["command"] for entry in entries]
    assert (sorted(commands), torn) == (sorted(f"{name} {n}" for name in "abc" for n in range(20)), 0)
    for name in "abc":
        own = [command for command in commands if command.startswith(name)]
        assert own == [f"{name} {n}" for n in range(20)]


def test_a_writer_that_is_killed_costs_no_line_that_it_reported(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "site.toml", tmp_path / "spool.db", "system")
    reported = 0
    for number in range(3):
        writer = _writer(tmp_path, f"w{number}", 10_000)
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.stdin.write("go\n")
        writer.stdin.flush()
        for _ in range(10):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate(timeout=60)
        reported += 10 + len(rest.splitlines())
        assert log.record(f"after {number}", [CHANGE]) is None
    entries, _ = log.entries()
    assert sum(entry["command"].startswith("w") for entry in entries) >= reported
    assert [entry["command"] for entry in entries if entry["command"][0] == "a"] == [
        "after 0",
        "after 1",
        "after 2",
    ]


def test_until_the_spool_has_a_folder_lines_lie_beside_the_site_file(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "site.toml", tmp_path / "later" / "spool.db", "system")
    assert log.record("enroll", [CHANGE]) is None
    assert not (tmp_path / "later").exists(), "that folder is for `install` to make, with its owner"
    (tmp_path / "later").mkdir()
    assert log.record("install", [CHANGE]) is None
    assert (tmp_path / "later" / "audit.jsonl").exists()
    assert [entry["command"] for entry in log.entries()[0]] == ["enroll", "install"]


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "gone" / "site.toml", tmp_path / "gone too" / "spool.db", "system")
    sentence = log.record("enroll", [CHANGE])
    assert sentence is not None
    assert str(tmp_path / "gone" / "audit.jsonl") in sentence
    assert "sudo" in sentence
    assert log.entries() == ([], 0)


@pytest.mark.parametrize("kind", ["link", "pipe", "second name"])
def test_a_log_is_never_written_through_another_file(log: AuditLog, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    match kind:
        case "link":
            log.paths[0].symlink_to(other)
        case "pipe":
            os.mkfifo(log.paths[0])
        case _:
            log.paths[0].hardlink_to(other)
    assert log.record("enroll", [CHANGE]) is None
    assert other.read_text() == "mine"
    assert "enroll" in log.paths[1].read_text()


def test_a_disk_that_fills_within_a_line_leaves_nothing_of_it(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.record("first", [CHANGE])
    before = log.paths[0].read_bytes()
    real_write = os.write
    room = [40]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        count, room[0] = real_write(descriptor, data[: room[0]]), 0
        return count

    monkeypatch.setattr(audit_log.os, "write", write)
    assert "No space left on device" in (log.record("second", [CHANGE]) or "")
    assert log.paths[0].read_bytes() == before


def test_whoever_called_sudo_is_named_and_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "_LOGIN", Path("/nowhere"))
    monkeypatch.setattr(audit_log.os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "anna")
    assert person() == "anna"
    monkeypatch.setattr(audit_log.os, "geteuid", lambda: 1000)
    assert person() != "anna", "who is not root can say what they like"
