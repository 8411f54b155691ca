"""The thread between the event loop and the disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bridge.clock import Instant
from bridge.errors import SpoolDamaged, SpoolFull
from bridge.spool import Account, Reading, Spool, SpoolAdmin, SpoolWriter, read_ledger
from bridge.spool.writer import GROUP, KEPT_IN_MEMORY

NEVER_S = 3600.0
DEADLINE_S = 30.0


def reading(number: int, sensor: str = "meter") -> Reading:
    return Reading(sensor, Instant("boot", number), 1_800_000_000_000 + number, b'{"v":%d}' % number, 1)


class WatchedSpool(Spool):
    """A spool that tells of each commit, can be held back, and can be full."""

    loop: asyncio.AbstractEventLoop
    committed: asyncio.Event
    attempted: asyncio.Event
    may_commit: threading.Event
    is_full: bool

    @classmethod
    def watched(cls, path: Path) -> WatchedSpool:
        spool = cls.open(path)
        spool.loop = asyncio.get_running_loop()
        spool.committed, spool.attempted = asyncio.Event(), asyncio.Event()
        spool.may_commit = threading.Event()
        spool.may_commit.set()
        spool.is_full = False
        return spool

    def add(self, readings: Sequence[Reading], **lost: object) -> None:
        self.loop.call_soon_threadsafe(self.attempted.set)
        assert self.may_commit.wait(DEADLINE_S)
        if self.is_full:
            raise SpoolFull("no room on the disk")
        super().add(readings, **lost)  # type: ignore[arg-type]
        self.loop.call_soon_threadsafe(self.committed.set)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


async def test_closing_commits_everything(path: Path) -> None:
    writer = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
    for number in range(1234):
        writer.put(reading(number))
    await writer.close()
    assert read_ledger(path)["meter"].queued == 1234


async def test_a_flush_waits_for_what_was_put_before_it(path: Path) -> None:
    writer = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
    writer.put(reading(1))
    await writer.flush()
    assert read_ledger(path)["meter"].queued == 1
    await writer.flush()
    await writer.close()


async def test_an_urgent_first_reading_is_committed_at_once_and_those_after_it_in_groups(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=NEVER_S, is_first_urgent=True)
    writer.put(reading(1))
    await asyncio.wait_for(spool.committed.wait(), DEADLINE_S)
    assert read_ledger(path)["meter"].queued == 1
    spool.attempted.clear()
    for number in range(2, GROUP + 1):
        writer.put(reading(number))
    await asyncio.to_thread(threading.Event().wait, 0.05)  # the writer's thread has had its turn
    assert not spool.attempted.is_set()
    writer.put(reading(GROUP + 1))
    await asyncio.wait_for(spool.attempted.wait(), DEADLINE_S)
    await writer.close()
    assert read_ledger(path)["meter"].queued == GROUP + 1


async def test_a_single_reading_is_committed_after_a_while(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=0.01)
    for number in (1, 2):
        writer.put(reading(number))
        spool.committed.clear()
        await asyncio.wait_for(spool.committed.wait(), DEADLINE_S)
        assert read_ledger(path)["meter"].queued == number
    await writer.close()


async def test_a_full_group_does_not_wait(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=NEVER_S)
    for number in range(GROUP):
        writer.put(reading(number))
    await asyncio.wait_for(spool.committed.wait(), DEADLINE_S)
    assert read_ledger(path)["meter"].queued == GROUP
    await writer.close()


async def test_a_slow_disk_does_not_hold_up_the_loop(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=0.0)
    spool.may_commit.clear()
    writer.put(reading(0))
    await asyncio.wait_for(spool.attempted.wait(), DEADLINE_S)
    for number in range(1, 1000):
        writer.put(reading(number))  # returns, though the disk does not
        await asyncio.sleep(0)
    spool.may_commit.set()
    await writer.close()
    assert read_ledger(path)["meter"].queued == 1000


async def test_a_full_disk_is_said_once_and_overcome(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=0.0)
    spool.is_full = True
    for number in range(KEPT_IN_MEMORY + 7):
        writer.put(reading(number))
    for _ in range(3):
        with pytest.raises(SpoolFull):
            await writer.flush()
    spool.is_full = False
    await writer.flush()
    await writer.close()
    assert read_ledger(path) == {"meter": Account(KEPT_IN_MEMORY + 7, 0, KEPT_IN_MEMORY, 0, 0, 7)}
    said = [record.getMessage() for record in caplog.records if record.name == "bridge.spool.writer"]
    assert [sentence.split(";")[0].split(",")[0] for sentence in said] == [
        "no room on the disk: up to 10000 readings wait in memory",
        "no room on the disk",
        "the spool takes readings again",
    ]


async def test_what_is_lost_while_the_disk_is_slow_is_booked_though_nothing_follows(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    spool.may_commit.clear()
    writer = SpoolWriter(spool, commit_every_s=0.0)
    writer.put(reading(0))
    await asyncio.wait_for(spool.attempted.wait(), DEADLINE_S)
    for number in range(1, KEPT_IN_MEMORY + 3):
        writer.put(reading(number))
    spool.may_commit.set()
    await writer.close()
    assert read_ledger(path) == {"meter": Account(KEPT_IN_MEMORY + 3, 0, KEPT_IN_MEMORY, 0, 0, 3)}


async def test_a_full_disk_does_not_keep_the_writer_from_closing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=NEVER_S)
    spool.is_full = True
    writer.put(reading(1))
    await writer.close()
    assert "1 readings could not be kept" in caplog.text


async def test_a_damaged_spool_is_told_to_who_puts(path: Path) -> None:
    writer = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
    path.with_name("spool.db.damaged").touch()  # as another process does that found damage
    writer.put(reading(1))
    with pytest.raises(SpoolDamaged, match="found damaged"):
        await writer.flush()
    with pytest.raises(SpoolDamaged, match="found damaged"):
        writer.put(reading(2))
    with pytest.raises(SpoolDamaged, match="found damaged"):
        await writer.flush()
    await writer.close()


async def test_a_closed_writer_takes_nothing(path: Path) -> None:
    writer = SpoolWriter(SpoolAdmin.open(path))
    await writer.close()
    await writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.put(reading(1))
    with pytest.raises(ValueError, match="closed"):
        await writer.flush()


async def test_two_writers_share_a_spool(path: Path) -> None:
    writers = [SpoolWriter(SpoolAdmin.open(path), commit_every_s=0.0) for _ in range(2)]
    for number in range(300):
        for index, writer in enumerate(writers):
            writer.put(reading(number, f"s{index}"))
        await asyncio.sleep(0)
    for writer in writers:
        await writer.close()
    with closing(SpoolAdmin.open(path)) as spool:
        assert spool.audit() == []
        assert {name: account.queued for name, account in spool.ledger().items()} == {"s0": 300, "s1": 300}


async def test_counters_are_committed_with_the_readings_that_came_with_them(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=0.01)
    spool.may_commit.clear()
    writer.note_counters({"house/1": 7})
    writer.put(reading(1))
    await asyncio.wait_for(spool.attempted.wait(), DEADLINE_S)
    assert (saved_counters(path), queued(path)) == ({}, 0)
    spool.may_commit.set()
    await asyncio.wait_for(spool.committed.wait(), DEADLINE_S)
    assert (saved_counters(path), queued(path)) == ({"house/1": 7}, 1)
    await writer.close()


async def test_counters_without_a_reading_are_kept_at_the_end(path: Path) -> None:
    writer = SpoolWriter(SpoolAdmin.open(path), commit_every_s=NEVER_S)
    writer.note_counters({"house/1": 7, "barn/2": 1})
    writer.note_counters({"house/1": 8})
    assert await writer.close() == 0
    assert saved_counters(path) == {"house/1": 8, "barn/2": 1}


async def test_counters_without_a_reading_do_not_wait_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.spool.writer.COUNTERS_WAIT_S", 0.01)
    spool = WatchedSpool.watched(path)
    writer = SpoolWriter(spool, commit_every_s=NEVER_S)
    writer.note_counters({"house/1": 7})
    await asyncio.wait_for(spool.committed.wait(), DEADLINE_S)
    assert saved_counters(path) == {"house/1": 7}
    await writer.close()


async def test_counters_wait_for_a_disk_that_is_full(path: Path) -> None:
    spool = WatchedSpool.watched(path)
    spool.is_full = True
    writer = SpoolWriter(spool, commit_every_s=0.01)
    writer.note_counters({"house/1": 7, "barn/2": 4})
    writer.put(reading(1))
    await asyncio.wait_for(spool.attempted.wait(), DEADLINE_S)
    writer.note_counters({"house/1": 8})
    spool.is_full = False
    await writer.close()
    assert saved_counters(path) == {"house/1": 8, "barn/2": 4}


def test_a_counter_never_goes_back(path: Path) -> None:
    with closing(SpoolAdmin.open(path)) as spool:
        spool.add([], counters={"house/1": 9})
        spool.add([], counters={"house/1": 3, "barn/2": 1})
        assert spool.invocation_counters() == {"house/1": 9, "barn/2": 1}


def saved_counters(path: Path) -> dict[str, int]:
    with closing(SpoolAdmin.view(path)) as spool:
        return spool.invocation_counters()


def queued(path: Path) -> int:
    return sum(account.queued for account in read_ledger(path).values())
