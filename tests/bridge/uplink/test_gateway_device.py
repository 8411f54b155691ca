"""The gateway's own device: each minute, at once on a change, and only what is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.clock.kernel_clock import system_clock
from bridge.config import Bus, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.gateway import delivering
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Spool
from bridge.status.gateway_report import SpoolFigures
from bridge.status.runtime import Runtime
from bridge.uplink.beside_readings import BesideReadings, Device
from bridge.uplink.gateway_device import GatewayDevice, read_spool
from tests.bridge.uplink.reporting import Server, bus_document
from tests.bridge.uplink.test_service import readings, until
from tests.support.loop import JumpingLoop, on_jumping_clock
from tests.support.tables import bare

SPOOL = SpoolFigures(9, 8, 1, 0, 0, 0, oldest_age_s=2, bytes=10, limit=100, disk_free_bytes=1000)


@pytest.fixture(autouse=True)
def _runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))

    def at_once(self: JumpingLoop, executor: object, work: Any, *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        future.set_result(work(*args))
        return future

    monkeypatch.setattr(JumpingLoop, "run_in_executor", at_once)  # a thread takes no time on this clock


class Play:
    """A gateway with its device; the test publishes what its processes would."""

    def __init__(self, folder: Path, sensors: int = 2, *, has_credential: bool = True) -> None:
        self.server = Server()
        self.documents: list[Any] = []
        self.names = [f"sensor-{number:03}" for number in range(sensors)]
        self.runtime = Runtime(folder / "spool.db")
        bus = bare(Bus, name="meters", sensors=tuple(bare(Sensor, name=name) for name in self.names))
        site = bare(
            Site, name="barn", thingsboard=ThingsBoard(url="coap://a", gateway="gate"), buses={"meters": bus}
        )
        self.job = GatewayDevice(
            site,
            Device(self.server, ("api", "v1", "G")) if has_credential else None,
            BesideReadings(self.server),
            runtime=self.runtime,
            clock=system_clock("system"),
            publish=self.documents.append,
            read_spool=lambda: SPOOL,
        )

    def publish(self, state: str = "ok", **states: str) -> None:
        document = bus_document({**dict.fromkeys(self.names, state), **states}, last_ts=2_000_000_000_000)
        self.runtime.publish("bus-meters", document)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.job.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def reports(self) -> list[Any]:
        return self.server.told("G", "telemetry")


@on_jumping_clock
async def test_it_reports_each_minute_and_only_what_is_new(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.publish()
    async with play.reporting():
        await asyncio.sleep(20 * 60 - 1)
    assert len(play.reports) == 20
    first, *others = play.reports
    assert first["spool_queued"] == 1
    assert first["sensor_sensor-000_state"] == "ok"
    assert all("uptime_s" in report and len(report) <= 2 for report in others)
    (attributes,) = play.server.told("G", "attributes")
    assert attributes["site"] == "barn"


@on_jumping_clock
async def test_a_change_of_state_is_told_at_once(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.publish()
    async with play.reporting():
        await asyncio.sleep(62)
        before = len(play.reports)
        play.publish(**{"sensor-001": "silent"})
        await asyncio.sleep(6)
        (report,) = play.reports[before:]
    assert report == {"sensors_heard": 1, "sensors_silent": 1, "sensor_sensor-001_state": "silent"}


@on_jumping_clock
async def test_what_was_not_accepted_is_told_with_the_next_report(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.publish()
    async with play.reporting():
        await asyncio.sleep(30)
        play.server.answer = None
        play.publish(**{"sensor-001": "silent"})
        await asyncio.sleep(300)
        assert play.documents[-1]["trouble"] == "the server does not answer"
        play.server.answer, refused = "2.01", len(play.reports)
        await asyncio.sleep(100)
    told: dict[str, Any] = {}
    for report in play.reports[refused:]:
        told |= report
    assert told["sensor_sensor-001_state"] == "silent"
    assert play.documents[-1]["trouble"] is None


@on_jumping_clock
async def test_everything_is_told_once_an_hour(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.publish()
    async with play.reporting():
        await asyncio.sleep(3 * 3600 - 60)
    assert sum("sensor_sensor-000_state" in report for report in play.reports) == 3


@on_jumping_clock
async def test_a_hundred_sensors_take_several_messages_that_each_fit(tmp_path: Path) -> None:
    play = Play(tmp_path, sensors=100)
    play.server.room = 900
    play.publish()
    async with play.reporting():
        await asyncio.sleep(30)
    sizes = [len(body) for _, path, body in play.server.posts if path[-1] == "telemetry"]
    assert max(sizes) <= 900
    assert sum(sizes) > 5 * 900
    told: dict[str, Any] = {}
    for report in play.reports:
        told |= report
    assert {f"sensor_{name}_state" for name in play.names} <= told.keys()


@on_jumping_clock
async def test_a_gateway_without_a_credential_says_so_and_posts_nothing(tmp_path: Path) -> None:
    play = Play(tmp_path, has_credential=False)
    async with play.reporting():
        await asyncio.sleep(600)
    (document,) = play.documents
    assert document["device"] == "gate"
    assert "no credential in credentials.toml" in document["trouble"]
    assert play.server.posts == []


def test_what_waits_is_read_from_the_spool_without_opening_it_to_work(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    assert read_spool(path, 1000) is None
    spool = Spool.open(path)
    spool.add([*readings("a", range(3)), *readings("b", range(2))])
    figures = read_spool(path, 1_000_000)
    assert figures is not None
    assert (figures.read, figures.queued, figures.delivered) == (5, 5, 0)
    assert figures.oldest_age_s > 3600  # stamped in 2023
    assert 0 < figures.bytes < 1_000_000
    assert figures.disk_free_bytes > 0
    spool.close()


async def test_reports_that_raise_end_no_delivery(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another version's status document, whose sensors are a list."""
    server = StandIn({"A", "G"})
    await server.start()
    path = tmp_path / "spool.db"
    spool = Spool.open(path)
    (tmp_path / "credentials.toml").touch(mode=0o600)
    site = Site(
        name="barn",
        path=tmp_path / "site.toml",
        thingsboard=ThingsBoard(url=f"coap://127.0.0.1:{server.port}", gateway="gate"),
        spool=SpoolSettings(path=path, commit_every_s=0.05),
        buses={"meters": bare(Bus, name="meters", sensors=(bare(Sensor, name="a"),))},
    )
    runtime = Runtime(path)
    runtime.publish("bus-meters", {"bus": "meters", "sensors": ["a"]})
    async with delivering(site, Credentials({"a": Token("A"), "gate": Token("G")})) as is_advancing:
        await until(lambda: "the report of the gateway's own device failed" in caplog.text)
        await until(lambda: "the delivery of line states failed" in caplog.text)
        spool.add(readings("a", range(20)))
        await until(lambda: spool.ledger()["a"].queued == 0)
        assert is_advancing()
    assert spool.ledger()["a"].delivered == 20
    assert "uplink failed" not in caplog.text
    spool.close()
    await server.stop()
