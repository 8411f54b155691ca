"""Line statistics: counted, kept across a restart, and shown in ThingsBoard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Bus, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.errors import UplinkError
from bridge.gateway import delivering
from bridge.response_code import ResponseCode
from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Spool
from bridge.status.line_statistics import Memory, attributes
from bridge.status.runtime import Runtime
from bridge.uplink import diagnostics
from bridge.uplink.diagnostics import Diagnostics
from tests.bridge.reader.test_reader import Bench, bench, bus_of, sensor, simulated
from tests.bridge.uplink.test_service import readings, until
from tests.support.loop import on_jumping_clock
from tests.support.tables import bare

__all__ = ["bench", "simulated"]

DOCUMENT: dict[str, Any] = {
    "bus": "meters",
    "sensors": {
        "a": {"state": "ok", "requests": 10, "timeouts": 1, "exception_codes": {"2": 1}, "wire_share": 0.2}
    },
    "line": {"requests": 10, "echoes": 3, "has_echo": True},
}


def test_what_was_counted_before_is_added(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    Memory(path).save(DOCUMENT)
    total = Memory(path).total(DOCUMENT)
    assert total["sensors"]["a"] == {
        "state": "ok",
        "requests": 20,
        "timeouts": 2,
        "exception_codes": {"2": 2},
        "wire_share": 0.2,
    }
    assert total["line"] == {"requests": 20, "echoes": 6, "has_echo": True}


def test_a_damaged_file_means_a_fresh_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "meters.json"
    path.write_text('{"sensors": ')
    assert Memory(path).total(DOCUMENT) == DOCUMENT
    assert "begin afresh" in caplog.text


def test_a_sensor_that_is_new_begins_at_its_own_count(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    Memory(path).save({"sensors": {}, "line": {}})
    assert Memory(path).total(DOCUMENT) == DOCUMENT


def test_attributes_are_flat() -> None:
    shown = attributes(DOCUMENT["sensors"]["a"], "meters")
    assert shown == {
        "line_bus": "meters",
        "line_requests": 10,
        "line_timeouts": 1,
        "line_exception_2": 1,
        "line_state": "ok",
        "line_wire_share": 0.2,
    }


async def test_a_reader_counts_on_where_it_stopped(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    path = tmp_path / "meters.json"
    replies = 0
    for _ in range(2):
        async with bench.reading(bus, memory=Memory(path)):
            enough = partial(_has_more_replies, than=replies + 5)
            found = await bench.status(enough)
        counts = found["sensors"]["a"]
        assert counts["replies"] == found["line"]["replies"] > replies
        assert counts["turn_around_p50_ms"] > 0
        assert counts["lateness_p99_ms"] >= 0
        assert 0 < counts["wire_share"] <= 1
        replies = bench.documents[-1]["line"]["replies"]
    assert Memory(path).total(DOCUMENT)["line"]["requests"] >= 10 + replies


def _has_more_replies(document: Mapping[str, Any], *, than: int) -> bool:
    return bool(document["line"]["replies"] > than)


class Server:
    """Stands in for the client; refuses while `is_down`."""

    lanes = 1
    stats = None

    def __init__(self) -> None:
        self.is_down = False
        self.posts: list[tuple[float, tuple[str, ...], bytes]] = []

    async def post(self, path: Any, payload: bytes) -> Any:
        self.posts.append((asyncio.get_running_loop().time(), tuple(path), payload))
        if self.is_down:
            raise UplinkError("down")
        return type("Created", (), {"code": ResponseCode("2.01")})

    async def ping(self) -> bool:
        return True

    def budget(self, path: Any) -> int:
        return self.room

    deadline_s = 300.0
    room = 1024

    def longest(self, path: Any) -> int:
        return 1024

    async def refresh(self) -> None:
        """Nothing to resolve."""

    def reset(self) -> None:
        """Nothing to reset."""


@on_jumping_clock
async def _seldom_and_on_change(folder: Path) -> None:
    runtime = Runtime(folder / "spool.db")
    runtime.publish("bus-meters", DOCUMENT)
    server = Server()
    begun = asyncio.get_running_loop().time()
    job = Diagnostics(runtime, Credentials({"a": Token("T")}, None), client=server, own_clients={})
    task = asyncio.create_task(job.run())
    await asyncio.sleep(2 * diagnostics.SEND_EVERY_S - 60)
    silent = {**DOCUMENT, "sensors": {"a": {**DOCUMENT["sensors"]["a"], "state": "silent"}}}
    server.is_down = True
    runtime.publish("bus-meters", silent)
    await asyncio.sleep(60)
    task.cancel()
    sent_after = [round(at - begun) for at, _, _ in server.posts]
    assert sent_after == [0, diagnostics.SEND_EVERY_S, 2 * diagnostics.SEND_EVERY_S - 60]
    assert {path for _, path, _ in server.posts} == {("api", "v1", "T", "attributes")}
    assert b'"line_state":"silent"' in server.posts[-1][2]


def test_statistics_are_sent_seldom_and_when_a_state_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    _seldom_and_on_change(tmp_path)


@on_jumping_clock
async def _many_codes(folder: Path) -> None:
    counts = {"state": "ok", "requests": 99, "exception_codes": {str(code): code for code in range(1, 256)}}
    runtime = Runtime(folder / "spool.db")
    runtime.publish("bus-meters", {**DOCUMENT, "sensors": {"a": counts}})
    server = Server()
    job = Diagnostics(runtime, Credentials({"a": Token("T")}, None), client=server, own_clients={})
    task = asyncio.create_task(job.run())
    await asyncio.sleep(1)
    task.cancel()
    ((_, _, payload),) = server.posts
    assert server.room - 30 < len(payload) <= server.room
    shown = json.loads(payload)
    assert shown["line_state"] == "ok"
    assert shown["line_requests"] == 99
    codes = sorted(int(key.rpartition("_")[2]) for key in shown if "exception" in key)
    assert codes == list(range(256 - len(codes), 256))  # the most frequent


def test_of_too_many_exception_codes_the_most_frequent_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    _many_codes(tmp_path)


async def test_statistics_that_raise_end_no_delivery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version's status document, whose sensors are a list."""
    server = StandIn({"A"})
    await server.start()
    path = tmp_path / "spool.db"
    spool = Spool.open(path)
    (tmp_path / "credentials.toml").touch(mode=0o600)
    site = Site(
        name="barn",
        path=tmp_path / "site.toml",
        thingsboard=ThingsBoard(url=f"coap://127.0.0.1:{server.port}", diagnostics=True),
        spool=SpoolSettings(path=path, commit_every_s=0.05),
        buses={"meters": bare(Bus, sensors=(bare(Sensor, name="a"),))},
    )
    runtime = Runtime(path)
    runtime.publish("bus-meters", {"bus": "meters", "sensors": ["a"]})
    async with delivering(site, Credentials({"a": Token("A")})) as is_advancing:
        await until(lambda: "the statistics' delivery failed" in caplog.text)
        spool.add(readings("a", range(20)))
        await until(lambda: spool.ledger()["a"].queued == 0)
        assert is_advancing()
    assert spool.ledger()["a"].delivered == 20
    assert "uplink failed" not in caplog.text
    spool.close()
    await server.stop()
