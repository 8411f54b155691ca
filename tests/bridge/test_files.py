"""Root in a folder of somebody else's: it acts as the owner, and no name there leads it elsewhere."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.clock import Instant
from bridge.commands.report.command import command as report
from bridge.commands.thingsboard.pack import write as write_pack
from bridge.config.edit import edit
from bridge.errors import BridgeError, ConfigError
from bridge.files import (
    NotOurFile,
    acting_as_owner,
    acts_as_another,
    open_regular,
    read_regular,
    replace_by_link,
    replace_regular,
    write_whole,
)
from bridge.spool import Reading, SpoolAdmin, lock, read_ledger
from bridge.spool.database import mark
from bridge.spool.locks import beside
from bridge.spool.reserve import Reserve
from bridge.status.line_statistics import Memory
from tests.support.site import site_head

OWNER = 65534  # nobody, who owns nothing of a system
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach; as root, it is another user's."""
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "spool"
        folder.mkdir(mode=0o750)
        if os.geteuid() == 0:
            os.chown(folder, OWNER, OWNER)
        yield folder


@pytest.fixture
def outside(folder: Path) -> Path:
    """A folder of this user's own, where nothing may appear or change."""
    place = folder.parent / "outside"
    place.mkdir(mode=0o700)
    (place / "secret").write_text("of root")
    return place


def reading(number: int) -> Reading:
    return Reading("meter", Instant("boot", number), 1_800_000_000_000 + number, b'{"v":1}', 1)


def use(path: Path) -> None:
    """What commands and services do with a spool, one after the other; each may refuse."""

    def locked(name: str) -> Callable[[], None]:
        def take() -> None:
            with lock(path, name):
                pass

        return take

    def used() -> None:
        with closing(SpoolAdmin.open(path)) as spool:
            spool.add([reading(1)])
            spool.refuse(1, "4.00", "no")
            spool.retry("meter")

    def damaged() -> None:
        with closing(SpoolAdmin.open(path)) as spool:
            path.write_bytes(b"x" * 10_000)
            spool.audit()

    memory = Memory(beside(path, ".bus-meters.json"))
    counted = memory.text({"sensors": {}, "line": {}})
    steps: list[Callable[[], object]] = [
        locked("bus-meters"),
        locked("uplink"),
        used,
        lambda: read_ledger(path),
        lambda: memory.save(counted),
        damaged,
        used,
    ]
    for step in steps:
        with suppress(BridgeError, OSError):
            step()


def everything(place: Path) -> dict[str, tuple[str, int, int]]:
    return {
        each.name: (each.read_text(), each.stat().st_uid, each.stat().st_mode) for each in place.iterdir()
    }


NAMES = (
    "spool.db", "spool.db.lock", "spool.db.bus-meters.lock", "spool.db.uplink.lock", "spool.db.reserve",
    "spool.db.damaged", "spool.db-wal", "spool.db-shm", "spool.db.bus-meters.json",
    "spool.db.bus-meters.json.new",
)  # fmt: skip


@only_root
@pytest.mark.parametrize("target", ["secret", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_no_link_beside_a_spool_leads_root_to_another_file(
    name: str, target: str, folder: Path, outside: Path
) -> None:
    before = everything(outside)
    (folder / name).symlink_to(outside / target)
    os.lchown(folder / name, OWNER, OWNER)
    use(folder / "spool.db")
    assert everything(outside) == before


@only_root
@pytest.mark.parametrize("name", NAMES)
def test_no_second_name_of_a_file_leads_root_to_it(name: str, folder: Path, outside: Path) -> None:
    before = everything(outside)
    os.link(outside / "secret", folder / name)
    use(folder / "spool.db")
    assert everything(outside) == before


@only_root
def test_the_folder_of_a_spool_may_itself_be_a_link(folder: Path, outside: Path) -> None:
    before = everything(outside)
    (folder / "deeper").symlink_to(outside)
    os.lchown(folder / "deeper", OWNER, OWNER)
    use(folder / "deeper" / "spool.db")
    assert everything(outside) == before


@only_root
def test_what_root_makes_beside_a_spool_is_its_owners(folder: Path) -> None:
    use(folder / "spool.db")
    assert len(list(folder.iterdir())) > 4
    assert {each.stat().st_uid for each in folder.iterdir()} == {OWNER}


@only_root
def test_root_is_root_again_afterwards(folder: Path) -> None:
    before = (os.getresuid(), os.getresgid(), os.getgroups())
    seen = []

    def fail() -> None:
        with acting_as_owner(folder / "not" / "there"), acting_as_owner(Path("/")):
            seen.append((os.geteuid(), os.getegid(), os.getgroups()))
            raise ValueError("meanwhile")

    assert acts_as_another(folder)
    with pytest.raises(ValueError, match="meanwhile"):
        fail()
    assert seen == [(OWNER, OWNER, [OWNER])]
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before


def test_a_folder_of_ones_own_changes_nobody(tmp_path: Path) -> None:
    assert not acts_as_another(tmp_path)
    with acting_as_owner(tmp_path):
        assert os.geteuid() == os.getuid()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "second name"])
def test_only_a_regular_file_is_opened(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_text("untouched")
    match kind:
        case "link":
            path.symlink_to(other)
        case "dangling":
            path.symlink_to(tmp_path / "missing")
        case "pipe":
            os.mkfifo(path)
        case _:
            os.link(other, path)
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with pytest.raises(NotOurFile, match=f"^{path}: this .* remove it"):
            open_regular(path, flags)
    assert other.read_text() == "untouched"
    assert not (tmp_path / "missing").exists()


def test_a_lock_that_is_a_link_is_one_sentence(tmp_path: Path) -> None:
    beside(tmp_path / "spool.db", ".uplink.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(BridgeError, match=r"uplink\.lock: this is a link"),
        lock(tmp_path / "spool.db", "uplink"),
    ):
        pass


def test_neither_reserve_nor_mark_follows_a_link(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    beside(path, ".reserve").symlink_to(tmp_path / "elsewhere")
    Reserve(path).hold()
    with closing(SpoolAdmin.open(path)) as spool:
        mark(path).symlink_to(tmp_path / "elsewhere")
        path.write_bytes(b"x" * path.stat().st_size)
        with suppress(BridgeError):
            spool.audit()
    assert not (tmp_path / "elsewhere").exists()


@contextmanager
def a_file_holds_at_most(octets: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("is_sole_writer", [True, False])
def test_a_disk_without_room_leaves_the_old_file_and_no_draft(is_sole_writer: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_regular(path, b"old", is_sole_writer=is_sole_writer)
    with a_file_holds_at_most(4096), pytest.raises(OSError, match="File too large"):
        replace_regular(path, bytes(100_000), is_sole_writer=is_sole_writer)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


WRITERS: dict[str, Callable[[Path], object]] = {
    "the report": lambda folder: write_report(folder / "report.html"),
    "the files for ThingsBoard": lambda folder: write_pack({"a.json": {"x": "y" * 100_000}}, folder),
    "any file of a person": lambda folder: write_whole(folder / "file", bytes(100_000)),
}


def write_report(target: Path) -> None:
    site = target.with_name("site.toml")
    site.write_text(site_head(adapter="/dev/null", spool="spool.db"))
    try:
        report(target, site)
    finally:
        site.unlink()


@pytest.mark.parametrize("writer", WRITERS)
def test_what_a_person_lets_write_is_whole_or_not_there(writer: str, tmp_path: Path) -> None:
    with a_file_holds_at_most(2048), pytest.raises((OSError, BridgeError), match="File too large"):
        WRITERS[writer](tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_person_named_keeps_its_mode_and_the_link_to_it(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (b"new", 0o640)
    write_whole(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"x")


def test_the_draft_that_a_crash_left_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.with_name("file.new").write_bytes(b"hal")
    replace_regular(path, b"whole", is_sole_writer=True)
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("mode", "expected"), [(None, 0o600), (0o644, 0o644), (0o640, 0o640)])
def test_a_stated_mode_is_not_the_umasks_to_change(mode: int | None, expected: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    umask = os.umask(0o077)
    try:
        replace_regular(path, b"", mode=mode, is_durable=True)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == expected


def test_a_link_takes_the_place_of_a_file_in_an_open_folder(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("old")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        replace_by_link("name", "target", folder=folder)
    finally:
        os.close(folder)
    assert (tmp_path / "name").readlink() == Path("target")
    assert [entry.name for entry in tmp_path.iterdir()] == ["name"]


def test_a_file_is_replaced_whole_and_read_within_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in (b"first", b"second"):
        replace_regular(path, text)
    assert read_regular(path, 6) == b"second"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="more than 5 bytes"):
        read_regular(path, 5)


@only_root
def test_a_file_is_edited_where_it_lies_and_not_where_somebody_elses_link_leads(
    folder: Path, outside: Path
) -> None:
    before = everything(outside)
    (folder / "site.toml").symlink_to(outside / "secret")
    os.lchown(folder / "site.toml", OWNER, OWNER)
    with pytest.raises(ConfigError, match="cannot be replaced"):
        edit(folder / "site.toml", str.upper)
    assert everything(outside) == before


@only_root
@pytest.mark.parametrize(("folders", "files"), [(OWNER, OWNER), (OWNER, 0), (0, OWNER), (0, 0)])
def test_an_edited_file_keeps_its_owner_and_mode(folders: int, files: int, folder: Path) -> None:
    path = folder / "site.toml"
    path.write_text("before")
    path.chmod(0o640)
    os.chown(path, files, files)
    os.chown(folder, folders, folders)
    edit(path, str.upper)
    assert path.read_text() == "BEFORE"
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (files, files, 0o640)
    assert list(folder.iterdir()) == [path]


@only_root
def test_a_link_of_roots_own_stays_one(folder: Path, outside: Path) -> None:
    os.chown(folder, 0, 0)
    (folder / "site.toml").symlink_to(outside / "secret")
    edit(folder / "site.toml", str.upper)
    assert (folder / "site.toml").is_symlink()
    assert (outside / "secret").read_text() == "OF ROOT"
