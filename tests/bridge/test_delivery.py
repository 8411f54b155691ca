"""Whose turn it is and what an answer does to the others, with a client that answers by script."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bridge.config import Bus, Certificate, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.errors import ConnectionEnded, NotTrusted, SpoolFull, UplinkError
from bridge.spool import Row, Spool
from bridge.uplink import Uplink
from tests.bridge.test_uplink import QUICK, readings, until

Script = Callable[[str], Awaitable[str]]


@dataclass(frozen=True)
class Response:
    code: str


@dataclass(frozen=True)
class Stats:
    requests: int


class ScriptedClient:
    """Answers by script, which is told the token ("" with a certificate), and keeps count."""

    def __init__(self, script: Script, lanes: int = 4) -> None:
        self.lanes = lanes
        self.script = script
        self.asked: list[str] = []
        self.in_flight: Counter[str] = Counter()
        self.most_in_flight = 0
        self.resets = 0
        self.pings = 0

    @property
    def stats(self) -> Stats:
        return Stats(len(self.asked))

    def budget(self, path: Sequence[str]) -> int:
        return 1024

    def reset(self) -> None:
        self.resets += 1

    async def ping(self) -> bool:
        self.pings += 1
        return False

    async def post(self, path: Sequence[str], payload: bytes) -> Response:
        token = path[2] if len(path) == 4 else ""
        assert not self.in_flight[token], "one batch of a credential at a time"
        self.asked.append(token)
        self.in_flight[token] += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        try:
            return Response(await self.script(token))
        finally:
            self.in_flight[token] -= 1


@dataclass
class World:
    path: Path
    spool: Spool
    status: dict[str, Any] = field(default_factory=dict)
    documents: int = 0

    def publish(self, document: dict[str, Any]) -> None:
        assert document != self.status, "published without a change"
        self.status = document
        self.documents += 1

    def queued(self, sensor: str) -> int:
        return self.spool.ledger()[sensor].queued

    @asynccontextmanager
    async def uplink(
        self,
        client: ScriptedClient,
        *sensors: str,
        certificate: bool = False,
        own: ScriptedClient | None = None,
    ) -> AsyncIterator[Uplink]:
        """Runs the uplink. With `own`, the last sensor has a certificate, and this as its way."""
        bus = Bus.model_construct(sensors=tuple(Sensor.model_construct(name=name) for name in sensors))
        site = Site.model_construct(
            thingsboard=ThingsBoard(url="coap://tb"),
            spool=SpoolSettings.model_construct(path=self.path, limit=100_000_000, commit_every_s=0.02),
            buses={"meters": bus},
        )
        shown = Certificate.model_construct(certificate=Path("c.pem"), key=Path("k.pem"))
        credentials = Credentials({name: shown if certificate else Token(name) for name in sensors}, None)
        if own is not None:
            credentials = Credentials({**credentials.sensors, sensors[-1]: shown})
        uplink = Uplink(
            self.path,
            site,
            credentials,
            client=client,
            own_clients={shown: own} if own else None,
            publish=self.publish,
            pace=QUICK,
        )
        task = asyncio.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "spool.db", Spool.open(tmp_path / "spool.db"))
    yield world
    assert world.spool.audit() == []
    world.spool.close()


async def accepted(_token: str) -> str:
    await asyncio.sleep(0)
    return "2.01"


async def test_all_lanes_are_used_and_never_more(world: World) -> None:
    client = ScriptedClient(accepted, lanes=3)
    for sensor in "abcdefgh":
        world.spool.add(readings(sensor, range(300)))
    async with world.uplink(client, *"abcdefgh"):
        await until(lambda: not any(world.queued(sensor) for sensor in "abcdefgh"))
    assert client.most_in_flight == 3


async def test_an_uplink_advances_whether_its_server_answers_or_not(world: World) -> None:
    async def script(token: str) -> str:
        await asyncio.sleep(0.01)
        if len(client.asked) > 3:
            raise UplinkError("silent")
        return "2.01"

    client = ScriptedClient(script)
    world.spool.add(readings("a", range(3000)))
    async with world.uplink(client, "a") as uplink:
        await until(lambda: client.resets > 1)
        assert uplink.is_advancing()


async def test_an_exchange_that_never_ends_is_no_advance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(token: str) -> str:
        await asyncio.Event().wait()
        return "never"

    monkeypatch.setattr("bridge.uplink.delivery.EXCHANGE_WITHIN_S", 0.1)
    client = ScriptedClient(script)
    world.spool.add(readings("a", range(3)))
    async with world.uplink(client, "a") as uplink:
        await until(lambda: bool(client.asked))
        assert uplink.is_advancing()
        await until(lambda: not uplink.is_advancing())


async def test_a_spool_that_never_answers_is_no_advance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, release = Event(), Event()

    def rows(*_: object, **__: object) -> tuple[list[Row], int]:
        stuck.set()
        release.wait(20)
        return [], 0

    monkeypatch.setattr("bridge.pulse.GRACE_S", 0.0)
    monkeypatch.setattr("bridge.uplink.drain.SPOOL_WITHIN_S", 0.1)
    monkeypatch.setattr(Spool, "rows", rows)
    async with world.uplink(ScriptedClient(accepted), "a") as uplink:
        try:
            await until(stuck.is_set)
            await until(lambda: not uplink.is_advancing())
        finally:
            release.set()


async def test_one_message_that_is_never_answered_costs_the_others_nothing(world: World) -> None:
    async def script(token: str) -> str:
        await asyncio.sleep(0.05)
        if token == "deaf":
            raise UplinkError("tb:5683 was silent")
        return "2.01"

    client = ScriptedClient(script, lanes=2)
    world.spool.add(readings("deaf", range(100)))
    world.spool.add(readings("fine", range(500)))
    async with world.uplink(client, "deaf", "fine"):
        await until(lambda: not world.queued("fine"))
        assert "silent" in world.status["holds"]["deaf"]["reason"]
        world.spool.add(readings("fine", [500]))
        await until(lambda: not world.queued("fine"))
    assert world.queued("deaf") == 100


async def test_after_silence_one_request_at_a_time_is_tried_and_everybody_in_turn(world: World) -> None:
    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        raise UplinkError("tb:5683 was silent")

    client = ScriptedClient(script)
    for sensor in "abcd":
        world.spool.add(readings(sensor, range(100)))
    async with world.uplink(client, *"abcd"):
        await until(lambda: client.resets >= 9)
        assert world.status["state"] == "backing off"
        assert world.status["last_error"] == "tb:5683 was silent"
        probes = client.asked[4:12]
        client.most_in_flight = 0
        await until(lambda: client.resets >= 11)
        assert client.most_in_flight == 1
        client.script = accepted
        await until(lambda: not any(world.queued(sensor) for sensor in "abcd"))
        await until(lambda: world.status["state"] == "up")
    assert Counter(probes) == dict.fromkeys("abcd", 2)


async def test_what_fell_with_a_connection_is_sent_again_and_counts_as_one_failure(world: World) -> None:
    fallen = asyncio.Event()

    async def script(token: str) -> str:
        if token == "first" and not fallen.is_set():
            await asyncio.sleep(0)
            fallen.set()
            raise UplinkError("tb:5683 refused")
        if not fallen.is_set():
            await fallen.wait()
            raise UplinkError("the connection was closed on this side")
        return "2.01"

    client = ScriptedClient(script)
    for sensor in ("first", "second", "third"):
        world.spool.add(readings(sensor, range(5)))
    async with world.uplink(client, "first", "second", "third"):
        await until(lambda: not any(world.queued(sensor) for sensor in ("first", "second", "third")))
    assert client.resets == 1


async def test_a_server_that_is_not_trusted_is_asked_rarely_and_without_pings(world: World) -> None:
    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        raise NotTrusted("the certificate of tb:5684 has expired")

    client = ScriptedClient(script, lanes=1)
    for sensor in "abc":
        world.spool.add(readings(sensor, [1]))
    started = time.monotonic()
    async with world.uplink(client, *"abc"):
        await until(lambda: len(client.asked) == 4)
        passed = time.monotonic() - started
        assert world.status["state"] == "backing off"
        assert world.status["last_error"] == "the certificate of tb:5684 has expired"
    least = 3 * QUICK.hold_s[0] * (1 - QUICK.jitter)
    assert passed > least
    assert client.pings == 0


async def test_a_goodbye_is_followed_by_a_fresh_connection_at_once(world: World) -> None:
    """The second in a row by a wait."""

    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        if len(client.asked) <= 2:
            raise ConnectionEnded("tb:5684 closed the connection")
        return "2.01"

    client = ScriptedClient(script)
    world.spool.add(readings("a", [1]))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a"))
    assert len(client.asked) == 3
    assert client.resets == 2


async def test_a_certificate_whose_connection_fails_is_held_alone(world: World) -> None:
    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        raise NotTrusted("the key k.pem does not belong to the certificate c.pem")

    shared, own = ScriptedClient(accepted), ScriptedClient(script)
    world.spool.add(readings("a", [1]))
    world.spool.add(readings("b", [1]))
    async with world.uplink(shared, "a", "b", own=own):
        await until(lambda: not world.queued("a") and "b" in world.status.get("holds", {}))
        await until(lambda: world.status["state"] == "holding")
        assert "k.pem does not belong" in world.status["holds"]["b"]["reason"]
        assert world.status["holds"]["b"]["next_try"] is not None
        assert world.status["last_error"] is None
        assert world.status["client"]["requests"] >= 2
    assert shared.asked == ["a"]
    assert world.queued("b") == 1


async def test_a_certificate_unknown_to_the_server_makes_a_fresh_handshake_then_waits(world: World) -> None:
    async def script(_token: str) -> str:
        return "4.01"

    client = ScriptedClient(script)
    world.spool.add(readings("a", range(5)))
    async with world.uplink(client, "a", certificate=True):
        await until(lambda: "certificate" in world.status.get("holds", {}).get("a", {}).get("reason", ""))
        assert client.resets == len(client.asked) - 1 == 1
        client.script = accepted
        await until(lambda: not world.queued("a"))


async def test_a_confirmation_the_disk_has_no_room_for_is_made_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = Spool.confirm
    failures = iter([SpoolFull("no room")] * 3)

    def full(spool: Spool, ids: list[int]) -> None:
        for failure in failures:
            raise failure
        confirm(spool, ids)

    monkeypatch.setattr(Spool, "confirm", full)
    client = ScriptedClient(accepted)
    world.spool.add(readings("a", range(100)))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a"))
    assert world.spool.ledger()["a"].delivered == 100
    assert len(client.asked) < 20


async def test_nothing_is_published_while_nothing_changes(world: World) -> None:
    client = ScriptedClient(accepted)
    world.spool.add(readings("a", range(10)))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a") and world.status["delivered_per_s"] == 0)
        before = world.documents
        await asyncio.sleep(10 * QUICK.status_every_s)
        assert world.documents == before
