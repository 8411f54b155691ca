"""credentials.toml after an edit: nothing else in it has changed, and there was a whole file all the time."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from bridge.commands.provision.credentials_edit import alone, store
from bridge.errors import AlreadyRunning, ConfigError

FILE = """\
# the barn
[sensors]
# by hand
roof = "R"   # since May
# cold-room is not wired yet

# from the profile's page
[provisioning]
device_key = "k"
device_secret = 's'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials.toml"
    path.touch(mode=0o600)
    path.write_text(FILE)
    return path


def test_a_pending_token_is_a_table_of_its_own_behind_the_rest(file: Path) -> None:
    store(file, {}, {"soil": "S"})
    kept, pending = file.read_text().split("[pending]")
    assert kept == FILE + "\n"
    assert pending.endswith('\nsoil = "S"\n')


def test_a_confirmed_token_stands_below_the_others_and_every_comment_where_it_was(file: Path) -> None:
    store(file, {}, {"soil": "S"})
    store(file, {"soil": "S"}, {})
    expected = FILE.replace("not wired yet\n", 'not wired yet\nsoil = "S"\n')
    assert file.read_text().rstrip("\n") == expected.rstrip("\n")


LAYOUTS = [
    "",
    "# nothing yet",
    "[sensors]",
    '[sensors]\nroof="R"',
    '[sensors]\r\nroof="R" # c\r\n\r\n# next\r\n[provisioning]\r\ndevice_key="k"\r\n',
    "[sensors]\n# none yet\n\n[provisioning]\nk='1'",
    'sensors = { roof = "R" }\n',
    "sensors = {}",
    'sensors.roof = "R"\n',
    'provisioning.device_key = "k"\n# x\n[sensors]\n# y\n',
    '[sensors.barn]\ncertificate = "a"\nkey = "b"\n[provisioning]\ndevice_key = "k"\n',
    '[sensors]\n"ü ü" = "U"\n[pending]\nold = "O" # mine\nsoil = "S"\n\n# x\n[provisioning]\nkey = 1\n',
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_any_layout_keeps_its_tables_and_its_comments(text: str, file: Path) -> None:
    file.write_bytes(text.encode())
    before = tomllib.loads(text)
    store(file, {}, {"soil": "S", "a b": "T"})
    store(file, {"soil": "S"}, {"a b": "T"})
    store(file, {"a b": "T"}, {})
    after = tomllib.loads(file.read_text())
    assert after.get("sensors") == before.get("sensors", {}) | {"soil": "S", "a b": "T"}
    assert after.get("provisioning") == before.get("provisioning")
    assert not after.get("pending")
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line and "mine" not in line]
    assert [comment for comment in comments if comment not in file.read_text()] == []


def test_the_file_is_private_and_keeps_its_owner(file: Path) -> None:
    if os.geteuid() == 0:
        os.chown(file, 1234, 5678)
    owner = file.stat()
    store(file, {"soil": "S"}, {})
    found = file.stat()
    assert found.st_mode & 0o777 == 0o600
    assert (found.st_uid, found.st_gid) == (owner.st_uid, owner.st_gid)
    assert found.st_ino != owner.st_ino
    assert list(file.parent.iterdir()) == [file]


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    store(link, {"soil": "S"}, {})
    assert link.is_symlink()
    assert 'soil = "S"' in file.read_text()


def test_nothing_to_change_writes_nothing(file: Path) -> None:
    before = file.stat()
    store(file, {}, {})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_cannot_be_replaced_is_said_with_the_way_out(file: Path) -> None:
    file.unlink()
    with pytest.raises(ConfigError, match=r"No such file or directory.*with sudo"):
        store(file, {"soil": "S"}, {})


def test_two_do_not_edit_at_once(file: Path) -> None:
    with alone(file), pytest.raises(AlreadyRunning), alone(file):
        pass
    with alone(file):
        pass


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its folder cannot be opened"), alone(tmp_path / "no" / "file"):
        pass
