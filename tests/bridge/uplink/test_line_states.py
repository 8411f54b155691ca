"""`line_state`: on change, once accepted, and never in the name of a sensor that says nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.status.runtime import Runtime
from bridge.uplink.beside_readings import BesideReadings, Device
from bridge.uplink.line_states import LineStates
from tests.bridge.uplink.reporting import Server, bus_document
from tests.support.loop import on_jumping_clock

HEARD = ("ok", "partly", "refusing", "failed")
UNHEARD = ("never", "silent")


@pytest.fixture(autouse=True)
def _runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


class Play:
    """A bus whose document the test writes, and its sensors' devices."""

    def __init__(self, folder: Path) -> None:
        self.server = Server()
        self.runtime = Runtime(folder / "spool.db")
        self._ts = 0

    @asynccontextmanager
    async def reporting(self, tokens: Mapping[str, str]) -> AsyncIterator[None]:
        devices = {name: Device(self.server, ("api", "v1", token)) for name, token in tokens.items()}
        bus_of = dict.fromkeys(tokens, "meters")
        job = LineStates(self.runtime, bus_of, devices, BesideReadings(self.server))
        task = asyncio.create_task(job.run())
        await asyncio.sleep(1)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def read(self, **states: str) -> None:
        """Publish readings in these states, and wait until they were looked at."""
        self._ts += 1
        self.runtime.publish("bus-meters", bus_document(states, self._ts))
        await asyncio.sleep(11)

    async def fall(self, **states: str) -> None:
        """Publish these states without any new reading."""
        self.runtime.publish("bus-meters", bus_document(states, self._ts))
        await asyncio.sleep(11)

    def told(self, token: str = "T") -> list[str]:
        return [attributes["line_state"] for attributes in self.server.told(token, "attributes")]


@on_jumping_clock
async def test_a_state_is_sent_when_it_changes_and_only_then(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T"}):
        for state in ("never", "ok", "ok", "partly", "partly", "refusing", "failed", "ok"):
            await play.read(a=state)
            await asyncio.sleep(1200)
    assert play.told() == ["ok", "partly", "refusing", "failed", "ok"]


@on_jumping_clock
async def test_a_sensor_that_says_nothing_gets_nothing(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T"}):
        await play.read(a="ok")
        for state in UNHEARD:
            await play.fall(a=state)
        document = bus_document({"a": "ok"}, 99)
        play.runtime.publish("bus-meters", {**document, "state": "lost"})
        await asyncio.sleep(11)
        await asyncio.sleep(4000)
    assert play.told() == ["ok"]


@on_jumping_clock
async def test_nothing_is_sent_after_a_start_before_the_sensor_is_heard_anew(tmp_path: Path) -> None:
    """The reader's document still says ok of a sensor that died since: it is polled once an hour."""
    play = Play(tmp_path)
    await play.read(a="ok")
    async with play.reporting({"a": "T"}):
        await play.fall(a="ok")
        await play.fall(a="silent")
    assert play.told() == []
    async with play.reporting({"a": "T"}):
        await play.read(a="ok")
    assert play.told() == ["ok"]


@on_jumping_clock
async def test_a_state_that_was_not_accepted_is_sent_again(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T"}):
        await play.read(a="never")
        play.server.answer = None
        await play.read(a="partly")
        await asyncio.sleep(600)
        assert len(play.server.posts) > 3
        play.server.answer = "2.01"
        await asyncio.sleep(100)
        accepted = len(play.server.posts)
        await asyncio.sleep(3600)
    assert len(play.server.posts) == accepted
    assert set(play.told()) == {"partly"}


@on_jumping_clock
async def test_a_sensor_that_died_during_an_outage_gets_no_state_after_it(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T"}):
        await play.read(a="ok")
        play.server.silent = True
        await play.read(a="partly")
        await play.fall(a="silent")
        play.server.silent = False
        await asyncio.sleep(600)
    assert play.told() == ["ok"]


@on_jumping_clock
async def test_sensors_of_one_device_give_it_the_worst_state_of_those_that_are_heard(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T", "b": "T", "c": "OTHER"}):
        await play.read(a="ok", b="never", c="ok")
        await play.read(a="ok", b="refusing", c="ok")
        await play.read(a="ok", b="silent", c="ok")
    assert play.told() == ["ok", "refusing", "ok"]
    assert play.told("OTHER") == ["ok"]


@on_jumping_clock
async def test_a_bus_that_nobody_reads_any_more_says_nothing(tmp_path: Path) -> None:
    play = Play(tmp_path)
    async with play.reporting({"a": "T"}):
        await play.read(a="never")
        document = {**bus_document({"a": "ok"}, 7), "pid": 2**22 + 1, "updated": 9_999_999_999_999}
        next((tmp_path / "run").rglob("bus-meters.json")).write_text(json.dumps(document))
        await asyncio.sleep(60)
    assert play.told() == []
