"""The watch on a real spool, and the kernel's own events."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path

from bridge.clock import Instant
from bridge.spool import Reading, SpoolAdmin
from bridge.spool.write_watch import WriteWatch

READING = Reading("meter", Instant("boot", 1), 1_700_000_000_000, b'{"count":1}', 1)


async def test_a_write_wakes_who_waits_and_one_that_was_skipped_does_not(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with closing(SpoolAdmin.open(path)) as reader, closing(SpoolAdmin.open(path)) as uplink:
        assert uplink.last_id() == 0
        watch = WriteWatch(path)
        for _ in range(3):
            assert not await is_told(watch, within_s=0.05)
            reader.add([READING])
            assert await is_told(watch, within_s=10)
            assert watch.skip()
            assert not watch.skip()
        watch.close()
        reader.add([READING])
        assert not await is_told(watch, within_s=0.05)


async def test_without_a_log_to_watch_nobody_is_woken_and_nothing_fails(tmp_path: Path) -> None:
    watch = WriteWatch(tmp_path / "spool.db")
    (tmp_path / "spool.db-wal").write_bytes(b"x")
    assert not watch.skip()
    assert not await is_told(watch, within_s=0.05)
    watch.close()


async def is_told(watch: WriteWatch, within_s: float) -> bool:
    """Return whether there is a write that was not skipped, or comes in so many seconds."""
    written = asyncio.Event()
    with watch.telling(written.set), suppress(TimeoutError):
        await asyncio.wait_for(written.wait(), within_s)
    return written.is_set()
