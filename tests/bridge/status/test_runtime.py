"""Status documents."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bridge.clock import kernel_clock
from bridge.status import runtime as runtime_module
from bridge.status.runtime import CLOCK, Runtime


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a service would publish; nothing of the machine's own is looked at."""
    directory = tmp_path / "run"
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(directory))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(runtime_module, "SERVICE_DIRECTORY", tmp_path / "service")
    return directory


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


def only_file(directory: Path) -> Path:
    (file,) = [path for path in directory.rglob("*") if path.is_file()]
    return file


def test_what_is_published_can_be_read(spool: Path) -> None:
    Runtime(spool).publish("uplink", {"state": "delivering"})
    Runtime(spool).publish("bus-meters", {"state": "reading"})
    found = Runtime(spool).read_all()
    assert set(found) == {"uplink", "bus-meters"}
    document = found["uplink"]
    assert document["state"] == "delivering"
    assert document["pid"] == os.getpid()
    assert document["running"] is True
    assert isinstance(document["updated"], int)


def test_a_document_replaces_the_one_before(spool: Path, directory: Path) -> None:
    runtime = Runtime(spool)
    for number in range(3):
        runtime.publish("uplink", {"number": number})
    assert runtime.read_all()["uplink"]["number"] == 2
    assert stat.S_IMODE(only_file(directory).stat().st_mode) == 0o644


def test_everybody_may_read_a_status_whatever_the_umask(spool: Path, directory: Path) -> None:
    directory.mkdir()  # by systemd
    before = os.umask(0o077)
    try:
        Runtime(spool).publish("uplink", {})
    finally:
        os.umask(before)
    (folder,) = directory.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_spools_do_not_mix(tmp_path: Path) -> None:
    Runtime(tmp_path / "a" / "spool.db").publish("uplink", {})
    assert Runtime(tmp_path / "b" / "spool.db").read_all() == {}


def test_nothing_published_is_nothing_found(spool: Path) -> None:
    assert Runtime(spool).read_all() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x", "updated": 1}', "\xff"])
def test_what_is_no_document_is_left_out(spool: Path, directory: Path, content: str) -> None:
    runtime = Runtime(spool)
    runtime.publish("uplink", {})
    only_file(directory).write_bytes(content.encode("latin-1"))
    assert runtime.read_all() == {}


def test_the_document_of_a_dead_process_says_so(spool: Path, directory: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    runtime = Runtime(spool)
    runtime.publish("uplink", {})
    file = only_file(directory)
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": dead.pid}))
    assert runtime.read_all()["uplink"]["running"] is False


def test_a_shell_finds_what_a_service_publishes(
    spool: Path, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "SERVICE_DIRECTORY", directory)
    Runtime(spool).publish("uplink", {"by": "the service"})
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "user"))
    assert Runtime(spool).read_all()["uplink"]["by"] == "the service"


def test_the_newest_of_two_documents_counts(
    spool: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "SERVICE_DIRECTORY", directory)
    Runtime(spool).publish("uplink", {"by": "the service"})
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    by_hand = Runtime(spool)
    by_hand.publish("uplink", {"by": "hand"})
    assert by_hand.read_all()["uplink"]["by"] == "hand"


def test_a_directory_that_cannot_be_written_is_said_once_and_stops_nothing(
    spool: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("a file where the directory should be")
    runtime = Runtime(spool)
    runtime.publish("uplink", {})
    runtime.publish("uplink", {})
    assert caplog.text.count("no status of uplink") == 1
    directory.unlink()
    runtime.publish("uplink", {})
    assert "uplink" in runtime.read_all()


STRANGER = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def forge(folder: Path, owner: int) -> Path:
    """A document of a stranger's, about a process that lives."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    document = folder / "uplink.json"
    document.write_text(json.dumps({"pid": os.getpid(), "updated": 2**60, "state": "forged"}))
    document.chmod(0o644)
    os.chown(document, owner, owner)
    return document


def published_folder(directory: Path) -> Path:
    return only_file(directory).parent


@only_root
@pytest.mark.parametrize("strange", ["root", "folder", "document"])
def test_what_a_stranger_prepared_is_not_believed(strange: str, spool: Path, directory: Path) -> None:
    Runtime(spool).publish("bus-meters", {"state": "ready"})
    folder = published_folder(directory)
    document = forge(folder, STRANGER if strange == "document" else 0)
    if strange != "document":
        os.chown(directory if strange == "root" else folder, STRANGER, STRANGER)
    assert "uplink" not in Runtime(spool).read_all()
    os.chown(spool.parent, STRANGER, STRANGER)
    spool.touch()
    os.chown(spool, STRANGER, STRANGER)
    assert Runtime(spool).read_all()["uplink"]["state"] == "forged", "the owner of the spool is believed"
    assert document.exists()


@only_root
def test_the_time_is_not_taken_from_a_stranger(spool: Path, directory: Path) -> None:
    Runtime(spool).publish("uplink", {})
    folder = published_folder(directory)
    told = folder / "clock.json"
    boot = kernel_clock.boot_id()
    document = {"pid": 1, "updated": 2**60, "boot_id": boot, "offset_ns": 10**18, "source": "a stranger"}
    told.write_text(json.dumps(document))
    os.chown(told, STRANGER, STRANGER)
    assert CLOCK not in Runtime(spool).read_all()


@only_root
@pytest.mark.parametrize("strange", ["root", "folder"])
def test_nothing_is_published_in_a_folder_of_a_stranger(
    strange: str, spool: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Runtime(spool).publish("uplink", {"number": 1})
    file = only_file(directory)
    os.chown(directory if strange == "root" else file.parent, STRANGER, STRANGER)
    Runtime(spool).publish("uplink", {"number": 2})
    assert json.loads(file.read_text())["number"] == 1
    assert "is of another user" in caplog.text


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
@pytest.mark.parametrize("place", ["root", "folder"])
def test_a_folder_that_others_may_write_is_not_used(
    place: str, mode: int, spool: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Runtime(spool).publish("uplink", {})
    folder = published_folder(directory)
    (directory if place == "root" else folder).chmod(mode)
    assert Runtime(spool).read_all() == {}
    Runtime(spool).publish("uplink", {})
    assert "others may write it" in caplog.text


@pytest.mark.parametrize("place", ["root", "folder"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(
    place: str, spool: Path, directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Runtime(spool).publish("uplink", {"number": 1})
    link = directory if place == "root" else published_folder(directory)
    elsewhere = tmp_path / "elsewhere"
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    assert Runtime(spool).read_all() == {}
    Runtime(spool).publish("uplink", {"number": 2})
    assert json.loads(only_file(elsewhere).read_text())["number"] == 1
    assert "no status of uplink" in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "link", "second name", "folder", "device", "huge", "nested"])
def test_only_a_regular_file_of_bounded_size_is_read(
    kind: str, spool: Path, directory: Path, tmp_path: Path
) -> None:
    runtime = Runtime(spool)
    runtime.publish("uplink", {})
    document = only_file(directory)
    elsewhere = tmp_path / "elsewhere.json"
    document.rename(elsewhere)
    match kind:
        case "pipe":
            os.mkfifo(document)
        case "link":
            document.symlink_to(elsewhere)
        case "second name":
            os.link(elsewhere, document)
        case "folder":
            document.mkdir()
        case "device":
            document.symlink_to("/dev/zero")
        case "huge":
            with document.open("wb") as file:
                file.truncate(10**12)
        case _:
            document.write_text("[" * 100_000)
    assert runtime.read_all() == {}


def test_a_request_to_forget_is_taken_once_by_the_reader_of_the_bus(spool: Path) -> None:
    runtime = Runtime(spool)
    assert not runtime.request_forgetting("meters", "main"), "nobody reads that bus"
    runtime.publish("bus-meters", {"state": "ready"})
    assert runtime.request_forgetting("meters", "main")
    assert runtime.take_request("other") is None
    assert runtime.take_request("meters") == "main"
    assert runtime.take_request("meters") is None


def test_a_request_to_forget_is_no_document_and_no_link_is_followed(spool: Path, directory: Path) -> None:
    runtime = Runtime(spool)
    runtime.publish("bus-meters", {"state": "ready"})
    assert runtime.request_forgetting("meters", "main")
    assert set(runtime.read_all()) == {"bus-meters"}
    (request,) = directory.rglob("*.forget")
    request.rename(directory / "elsewhere")
    request.symlink_to(directory / "elsewhere")
    assert runtime.take_request("meters") is None
