"""A spool is opened on a disk that is full or fails, and in a folder that is not there."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bridge.clock import Instant
from bridge.errors import SpoolDamaged, SpoolFull
from bridge.spool import Reading, SpoolAdmin, SpoolUnavailable, lock
from bridge.spool.database import translated
from bridge.spool.reserve import RESERVE_BYTES

START_ON_A_FULL_DISK = """
import json, logging, sys
from contextlib import closing, suppress
from pathlib import Path
from bridge.clock import Instant
from bridge.errors import SpoolFull
from bridge.spool import Reading, SpoolAdmin, lock

logging.basicConfig(stream=sys.stderr)
path = Path(sys.argv[1])
group = [Reading("meter", Instant("boot", n), n, bytes(200), 1) for n in range(500)]
with closing(SpoolAdmin.open(path)) as before:
    before.add(group)
with open(path.with_name("filler"), "wb", buffering=0) as filler, suppress(OSError):
    while filler.write(bytes(4096)):
        pass
with lock(path, "bus-meters"), lock(path, "uplink"), closing(SpoolAdmin.open(path)) as reader, \\
        closing(SpoolAdmin.open(path)) as uplink:
    rows, _ = uplink.rows(0, limit=500)
    could_add = True
    try:
        for _ in range(100):
            reader.add(group)
    except SpoolFull:
        could_add = False
    uplink.confirm(row.id for row in rows)
    path.with_name("filler").unlink()
    reader.add(group)
    uplink.confirm([])
    account = reader.ledger()["meter"]
    print(json.dumps({
        "could_add": could_add, "delivered": account.delivered, "audit": reader.audit(),
        "reserve": path.with_name("spool.db.reserve").stat().st_size,
    }))
"""
A_NEW_SPOOL_ON_A_FULL_DISK = """
import sys
from contextlib import closing, suppress
from pathlib import Path
from bridge.errors import SpoolFull
from bridge.spool import SpoolAdmin, SpoolUnavailable

path = Path(sys.argv[1])
with open(path.with_name("filler"), "wb", buffering=0) as filler, suppress(OSError):
    while filler.write(bytes(4096)):
        pass
for _ in range(2):
    try:
        SpoolAdmin.open(path)
    except (SpoolFull, SpoolUnavailable):
        continue
    raise SystemExit("a full disk was not noticed")
path.with_name("filler").unlink()
SpoolAdmin.open(path).close()
print([file.name for file in path.parent.glob("*damaged*")])
"""
MOUNT = 'mount -t tmpfs -o size=12m,mode=777 tmpfs "$1"'
FOLDER = "/mnt"  # in a namespace of its own; a folder of pytest's is closed to the service's user
SERVICE_USER = "setpriv --reuid 65534 --regid 65534 --clear-groups"


def on_a_small_disk(program: str, *, become: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program whose spool lies on a small file system that nobody else sees."""
    namespace = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "-m"]
    )
    if subprocess.run([*namespace, "sh", "-c", MOUNT, "sh", FOLDER], check=False).returncode:
        pytest.skip("this machine lets no one mount a small disk")
    shell = f'{MOUNT} && exec {become} "$2" -c "$3" "$1/spool.db"'
    return subprocess.run(
        [*namespace, "sh", "-c", shell, "sh", FOLDER, sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize("become", ["", SERVICE_USER])
def test_reader_and_uplink_start_on_a_full_disk_and_what_is_delivered_makes_room(become: str) -> None:
    if become and os.geteuid() != 0:
        pytest.skip("only root can become the service's user")
    done = on_a_small_disk(START_ON_A_FULL_DISK, become=become)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "could_add": False,
        "delivered": 500,
        "audit": [],
        "reserve": RESERVE_BYTES,
    }
    assert done.stderr.count("half of the room kept back there is given up to start") == 1


def test_a_full_disk_at_the_very_first_start_leaves_nothing_that_looks_damaged() -> None:
    done = on_a_small_disk(A_NEW_SPOOL_ON_A_FULL_DISK)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "spool.db"
    with lock(path, "uplink"), closing(SpoolAdmin.open(path)) as spool:
        spool.add([Reading("meter", Instant("boot", 1), 1, b"{}", 0)])


def test_a_folder_that_cannot_be_made_is_one_sentence_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "spool.db"
    with (
        pytest.raises(SpoolUnavailable, match=r"/file cannot be used.*: make it and give"),
        lock(path, "bus-meters"),
    ):
        pass


class TestErrorsOfTheDisk:
    """Only what says that the contents are wrong is damage: anything else is tried again."""

    @pytest.mark.parametrize(
        "name",
        [
            "SQLITE_PROTOCOL", "SQLITE_IOERR", "SQLITE_IOERR_FSYNC", "SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT",
            "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_INTERRUPT", "SQLITE_NOLFS", "SQLITE_CANTOPEN",
            "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_SCHEMA", "SQLITE_ABORT",
        ],
    )  # fmt: skip
    def test_what_may_pass_is_no_damage(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SpoolUnavailable), translated(tmp_path):
            raise self.sqlite_error(name)

    @pytest.mark.parametrize("name", ["SQLITE_CORRUPT", "SQLITE_CORRUPT_VTAB", "SQLITE_NOTADB"])
    def test_wrong_contents_are_damage(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SpoolDamaged), translated(tmp_path):
            raise self.sqlite_error(name)

    @pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"])
    def test_no_room_is_a_full_disk(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SpoolFull), translated(tmp_path):
            raise self.sqlite_error(name)

    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (errno.EIO, SpoolUnavailable),
            (errno.EMFILE, SpoolUnavailable),
            (errno.ENOSPC, SpoolFull),
            (errno.EDQUOT, SpoolFull),
        ],
    )
    def test_the_system_is_believed_too(self, number: int, expected: type[Exception], tmp_path: Path) -> None:
        with pytest.raises(expected), translated(tmp_path):
            raise OSError(number, os.strerror(number))

    def test_a_wrong_call_stays_what_it_is(self, tmp_path: Path) -> None:
        with (
            pytest.raises(sqlite3.OperationalError),
            closing(sqlite3.connect(":memory:")) as db,
            translated(tmp_path),
        ):
            db.execute("SELECT nothing")

    @staticmethod
    def sqlite_error(name: str) -> sqlite3.Error:
        error = sqlite3.OperationalError(name)
        error.sqlite_errorcode = getattr(sqlite3, name)
        error.sqlite_errorname = name
        return error
