"""What becomes of readings in memory when the process ends, and of those the server will never get."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bridge.clock import Clock, Instant
from bridge.config import Sensor
from bridge.errors import SpoolFull
from bridge.reader.intake import AHEAD_MS, Intake
from bridge.spool import (
    Account,
    Reading,
    Spool,
    SpoolAdmin,
    SpoolUnavailable,
    SpoolWriter,
    read_ledger,
    writer,
)
from bridge.spool.loss_watch import LossWatch

NEVER_S = 3600.0
WITHIN_S = 20.0
MS = 1_000_000


def reading(number: int, sensor: str = "meter") -> Reading:
    return Reading(sensor, Instant("boot", number), 1_800_000_000_000 + number, b'{"v":%d}' % number, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    return tmp_path / "spool.db.bus-meters.waiting"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another connection hold the lock to write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def leave(path: Path, text: str) -> None:
    path.write_text(text)


def left(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


class FailingSpool(Spool):
    """A spool that fails so many times, as told."""

    failures: list[Exception]

    @classmethod
    def failing(cls, path: Path, *failures: Exception) -> FailingSpool:
        spool = cls.open(path)
        spool.failures = list(failures)
        return spool

    def add(self, readings: Sequence[Reading], **lost: object) -> None:
        if self.failures:
            raise self.failures.pop(0)
        super().add(readings, **lost)  # type: ignore[arg-type]


class TestClosing:
    async def test_waits_for_a_lock_that_is_given_back(self, path: Path, waiting: Path) -> None:
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S, leftovers=[waiting])
        for number in range(50):
            subject.put(reading(number))
        with locked(path):
            closing_it = asyncio.create_task(subject.close())
            await asyncio.sleep(2.5)
            assert not closing_it.done()
        assert await closing_it == 0
        assert read_ledger(path)["meter"].queued == 50
        assert left(waiting) is None

    async def test_leaves_in_a_file_what_a_locked_spool_does_not_take_and_the_next_writer_takes_it(
        self, path: Path, waiting: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S, leftovers=[waiting])
        for number in range(50):
            subject.put(reading(number))
        subject.lose("other")
        with locked(path):
            assert await subject.close(within_s=0.5) == 0
        assert f"does not take 50 readings now: they wait in {waiting} for the next start" in caplog.text
        assert read_ledger(path) == {}
        following = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S, leftovers=[waiting])
        following.put(reading(50))
        await following.close()
        assert read_ledger(path) == {"meter": Account(51, 0, 51, 0, 0, 0), "other": Account(1, 0, 0, 0, 0, 1)}
        with closing(SpoolAdmin.open(path)) as spool:
            rows, _ = spool.rows(0, limit=100)
            assert [row.body for row in rows] == [b'{"v":%d}' % number for number in range(51)]
            assert spool.audit() == []
        assert left(waiting) is None

    async def test_adds_to_what_was_left_before(self, path: Path, waiting: Path) -> None:
        SpoolAdmin.open(path).close()
        with locked(path):
            for number in range(3):
                spool = SpoolAdmin.open(path)
                spool.wait_for_lock(0.01)
                subject = SpoolWriter(spool, commit_every_s=NEVER_S, leftovers=[waiting])
                subject.put(reading(number))
                await subject.close(within_s=0.1)
        last = SpoolWriter(SpoolAdmin.open(path), leftovers=[waiting])
        await last.close()
        with closing(SpoolAdmin.open(path)) as spool:
            assert [row.body for row in spool.rows(0, limit=9)[0]] == [
                b'{"v":%d}' % number for number in range(3)
            ]

    async def test_books_what_can_be_kept_nowhere_and_says_of_which_sensor(
        self, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool = FailingSpool.failing(path, SpoolFull("no room on the disk"))
        leave(tmp_path / "file", "no folder")
        subject = SpoolWriter(spool, commit_every_s=NEVER_S, leftovers=[tmp_path / "file" / "waiting"])
        for number in range(3):
            subject.put(reading(number, "a" if number else "b"))
        assert await subject.close() == 3
        assert "3 readings could not be kept, they count as dropped: b 1, a 2" in caplog.text
        assert read_ledger(path) == {"b": Account(1, 0, 0, 0, 0, 1), "a": Account(2, 0, 0, 0, 0, 2)}

    async def test_does_not_wait_for_ever_for_a_disk_that_answers_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(writer, "_LAST_WORDS_S", 0.1)
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
        subject.put(reading(1))
        with locked(path):
            subject._spool.wait_for_lock = lambda _: None  # type: ignore[method-assign]
            assert await subject.close(within_s=0.1) == 1
        assert "the disk did not answer: 1 readings may not be in" in caplog.text
        await asyncio.wrap_future(subject._ended)

    async def test_a_file_that_makes_no_sense_is_said_and_left_alone(
        self, path: Path, waiting: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        leave(waiting, '{"readings": 5}')
        subject = SpoolWriter(SpoolAdmin.open(path), leftovers=[waiting])
        subject.put(reading(1))
        await subject.close()
        assert read_ledger(path)["meter"].queued == 1
        assert left(waiting) == '{"readings": 5}'
        assert "cannot be read, and is left as it is" in caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        SpoolUnavailable("locking protocol"),
        OSError(5, "Input/output error"),
        sqlite3.OperationalError("locking protocol"),
        MemoryError(),
    ],
)
async def test_a_writer_outlives_any_failure_but_damage(
    failure: Exception, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subject = SpoolWriter(FailingSpool.failing(path, failure, failure), commit_every_s=NEVER_S)
    subject.put(reading(1))
    for _ in range(2):
        with pytest.raises(SpoolUnavailable):
            await subject.flush()
    subject.put(reading(2))
    await subject.flush()
    assert read_ledger(path)["meter"].queued == 2
    assert caplog.text.count("readings wait in memory") == 1
    await subject.close()


class TestReportOnChange:
    """What the server never got does not count as published."""

    @pytest.fixture
    async def bench(self, path: Path) -> Iterator[tuple[Intake, SpoolWriter, Spool]]:  # type: ignore[misc]
        self.now_ns = 0
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
        sensor = Sensor(name="meter", every_s=1.0, publish="change", bus="b", settings=None)  # type: ignore[arg-type]
        clock = Clock("boot", self.tick, lambda: 1_900_000_000_000 * MS, lambda _: "NTP")
        with closing(SpoolAdmin.open(path)) as spool:
            yield Intake(sensor, subject, clock), subject, spool
        await subject.close()

    def tick(self) -> int:
        self.now_ns += 100
        return self.now_ns

    async def take(self, bench: tuple[Intake, SpoolWriter, Spool], seconds: int) -> int:
        """Have the same value read again; how many readings the books have."""
        intake, subject, spool = bench
        intake.take({"v": 1}, Instant("boot", seconds * 1000 * MS))
        await subject.flush()
        return spool.ledger()["meter"].read

    @pytest.mark.parametrize(
        "lose",
        [
            lambda spool: spool.refuse(1, "4.00", "no"),
            lambda spool: spool._room._expire(),
            lambda spool: spool.drop("meter"),
        ],
        ids=["refused", "expired", "dropped by hand"],
    )
    async def test_a_lost_reading_is_followed_by_another(
        self, lose: Callable[[Spool], object], bench: tuple[Intake, SpoolWriter, Spool]
    ) -> None:
        assert await self.take(bench, 1) == 1
        assert await self.take(bench, 2) == 1
        lose(bench[2])
        await bench[1].flush()
        assert await self.take(bench, 3) == 2
        assert await self.take(bench, 4) == 2

    async def test_a_delivered_reading_is_not(self, bench: tuple[Intake, SpoolWriter, Spool]) -> None:
        assert await self.take(bench, 1) == 1
        bench[2].confirm([1])
        await bench[1].flush()
        assert await self.take(bench, 2) == 1
        assert not bench[1]._watch.is_waiting

    async def test_one_that_memory_had_no_room_for_is_followed_by_another(
        self, bench: tuple[Intake, SpoolWriter, Spool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "KEPT_IN_MEMORY", 0)
        assert await self.take(bench, 1) == 1
        monkeypatch.undo()
        assert await self.take(bench, 2) == 2
        assert bench[2].ledger()["meter"] == Account(2, 0, 1, 0, 0, 1)

    async def test_what_is_lost_while_nothing_is_put_is_noticed(
        self, bench: tuple[Intake, SpoolWriter, Spool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "_LOOK_EVERY_S", 0.02)
        assert await self.take(bench, 1) == 1
        bench[2].drop("meter")
        async with asyncio.timeout(WITHIN_S):
            while not bench[1].was_lost("meter"):  # noqa: ASYNC110 - a thread has no event
                await asyncio.sleep(0.02)

    async def test_readings_too_fast_for_the_server_are_booked_as_dropped_and_said_once(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
        clock = Clock("boot", self.tick_once, lambda: 1_900_000_000_000 * MS, lambda _: "NTP")
        intake = Intake(Sensor(name="fast", every_s=0.0, bus="b", settings=None), subject, clock)  # type: ignore[arg-type]
        for number in range(1000):
            intake.take({"v": number}, Instant("boot", 10**9))
        await subject.close()
        assert read_ledger(path)["fast"] == Account(1000, 0, AHEAD_MS, 0, 0, 1000 - AHEAD_MS)
        assert caplog.text.count("more than 1000 readings/s") == 1

    async def test_a_stamp_ahead_of_its_time_because_the_clock_was_set_back_says_so(self, path: Path) -> None:
        wall_ns = 1_900_000_000_000 * MS
        subject = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
        clock = Clock("boot", self.tick_once, lambda: wall_ns, lambda _: "NTP")
        intake = Intake(Sensor(name="a", every_s=0.0, bus="b", settings=None), subject, clock)  # type: ignore[arg-type]
        for step_ms in (0, 0, -30_000):
            wall_ns += step_ms * MS
            intake.take({"v": 1}, clock.now())
        await subject.close()
        with closing(SpoolAdmin.open(path)) as spool:
            bodies = [row.body for row in spool.rows(0, limit=9)[0]]
        assert bodies == [b'{"v":1}', b'{"v":1}', b'{"v":1,"stamp_error_ms":30002}']

    @staticmethod
    def tick_once() -> int:
        return 10**9


def test_a_loss_before_the_last_reading_is_none_of_it() -> None:
    watch = LossWatch()
    assert not watch.was_lost("a")
    watch.expect(["a"], {"a": Account(5, 0, 1, 4, 0, 0)})
    watch.look({"a": Account(6, 0, 1, 5, 0, 0)})
    assert watch.is_waiting, "it is queued"
    watch.expect(["a"], {"a": Account(6, 0, 1, 5, 0, 0)})
    watch.look({"a": Account(7, 2, 0, 5, 0, 0)})
    assert not watch.was_lost("a")
    assert not watch.is_waiting


class TestRefused:
    LIMIT = 600_000

    def test_readings_are_bounded_and_leave_the_healthy_ones_their_room(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with closing(SpoolAdmin.open(path, limit=self.LIMIT)) as spool:
            for start in range(0, 12_000, 500):
                spool.add([reading(start + n, "bad") for n in range(500)])
                rows, _ = spool.rows(0, limit=1000)
                for row in rows:
                    spool.refuse(row.id, "4.00 Bad Request", "the server does not take it")
            for start in range(0, 2000, 100):
                spool.add([reading(start + n, "good") for n in range(100)])
            ledger = spool.ledger()
            assert ledger["good"] == Account(2000, 0, 2000, 0, 0, 0)
            assert ledger["bad"].refused > 100
            assert ledger["bad"].refused + ledger["bad"].expired == 12_000
            kept = [each.id for each in spool.refused()]
            assert kept == list(range(12_001 - len(kept), 12_001)), "the oldest went first"
            assert sum(len(each.body) for each in spool.refused()) < self.LIMIT // 8
            assert spool.audit() == []
        assert caplog.text.count("refused readings have reached their share") == 1

    def test_readings_of_an_older_version_beyond_their_share_go_before_healthy_ones(self, path: Path) -> None:
        with closing(SpoolAdmin.open(path)) as spool:
            spool.add([reading(n, "bad") for n in range(6000)])
            for id_ in range(1, 6001):
                spool._refuse(id_, "4.00 Bad Request", "no")
        with closing(SpoolAdmin.open(path, limit=self.LIMIT)) as spool:
            for start in range(0, 6000, 100):
                spool.add([reading(start + n, "good") for n in range(100)])
            assert spool.ledger()["good"].expired == 0
            assert Counter(each.sensor for each in spool.refused())["bad"] < 6000
            assert spool.audit() == []
