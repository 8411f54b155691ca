"""Files that are no spool any more, and locks."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.clock import Instant
from bridge.errors import AlreadyRunning, SpoolDamaged
from bridge.spool import (
    Account,
    NothingToSalvage,
    Reading,
    SpoolAdmin,
    SpoolUnavailable,
    lock,
    opening,
)
from bridge.spool.database import PAGE_BYTES
from bridge.spool.schema import _STEPS


def reading(number: int, sensor: str = "meter") -> Reading:
    return Reading(sensor, Instant("boot", number), 1_800_000_000_000 + number, b'{"v":%d}' % number, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A spool with a few hundred readings, some delivered, closed in good order."""
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(number, f"s{number % 2}") for number in range(1000)])
        spool.confirm(range(1, 101))
    return path


def set_aside(path: Path) -> list[Path]:
    return [
        file
        for file in sorted(path.parent.glob("spool.db.damaged-*"))
        if file.name[-4:] not in ("-wal", "-shm")
    ]


@pytest.mark.parametrize(
    "content", [b"", b"no database at all, sorry\n" * 500, b"SQLite format 3\0" + bytes(80)]
)
def test_a_file_that_is_no_database_is_quarantine(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    SpoolAdmin.open(path).close()
    path.write_bytes(content)
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1)])
        assert spool.audit() == []
    (aside,) = set_aside(path)
    assert aside.read_bytes() == content
    (record,) = caplog.records
    assert f"{path} is damaged: " in record.getMessage()
    assert f"set aside as {aside.name}" in record.getMessage()


def test_garbage_inside_is_found_at_the_next_start_and_the_books_are_carried_over(filled: Path) -> None:
    scribble(filled, from_page=20)
    with closing(SpoolAdmin.open(filled)) as spool:
        assert spool.ledger() == {"s0": Account(500, 50, 0, 0, 0, 450), "s1": Account(500, 50, 0, 0, 0, 450)}
        assert spool.audit() == []
        assert spool.last_id() == 1000
        spool.add([reading(1)])
        assert [row.id for row in spool.rows(1000, limit=10)[0]] == [1001]
    assert len(set_aside(filled)) == 1


def test_damage_found_at_work_ends_every_process_and_is_quarantine_by_the_next(filled: Path) -> None:
    finder, other = SpoolAdmin.open(filled), SpoolAdmin.open(filled)
    with closing(finder), closing(other):
        scribble(filled, from_page=20)
        with pytest.raises(SpoolDamaged, match="is damaged"):
            finder.audit()
        with pytest.raises(SpoolDamaged, match="found damaged by another process"):
            other.add([reading(1)])
        with pytest.raises(SpoolDamaged, match="another process still uses it"):
            SpoolAdmin.open(filled)
        assert set_aside(filled) == []
    with closing(SpoolAdmin.open(filled)) as spool:
        assert spool.audit() == []
    assert len(set_aside(filled)) == 1


def test_a_false_alarm_changes_nothing(filled: Path) -> None:
    filled.with_name("spool.db.damaged").touch()
    with closing(SpoolAdmin.open(filled)) as spool:
        assert spool.ledger()["s0"].queued == 450
        spool.add([reading(1)])
    assert set_aside(filled) == []


def test_a_large_file_is_examined_whole_only_if_it_was_found_damaged(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_EXAMINED_BYTES", 0)
    scribble(filled, from_page=20)
    SpoolAdmin.open(filled).close()
    assert set_aside(filled) == [], "reading it all would delay every start"
    filled.with_name("spool.db.damaged").touch()
    with closing(SpoolAdmin.open(filled)) as spool:
        assert spool.audit() == []
    assert len(set_aside(filled)) == 1


def test_the_write_ahead_log_of_a_damaged_file_goes_aside_with_it(path: Path) -> None:
    copy = path.parent / "copy" / "spool.db"
    copy.parent.mkdir()
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(number) for number in range(1000)])
        spool._database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        spool.add([reading(number) for number in range(1000, 1200)])  # these are in the log alone
        for name in ("spool.db", "spool.db-wal"):
            copy.with_name(name).write_bytes(path.with_name(name).read_bytes())
    aside = opening._quarantine(copy)
    with closing(SpoolAdmin.open(copy)) as spool:
        assert spool.salvage(aside).queued == {"meter": 1200}
        assert spool.audit() == []


def test_every_commit_is_forced_to_the_disk(filled: Path) -> None:
    """A power cut takes no committed reading: with NORMAL it could, as far back as the last checkpoint."""
    with closing(SpoolAdmin.open(filled)) as spool:
        (level,) = spool._database.connection.execute("PRAGMA synchronous").fetchone()
    assert level == 2, "FULL"


def test_two_damaged_files_of_one_second_are_both_kept(path: Path) -> None:
    for content in (b"first", b"second"):
        SpoolAdmin.open(path).close()
        path.write_bytes(content)
        SpoolAdmin.open(path).close()
    assert [aside.read_bytes() for aside in set_aside(path)] == [b"first", b"second"]


def test_a_torn_write_ahead_log_costs_only_its_end(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "spool.db"
    copy.parent.mkdir()
    with closing(SpoolAdmin.open(path)) as spool:
        for number in range(20):
            spool.add([reading(number)])
        log = path.with_name("spool.db-wal").read_bytes()
        copy.write_bytes(path.read_bytes())
        copy.with_name("spool.db-wal").write_bytes(log[: len(log) - 3 * PAGE_BYTES])
    with closing(SpoolAdmin.open(copy)) as spool:
        assert spool.audit() == []
        rows, _ = spool.rows(0, limit=100)
        assert [row.id for row in rows] == list(range(1, len(rows) + 1))
        assert 10 < len(rows) < 20
    assert set_aside(copy) == []


def test_a_spool_of_a_newer_version_is_left_alone(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as db, db:
        db.execute("INSERT INTO step(version) VALUES (99)")
    with pytest.raises(SpoolUnavailable, match=r"newer serial-bridge \(schema 99, this one knows \d+\)"):
        SpoolAdmin.open(filled)
    assert set_aside(filled) == []


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE photos(id INTEGER PRIMARY KEY)")
    with pytest.raises(SpoolUnavailable, match="another program"):
        SpoolAdmin.open(path)
    assert set_aside(path) == []


def test_a_directory_that_cannot_be_made_is_told(path: Path) -> None:
    path.write_text("a file where a directory should be")
    with pytest.raises(SpoolUnavailable, match="is no folder, name a file in one"):
        SpoolAdmin.open(path / "spool.db")


def test_the_schema_records_its_steps(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as db:
        assert db.execute("SELECT version FROM step").fetchall() == [(1,), (2,), (3,)]
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class TestSalvage:
    """What a damaged file still holds comes back, and the books follow."""

    def test_rows_beside_the_damage_are_queued_again(self, filled: Path) -> None:
        with closing(SpoolAdmin.open(filled)) as spool:
            spool.add([Reading("s0", Instant("an old boot", n), None, b'{"v":%d}' % n, 1) for n in range(3)])
        scribble(filled, from_page=20, pages=2)
        with closing(SpoolAdmin.open(filled)) as spool:
            (aside,) = set_aside(filled)
            before = spool.ledger()
            assert before["s0"] == Account(503, 50, 0, 0, 0, 453)
            found = spool.salvage(aside)
            rows, _ = spool.rows(0, limit=5000)
            assert 400 < len(rows) < 900
            assert found.unreadable == 900 - len(rows)
            assert [int(row.body[5:-1]) for row in rows] == sorted(int(row.body[5:-1]) for row in rows)
            for name, account in spool.ledger().items():
                back = found.queued[name]
                was = before[name]
                assert account == Account(was.read, was.delivered, back, 0, 0, was.dropped - back)
            assert found.queued.total() == len(rows) + 3, "those without a date are back too"
            assert spool.audit() == []

    def test_a_second_time_brings_nothing_twice(self, filled: Path) -> None:
        scribble(filled, from_page=20, pages=2)
        with closing(SpoolAdmin.open(filled)) as spool:
            (aside,) = set_aside(filled)
            assert spool.salvage(aside).queued.total() > 0
            assert spool.salvage(aside).queued.total() == 0
            assert spool.audit() == []

    def test_readings_of_a_foreign_file_are_new_here(self, filled: Path, tmp_path: Path) -> None:
        with closing(SpoolAdmin.open(tmp_path / "other.db")) as spool:
            assert spool.salvage(filled).queued == {"s0": 450, "s1": 450}
            assert spool.ledger()["s0"] == Account(450, 0, 450, 0, 0, 0)
            assert spool.audit() == []

    @pytest.mark.parametrize("content", [b"", b"no database at all, sorry\n" * 500])
    def test_a_file_that_holds_nothing_is_told(self, path: Path, content: bytes) -> None:
        SpoolAdmin.open(path).close()
        path.write_bytes(content)
        with closing(SpoolAdmin.open(path)) as spool:
            (aside,) = set_aside(path)
            with pytest.raises(NothingToSalvage, match="nothing in"):
                spool.salvage(aside)
            with pytest.raises(NothingToSalvage, match="the spool itself"):
                spool.salvage(path)
            with pytest.raises(NothingToSalvage, match="is no file"):
                spool.salvage(path.with_name("nothing"))

    def test_what_came_back_of_an_older_file_is_remembered_when_the_next_is_damaged(
        self, filled: Path
    ) -> None:
        scribble(filled, from_page=20, pages=2)
        with closing(SpoolAdmin.open(filled)) as spool:
            (first,) = set_aside(filled)
            spool.salvage(first)
        scribble(filled, from_page=20, pages=2)
        with closing(SpoolAdmin.open(filled)) as spool:
            assert spool.salvage(first).queued.total() == 0
            assert spool.audit() == []


def test_a_spool_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in _STEPS[0]:
            db.execute(statement)
        db.execute("INSERT INTO step(version) VALUES (1)")
        db.execute("PRAGMA application_id=0x53425350")
        db.execute("INSERT INTO sensor(name, read, queued) VALUES ('meter', 1, 1)")
        db.execute("INSERT INTO reading(sensor, ts, points, body) VALUES (1, 5, 1, CAST('{}' AS BLOB))")
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1)])
        assert spool.ledger()["meter"] == Account(2, 0, 2, 0, 0, 0)
        assert spool.audit() == []


class TestLock:
    def test_a_second_reader_of_a_bus_is_told_who_is_the_first(self, path: Path) -> None:
        with (
            lock(path, "bus-meters"),
            pytest.raises(AlreadyRunning, match=f"bus meters is already being read by process {os.getpid()}"),
            lock(path, "bus-meters"),
        ):
            pass

    def test_a_second_uplink_is_told_who_is_the_first(self, path: Path) -> None:
        with (
            lock(path, "uplink"),
            pytest.raises(AlreadyRunning, match=f"the uplink .* by process {os.getpid()}"),
            lock(path, "uplink"),
        ):
            pass

    def test_different_jobs_do_not_exclude_each_other(self, path: Path) -> None:
        with lock(path, "uplink"), lock(path, "bus-meters"), lock(path, "bus-heat"):
            pass

    def test_it_is_free_again_afterwards(self, path: Path) -> None:
        for _ in range(2):
            with lock(path, "uplink"):
                pass


def scribble(path: Path, *, from_page: int, pages: int | None = None) -> None:
    """Overwrite the rows, all or those on so many pages; the head of the file with schema and books stays."""
    with path.open("r+b") as file:
        file.seek((from_page - 1) * PAGE_BYTES)
        rest = path.stat().st_size - file.tell()
        file.write(b"\xa5" * (rest if pages is None else min(rest, pages * PAGE_BYTES)))
