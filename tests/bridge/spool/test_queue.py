"""The queue, its books and its limit, within one process."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bridge.clock import Instant
from bridge.errors import SpoolFull
from bridge.spool import (
    Account,
    Placed,
    Reading,
    Row,
    Spool,
    SpoolAdmin,
    SpoolUnavailable,
    UnknownSensor,
    opening,
    read_ledger,
)
from bridge.spool.queue import LIMIT_BYTES

NOON_MS = 1_800_000_000_000


def reading(
    number: int, sensor: str = "meter", *, ts_ms: int | None = -1, boot: str = "this-boot"
) -> Reading:
    """The reading of second `number` since boot; dated as if boot was at noon, unless told otherwise."""
    taken = Instant(boot, number * 1_000_000_000)
    stamp = NOON_MS + number * 1000 if ts_ms == -1 else ts_ms
    return Reading(sensor, taken, stamp, b'{"v":%d}' % number, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    with closing(SpoolAdmin.open(path)) as spool:
        yield spool
        assert spool.audit() == []


def all_rows(spool: Spool) -> list[Row]:
    rows, _ = spool.rows(0, limit=1_000_000)
    return rows


def test_rows_come_out_as_they_went_in_and_in_order(spool: Spool) -> None:
    spool.add([reading(1, "b"), reading(2, "a")])
    spool.add([reading(3, "b")])
    assert all_rows(spool) == [
        Row(1, "b", NOON_MS + 1000, 1, b'{"v":1}'),
        Row(2, "a", NOON_MS + 2000, 1, b'{"v":2}'),
        Row(3, "b", NOON_MS + 3000, 1, b'{"v":3}'),
    ]


def test_a_consumer_walks_the_queue_by_the_id_it_is_given(spool: Spool) -> None:
    spool.add([reading(n, "held" if n % 2 else "free") for n in range(1, 11)])
    rows, after = spool.rows(0, limit=3)
    assert [row.id for row in rows] == [1, 2, 3]
    assert after == 3
    rows, after = spool.rows(after, limit=3, skip={"held"})
    assert [row.id for row in rows] == [4, 6, 8]
    rows, after = spool.rows(after, limit=100, skip={"held", "free"})
    assert (rows, after) == ([], 10)
    assert spool.rows(after, limit=100) == ([], 10)


def test_one_call_looks_at_a_bounded_stretch_however_much_is_held(spool: Spool) -> None:
    spool.add([reading(n, "held") for n in range(6000)])
    spool.add([reading(6000, "free")])
    rows, after = spool.rows(0, limit=10, skip={"held"})
    assert (rows, after) == ([], 5000)
    rows, after = spool.rows(after, limit=10, skip={"held"})
    assert [row.sensor for row in rows] == ["free"]


def test_an_id_is_never_used_again_after_the_queue_was_empty(path: Path) -> None:
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1), reading(2)])
        spool.confirm([1, 2])
    with closing(SpoolAdmin.open(path)) as spool:
        assert spool.last_id() == 2
        spool.add([reading(3)])
        rows, _ = spool.rows(2, limit=10)
        assert [row.id for row in rows] == [3]


def test_a_second_confirmation_books_nothing(spool: Spool) -> None:
    spool.add([reading(1), reading(2)])
    spool.confirm([1])
    spool.confirm([1])
    spool.confirm([1, 77])
    assert spool.ledger() == {"meter": Account(2, 1, 1, 0, 0, 0)}


def test_a_refused_reading_is_kept_with_the_answer_and_the_reason(spool: Spool, path: Path) -> None:
    spool.add([reading(1), reading(2)])
    spool.refuse(2, "4.00 Bad Request", "value is too long")
    spool.refuse(2, "4.00 Bad Request", "value is too long")
    assert spool.ledger() == {"meter": Account(2, 0, 1, 0, 1, 0)}
    with closing(sqlite3.connect(path)) as db:
        kept = db.execute("SELECT id, ts, points, body, answer, reason FROM refused").fetchall()
    assert kept == [(2, NOON_MS + 2000, 1, b'{"v":2}', "4.00 Bad Request", "value is too long")]


def test_dropping_a_sensor_leaves_the_others(spool: Spool) -> None:
    spool.add([reading(n, "old" if n % 3 else "new") for n in range(1, 13_000)])
    old = spool.ledger()["old"].queued
    assert spool.drop("old") == old
    assert spool.ledger()["old"] == Account(old, 0, 0, 0, 0, old)
    assert {row.sensor for row in all_rows(spool)} == {"new"}
    assert spool.drop("old") == 0
    with pytest.raises(UnknownSensor, match='never had a reading of "never heard of"; it knows: new, old'):
        spool.drop("never heard of")
    assert "never heard of" not in spool.ledger()


def test_what_could_not_be_kept_is_booked_as_dropped(spool: Spool) -> None:
    spool.add([reading(1)], lost={"meter": 3, "other": 2})
    assert spool.ledger() == {"meter": Account(4, 0, 1, 0, 0, 3), "other": Account(2, 0, 0, 0, 0, 2)}


def test_the_last_stamps_outlive_the_readings(path: Path) -> None:
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1, "a"), reading(5, "a"), reading(2, "b"), reading(3, "undated", ts_ms=None)])
        spool.confirm([1, 2, 3])
    with closing(SpoolAdmin.open(path)) as spool:
        assert spool.stamps() == {"a": NOON_MS + 5000, "b": NOON_MS + 2000}


class TestReadingsWithoutADate:
    def test_are_queued_but_not_handed_out(self, spool: Spool) -> None:
        spool.add([reading(1, ts_ms=None)])
        assert spool.rows(0, limit=10) == ([], 1)
        assert spool.ledger()["meter"].queued == 1

    def test_are_dated_once_the_time_of_their_boot_is_known(self, spool: Spool) -> None:
        spool.add([reading(n, "soil", ts_ms=None) for n in range(1, 4)])
        _, after = spool.rows(0, limit=10)
        spool.date("this-boot", NOON_MS * 1_000_000)
        rows, _ = spool.rows(after, limit=10)
        assert [(row.sensor, row.ts_ms) for row in rows] == [
            ("soil", NOON_MS + 1000),
            ("soil", NOON_MS + 2000),
            ("soil", NOON_MS + 3000),
        ]
        assert spool.placed() is None

    def test_are_dated_in_steps_when_they_are_many(self, spool: Spool) -> None:
        spool.add([reading(n, ts_ms=None) for n in range(12_000)])
        spool.date("this-boot", NOON_MS * 1_000_000)
        stamps: list[int] = []
        after = 0
        while len(stamps) < 12_000:
            rows, after = spool.rows(after, limit=5000)
            stamps += [row.ts_ms for row in rows]
        assert stamps == [NOON_MS + n * 1000 for n in range(12_000)]

    def test_that_come_after_the_others_were_dated_are_dated_too(self, spool: Spool) -> None:
        for number in (1, 2):
            spool.add([reading(number, "late", ts_ms=None)])
            spool.date("this-boot", NOON_MS * 1_000_000)
        assert [row.ts_ms for row in all_rows(spool)] == [NOON_MS + n * 1000 for n in (1, 2)]

    def test_of_a_boot_that_never_knew_the_time_are_placed_before_the_next(self, spool: Spool) -> None:
        spool.add([reading(5, boot="first")])
        spool.add([reading(n, ts_ms=None, boot="second") for n in (10, 20, 40)])
        began_ms = NOON_MS + 3_600_000
        spool.date("third", began_ms * 1_000_000)
        rows = all_rows(spool)[1:]
        assert [row.ts_ms - began_ms for row in rows] == [-30_001, -20_001, -1]
        assert spool.placed() == Placed(3, began_ms - 30_001, began_ms - 1)

    def test_of_two_such_boots_are_placed_one_after_the_other(self, spool: Spool) -> None:
        spool.add([reading(5, boot="first")])
        for boot in ("second", "third"):
            spool.add([reading(n, boot, ts_ms=None, boot=boot) for n in (10, 20)])
        began_ms = NOON_MS + 3_600_000
        spool.date("fourth", began_ms * 1_000_000)
        stamps = {
            boot: [row.ts_ms for row in all_rows(spool) if row.sensor == boot] for boot in ("second", "third")
        }
        assert NOON_MS < min(stamps["second"]) < max(stamps["second"]) < min(stamps["third"]) < began_ms
        assert spool.placed() == Placed(4, min(stamps["second"]), max(stamps["third"]))

    def test_are_never_placed_before_what_was_known_before_them(self, spool: Spool) -> None:
        spool.add([reading(5, boot="first")])
        spool.add([reading(n, ts_ms=None, boot="second") for n in (10, 500)])
        spool.confirm([1])
        spool.date("third", (NOON_MS + 20_000) * 1_000_000)
        assert [row.ts_ms for row in all_rows(spool)] == [NOON_MS + 5001, NOON_MS + 5001 + 490_000]

    def test_that_were_dropped_meanwhile_keep_nobody_from_being_placed(self, spool: Spool) -> None:
        spool.add([reading(1, "gone", ts_ms=None, boot="first")])
        spool.drop("gone")
        spool.date("second", NOON_MS * 1_000_000)
        assert spool.placed() is None


class TestLimit:
    LIMIT = 600_000

    def test_the_oldest_expire_and_the_files_stay_below_it(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with closing(SpoolAdmin.open(path, limit=self.LIMIT)) as spool:
            for start in range(0, 40_000, 400):
                spool.add([reading(n, f"s{n % 2}") for n in range(start, start + 400)])
                assert self.taken(path) <= self.LIMIT
            ledger = spool.ledger()
            assert ledger["s0"].expired > 0
            assert ledger["s1"].expired > 0
            assert 5000 < sum(account.queued for account in ledger.values()) < 40_000
            rows, _ = spool.rows(0, limit=1)
            assert rows[0].id == sum(account.expired for account in ledger.values()) + 1
            assert spool.audit() == []
        assert caplog.text.count("it has reached its limit") == 1

    def test_a_lower_one_takes_effect(self, path: Path) -> None:
        with closing(SpoolAdmin.open(path)) as spool:
            spool.add([reading(n) for n in range(40_000)])
        with closing(SpoolAdmin.open(path, limit=self.LIMIT)) as spool:
            spool.add([reading(40_000)])
            spool.add([reading(40_001)])
            assert spool.audit() == []
        assert self.taken(path) <= self.LIMIT

    @staticmethod
    def taken(path: Path) -> int:
        return sum(file.stat().st_size for file in (path, path.with_name("spool.db-wal")) if file.exists())


class TestFullDisk:
    """SQLite's own bound on the file stands for the end of the disk: it fails alike."""

    def test_a_full_disk_is_told_and_leaves_no_trace(self, spool: Spool) -> None:
        spool.add([reading(1)])
        self.fill(spool)
        with pytest.raises(SpoolFull, match="no room"):
            spool.add([reading(n) for n in range(5000)])
        assert spool.ledger()["meter"] == Account(1, 0, 1, 0, 0, 0)

    def test_what_is_delivered_can_still_be_confirmed_and_makes_room(self, spool: Spool) -> None:
        spool.add([reading(n) for n in range(5000)])
        self.fill(spool)
        with pytest.raises(SpoolFull):
            spool.add([reading(n) for n in range(5000)])
        spool.confirm(range(1, 5001))
        spool.add([reading(n) for n in range(4000)])
        assert spool.ledger()["meter"] == Account(9000, 5000, 4000, 0, 0, 0)

    @staticmethod
    def fill(spool: Spool) -> None:
        db = spool._database.connection
        db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")


def test_audit_finds_a_row_that_went_without_being_booked(path: Path) -> None:
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1, "a"), reading(2, "a"), reading(3, "b")])
        with closing(sqlite3.connect(path)) as thief, thief:
            thief.execute("DELETE FROM reading WHERE id = 2")
        assert spool.audit() == ["a: 2 queued in the books, 1 rows"]


def test_audit_finds_books_that_do_not_add_up(path: Path) -> None:
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([reading(1, "a")])
        with closing(sqlite3.connect(path)) as forger, forger:
            forger.execute("UPDATE sensor SET delivered = 5")
        (sentence,) = spool.audit()
        assert sentence == "a: 1 read, but delivered 5 + queued 1 + expired 0 + refused 0 + dropped 0 = 6"


def test_looking_at_a_spool_makes_none(path: Path) -> None:
    assert read_ledger(path) == {}
    with pytest.raises(SpoolUnavailable, match="no spool yet"):
        SpoolAdmin.view(path)
    assert list(path.parent.iterdir()) == []


def test_a_spool_can_be_looked_at_while_it_is_used(spool: Spool, path: Path) -> None:
    spool.add([reading(1)])
    assert read_ledger(path) == {"meter": Account(1, 0, 1, 0, 0, 0)}
    with closing(SpoolAdmin.view(path)) as view, pytest.raises(SpoolUnavailable, match="read-only"):
        view.add([reading(2)])


class Bookkeeping(RuleBasedStateMachine):
    """Whatever is done to a spool, in whatever order, its books balance and agree with a plain model."""

    sensors = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "spool.db"
        self.spool = SpoolAdmin.open(self.path)
        self.queued: dict[int, tuple[str, bytes]] = {}
        self.refused: dict[int, tuple[str, bytes]] = {}
        self.outcomes = {sensor: Counter[str]() for sensor in ("a", "b", "c")}
        self.number = 0

    def teardown(self) -> None:
        self.spool.close()
        self.directory.cleanup()

    @rule(sensors=st.lists(sensors, max_size=20))
    def add(self, sensors: list[str]) -> None:
        last = self.spool.last_id()
        readings = []
        for sensor in sensors:
            self.number += 1
            readings.append(reading(self.number, sensor))
            self.queued[last + len(readings)] = (sensor, readings[-1].body)
            self.outcomes[sensor]["read"] += 1
        self.spool.add(readings)

    @rule(ids=st.lists(st.integers(1, 200), max_size=40))
    def confirm(self, ids: list[int]) -> None:
        self.spool.confirm(ids)
        for id_ in ids:
            self.leave(id_, "delivered")

    @rule(id_=st.integers(1, 200))
    def refuse(self, id_: int) -> None:
        self.spool.refuse(id_, "4.00", "no")
        if id_ in self.queued:
            self.refused[id_] = self.queued.pop(id_)

    @rule(sensor=st.none() | sensors)
    def retry(self, sensor: str | None) -> None:
        if sensor is not None and not self.is_known(sensor):
            return
        again = {id_: row for id_, row in self.refused.items() if sensor in (None, row[0])}
        last = self.spool.last_id()
        assert self.spool.retry(sensor) == len(again)
        for number, id_ in enumerate(sorted(again), start=1):
            self.queued[last + number] = self.refused.pop(id_)

    @rule(sensor=sensors)
    def drop(self, sensor: str) -> None:
        if not self.is_known(sensor):
            return
        total = 0
        for rows in (self.queued, self.refused):
            for id_ in [id_ for id_, (name, _) in rows.items() if name == sensor]:
                del rows[id_]
                total += 1
        assert self.spool.drop(sensor) == total
        self.outcomes[sensor]["dropped"] += total

    @rule(old=sensors, new=sensors)
    def reassign(self, old: str, new: str) -> None:
        if not self.is_known(old) or old == new:
            return
        last = self.spool.last_id()
        moved = sorted(id_ for id_, (name, _) in self.queued.items() if name == old)
        for number, id_ in enumerate(moved, start=1):
            self.queued[last + number] = (new, self.queued.pop(id_)[1])
        kept_apart = [id_ for id_, (name, _) in self.refused.items() if name == old]
        for id_ in kept_apart:
            self.refused[id_] = (new, self.refused[id_][1])
        total = len(moved) + len(kept_apart)
        assert self.spool.reassign(old, new) == total
        self.outcomes[old]["read"] -= total
        self.outcomes[new]["read"] += total

    @rule()
    def break_and_salvage(self) -> None:
        """The file is found damaged and set aside; what it held comes back under new ids."""
        self.spool.close()
        aside = opening._quarantine(self.path)
        opening._begin_anew(self.path, aside, LIMIT_BYTES)
        self.spool = SpoolAdmin.open(self.path)
        last = self.spool.last_id()
        assert self.spool.salvage(aside).queued.total() == len(self.queued) + len(self.refused)
        assert self.spool.salvage(aside).queued.total() == 0
        rows = [row for held in (self.queued, self.refused) for _, row in sorted(held.items())]
        self.queued = {last + number: row for number, row in enumerate(rows, start=1)}
        self.refused = {}

    @rule(sensor=sensors, count=st.integers(1, 5))
    def lose(self, sensor: str, count: int) -> None:
        self.spool.add([], lost={sensor: count})
        self.outcomes[sensor]["read"] += count
        self.outcomes[sensor]["dropped"] += count

    @rule()
    def expire(self) -> None:
        self.spool._room._expire()
        for id_ in list(self.queued):
            self.leave(id_, "expired")

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = SpoolAdmin.open(self.path)

    @invariant()
    def the_books_balance(self) -> None:
        assert self.spool.audit() == []
        ledger = self.spool.ledger()
        for sensor, outcomes in self.outcomes.items():
            account = ledger.get(sensor, Account(0, 0, 0, 0, 0, 0))
            assert account.is_balanced
            queued = sum(name == sensor for name, _ in self.queued.values())
            assert account == Account(
                outcomes["read"],
                outcomes["delivered"],
                queued,
                outcomes["expired"],
                sum(name == sensor for name, _ in self.refused.values()),
                outcomes["dropped"],
            )

    @invariant()
    def the_rows_are_those_that_are_queued(self) -> None:
        assert {row.id: (row.sensor, row.body) for row in all_rows(self.spool)} == self.queued

        kept_apart = {kept.id: (kept.sensor, kept.body) for kept in self.spool.refused()}
        assert kept_apart == self.refused

    def is_known(self, sensor: str) -> bool:
        return sensor in self.spool.ledger()

    def leave(self, id_: int, outcome: str) -> None:
        if entry := self.queued.pop(id_, None):
            self.outcomes[entry[0]][outcome] += 1


Bookkeeping.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestBookkeeping = Bookkeeping.TestCase
