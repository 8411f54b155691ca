"""Where a spool may be: `check`, `install`, the services and the spool itself say the same."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bridge.commands.install.files import files
from bridge.commands.terminal.app import main
from bridge.config import load_site
from bridge.errors import ConfigError
from bridge.spool import Spool, SpoolUnavailable
from bridge.spool_file import occupied
from tests.udev.sites import PLACES, site_of

SITE = 'site = "s"\n[thingsboard]\nurl = "coap://127.0.0.1:9"\n[spool]\npath = "{path}"\n[bus.meters]\n'
BUS = 'adapter = "/dev/ttyS77"\nprotocol = "modbus-rtu"\nline = "9600 8N1"\n'


def mistakes(folder: Path, path: object) -> list[str]:
    file = folder / "site.toml"
    file.write_text(SITE.format(path=path) + BUS)
    try:
        load_site(file)
    except ConfigError as error:
        return list(error.mistakes)
    return []


SYSTEM = [
    "/etc/x.db",
    "/etc/serial-bridge/x.db",
    "/etc/../etc/x.db",
    "//etc/x.db",
    "/usr/local/share/x.db",
    "/bin/x.db",
    "/lib/x.db",
    "/boot/firmware/x.db",
    "/dev/x.db",
    "/proc/self/x.db",
    "/sys/x.db",
    "/spool.db",
    "/var/x.db",
    "/var/lib/x.db",
    "/var/log/x.db",
    "/run/x.db",
    "/home/x.db",
    "/opt/x.db",
    "/srv/x.db",
    "/mnt/x.db",
]


@pytest.mark.parametrize("path", SYSTEM)
def test_no_folder_of_the_system_is_a_spools(path: str, tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, path)
    assert mistake.startswith(f"{tmp_path}/site.toml:5: spool.path: /")
    assert "its own, as in /var/lib/serial-bridge/spool.db" in mistake or "of its own" in mistake


@pytest.mark.parametrize("path", SYSTEM)
def test_install_lets_no_service_write_there(path: str) -> None:
    from dataclasses import replace

    folder = Path(os.path.normpath(path)).parent
    folder = Path("/") / folder.relative_to(folder.anchor)
    with pytest.raises(ConfigError, match=r"\[spool\] path: .* own, as in"):
        files(site_of({"meters": "serial:AB0JPQ7X"}), replace(PLACES, spool=folder))


def test_a_relative_path_begins_at_the_site_file(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "spool.db") == []
    assert mistakes(tmp_path, "not/there/yet/spool.db") == []
    (mistake,) = mistakes(tmp_path, "../" * 20 + "etc/x.db")
    assert "/etc is the system's" in mistake


def test_a_link_to_a_folder_of_the_system_is_none_of_the_spools(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/etc")
    (tmp_path / "spool.db").symlink_to("/etc/x.db")
    for path in ("data/x.db", "spool.db"):
        assert "/etc is the system's" in mistakes(tmp_path, path)[0]


@pytest.mark.parametrize(
    "path", ["/var/lib/serial-bridge/spool.db", "/srv/bridge/spool.db", "/dev/shm/b/s.db"]
)
def test_a_folder_of_its_own_is_right(path: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, path) == []


def lay(kind: str, path: Path) -> None:
    match kind:
        case "a folder":
            path.mkdir()
        case "no regular file":
            os.mkfifo(path)
        case "no folder":
            path.parent.rmdir()
            path.parent.write_text("a file")
        case _:
            path.write_text("dear diary, " * 1000)


KINDS = ["a folder", "no regular file", "no folder", "a file of something else"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_there_and_never_was_a_spool_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "spool.db"
    path.parent.mkdir()
    lay(kind, path)
    (mistake,) = mistakes(tmp_path, path)
    assert f" is {kind}, " in mistake
    with pytest.raises(SpoolUnavailable, match=f"is {kind}, "):
        Spool.open(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", [["check"], ["run"], ["read", "meters"], ["uplink"]])
def test_a_service_says_so_in_one_sentence_and_touches_nothing(
    command: list[str],
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data" / "spool.db"
    path.parent.mkdir()
    lay(kind, path)
    mistakes(tmp_path, path)
    secrets = tmp_path / "credentials.toml"
    secrets.touch(mode=0o600)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["serial-bridge", *command, "--site", str(tmp_path / "site.toml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"spool.path: {tmp_path}/data" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_spool_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    Spool.open(path).close()
    path.write_bytes(bytes(10_000))
    assert mistakes(tmp_path, path) == []
    Spool.open(path).close()
    assert len(list(tmp_path.glob("spool.db.damaged-*"))) == 1


def test_a_file_that_is_empty_is_one_that_a_power_cut_left(tmp_path: Path) -> None:
    (tmp_path / "spool.db").touch()
    assert mistakes(tmp_path, "spool.db") == []


def test_a_spool_in_use_is_right(tmp_path: Path) -> None:
    with closing(Spool.open(tmp_path / "spool.db")):
        assert mistakes(tmp_path, "spool.db") == []


def test_a_folder_that_its_owner_may_not_write_is_told_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o555)
    (mistake,) = mistakes(tmp_path, "data/spool.db")
    assert mistake.endswith(f"cannot be written by its owner, run: chmod u+w {tmp_path}/data")


def test_to_look_at_a_spool_in_use_drops_none_of_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool.open(path, limit=1_000_000_000)
    assert occupied(path) is None
    another = "import sys; from pathlib import Path; from bridge.spool import Spool; "
    another += "Spool.open(Path(sys.argv[1]), limit=10**9).close()"
    subprocess.run([sys.executable, "-c", another, path], check=True, timeout=30)
    assert path.with_name("spool.db-wal").exists(), "the other was not the last to close it"
    spool.close()
    assert not path.with_name("spool.db-wal").exists()
