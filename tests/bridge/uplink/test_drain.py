"""The spool's side of the uplink on a clock that jumps: how soon a reading is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.spool import Row, Spool, SpoolAdmin
from bridge.uplink.drain import Drain
from bridge.uplink.pace import Pace
from tests.bridge.uplink.test_feed import feed
from tests.bridge.uplink.test_service import readings
from tests.support.loop import on_jumping_clock

LOOK_EVERY_S = 10.0
SOON_S = 0.1


@asynccontextmanager
async def drained(path: Path) -> AsyncIterator[Drain]:
    """A drain of the sensor "meter" at work."""
    drain = Drain([feed()], {}, commit_every_s=1.0, pace=Pace(look_every_s=LOOK_EVERY_S))
    await drain.open(path, 100_000_000)
    running = asyncio.create_task(drain.run())
    try:
        yield drain
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await drain.close()


async def found_after_s(drain: Drain) -> float:
    """Return the seconds until readings are found."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    drain.work_available.clear()
    await drain.work_available.wait()
    return loop.time() - begun


@pytest.fixture
def showing(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Have the spool show what is written, or not yet, as while the disk is taking it."""
    is_shown = True
    rows = Spool.rows

    def shown_rows(spool: Spool, after: int, **options: Any) -> tuple[list[Row], int]:
        return rows(spool, after, **options) if is_shown else ([], after)

    def show(shown: bool) -> None:
        nonlocal is_shown
        is_shown = shown

    monkeypatch.setattr(Spool, "rows", shown_rows)
    return show


@on_jumping_clock
async def test_a_reading_that_a_look_came_too_early_for_is_found_soon(
    tmp_path: Path, showing: Callable[[bool], None]
) -> None:
    with closing(SpoolAdmin.open(tmp_path / "spool.db")) as spool:
        async with drained(tmp_path / "spool.db") as drain:
            spool.add(readings("meter", [1]))
            assert await found_after_s(drain) < SOON_S
            showing(False)
            spool.add(readings("meter", [2]))
            await asyncio.sleep(LOOK_EVERY_S + 1)  # a regular look has seen nothing
            showing(True)
            assert await found_after_s(drain) < SOON_S


@on_jumping_clock
async def test_a_look_beside_the_regular_ones_delays_no_reading(tmp_path: Path) -> None:
    with closing(SpoolAdmin.open(tmp_path / "spool.db")) as spool:
        async with drained(tmp_path / "spool.db") as drain:
            spool.add(readings("meter", [1]))
            assert await found_after_s(drain) < SOON_S
            await asyncio.sleep(LOOK_EVERY_S - 1)
            drain.refill_needed.set()  # as a feed does that has run short
            await asyncio.sleep(2)
            spool.add(readings("meter", [2]))
            assert await found_after_s(drain) < SOON_S


@on_jumping_clock
async def test_a_reading_that_was_written_beside_a_commit_is_found_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SpoolAdmin.open(tmp_path / "spool.db")) as spool:
        confirm = Spool.confirm

        def confirm_behind_a_reader(uplinks: Spool, ids: Iterable[int]) -> None:
            spool.add(readings("meter", [2]))
            confirm(uplinks, ids)

        monkeypatch.setattr(Spool, "confirm", confirm_behind_a_reader)
        async with drained(tmp_path / "spool.db") as drain:
            spool.add(readings("meter", [1]))
            assert await found_after_s(drain) < SOON_S
            await asyncio.sleep(LOOK_EVERY_S + 1)
            drain.record_delivered([1])
            drain.refill_needed.set()
            assert await found_after_s(drain) < SOON_S
