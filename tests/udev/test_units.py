"""What systemd itself makes of our units."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands.install.files import READER, SYSUSERS, TMPFILES, UPLINK, WEB, WEB_SOCKET, files
from bridge.config.tables import WebSettings
from tests.support.programs import program
from tests.udev.sites import PLACES, files_of, site_of

ADAPTERS = {"meters": "serial:AB0JPQ7X"}
BOTH = pytest.mark.parametrize("path", [READER, UPLINK], ids=lambda path: path.name)


def written(folder: Path, path: Path, text: str) -> Path:
    """Return the file, as systemd-analyze takes one: by a path with a folder."""
    found = folder / path.name
    found.write_text(text)
    return found


def systemd(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of systemd's own commands."""
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@BOTH
def test_systemd_understands_every_line(tmp_path: Path, path: Path) -> None:
    unit = written(tmp_path, path, files_of(ADAPTERS)[path])
    checked = systemd("systemd-analyze", "verify", unit)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_line_that_systemd_does_not_understand_is_seen_here(tmp_path: Path) -> None:
    text = files_of(ADAPTERS)[READER].replace("PrivateNetwork=", "PrivateNetworks=")
    assert "PrivateNetworks" in systemd("systemd-analyze", "verify", written(tmp_path, READER, text)).stderr


@pytest.mark.parametrize(("path", "exposure"), [(READER, 0.8), (UPLINK, 1.4)])
def test_a_service_can_do_little_but_its_work(tmp_path: Path, path: Path, exposure: float) -> None:
    unit = written(tmp_path, path, files_of(ADAPTERS)[path])
    threshold = f"--threshold={10 * exposure:.0f}"
    rated = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", threshold, unit)
    assert rated.returncode == 0, rated.stdout


@BOTH
def test_a_service_that_is_aborted_or_grows_harms_nobody(path: Path) -> None:
    lines = files_of(ADAPTERS)[path].splitlines()
    limits = dict(line.split("=") for line in lines if re.match("Limit|Memory|Tasks", line))
    deny_execution = limits.pop("MemoryDenyWriteExecute")
    assert deny_execution == "yes"
    assert limits == {"LimitCORE": "0", "MemoryMax": "192M", "TasksMax": "64"}
    for name in limits:
        above = lines[: lines.index(f"{name}={limits[name]}")]
        assert any(line.startswith("#") for line in above[-3:]), f"{name}= has no reason beside it"


def test_a_reader_is_given_no_credential_and_the_uplink_all() -> None:
    handed_over = {
        name: Path("/etc/serial-bridge") / name for name in ("credentials.toml", "soil.pem", "soil.key")
    }
    found = files_of(ADAPTERS, replace(PLACES, handed_over=handed_over))
    assert "Credential" not in found[READER]
    assert "InaccessiblePaths=-/run/credentials" in found[READER]
    loaded = [line for line in found[UPLINK].splitlines() if line.startswith("LoadCredential=")]
    assert loaded == [f"LoadCredential={name}:{path}" for name, path in handed_over.items()]


def test_user_and_folders_are_made_and_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    found = files_of(ADAPTERS, replace(PLACES, spool=Path("/srv/readings")))
    for path in (SYSUSERS, TMPFILES):
        (tmp_path / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.relative_to("/")).write_text(found[path])
    made = systemd("systemd-sysusers", f"--root={tmp_path}")
    assert made.returncode == 0, made.stderr
    assert "serial-bridge:x:" in (tmp_path / "etc/passwd").read_text()
    (tmp_path / "srv/readings").mkdir(parents=True, mode=0o711)
    made = systemd("systemd-tmpfiles", "--create", f"--root={tmp_path}")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "srv/readings").stat().st_mode & 0o777 == 0o711
    runtime = (tmp_path / "run/serial-bridge").stat()
    assert (runtime.st_mode & 0o777, runtime.st_uid != 0) == (0o755, True)


def page_files(listen: str) -> dict[Path, str]:
    """Return what is written for a site with the page for the phone."""
    site = replace(site_of(ADAPTERS), web=WebSettings(listen=listen, port=8471))
    return {file.path: file.text for file in files(site, PLACES)}


def test_without_a_word_in_the_site_there_is_no_page() -> None:
    assert {WEB, WEB_SOCKET}.isdisjoint(files_of(ADAPTERS))


@pytest.mark.parametrize(("listen", "address"), [("local", "127.0.0.1:8471"), ("lan", "8471")])
def test_systemd_listens_for_the_page_where_the_site_says(tmp_path: Path, listen: str, address: str) -> None:
    written_files = page_files(listen)
    assert f"ListenStream={address}\n" in written_files[WEB_SOCKET]
    units = [written(tmp_path, path, written_files[path]) for path in (WEB, WEB_SOCKET)]
    checked = systemd("systemd-analyze", "verify", *units)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_page_can_do_little_but_be_looked_at(tmp_path: Path) -> None:
    unit = written(tmp_path, WEB, page_files("lan")[WEB])
    rated = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=10", unit)
    assert rated.returncode == 0, rated.stdout
    lines = unit.read_text().splitlines()
    assert {"PrivateNetwork=yes", "DevicePolicy=closed", "InaccessiblePaths=-/run/credentials"} <= set(lines)
    assert not any("DeviceAllow" in line or "Credential=" in line for line in lines)
