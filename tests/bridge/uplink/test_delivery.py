"""Whose turn it is and what an answer does to the others, with a client that answers by script."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bridge.coap import Stats
from bridge.coap.path_limit import PathLimit
from bridge.config import Bus, Certificate, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.errors import ConnectionEnded, NotTrusted, PathTooNarrow, SpoolFull, UplinkError
from bridge.response_code import ResponseCode
from bridge.spool import Row, Spool, SpoolAdmin
from bridge.uplink import Uplink
from tests.bridge.uplink.test_service import QUICK, readings, until
from tests.support.loop import on_jumping_clock
from tests.support.tables import bare

Script = Callable[[str], Awaitable[str]]


@dataclass(frozen=True)
class Response:
    code: ResponseCode


class ScriptedClient:
    """Answers by script, which is told the token ("" with a certificate), and keeps count."""

    def __init__(self, script: Script, lanes: int = 4, *, is_there: bool = False) -> None:
        self.lanes = lanes
        self.script = script
        self.asked: list[str] = []
        self.in_flight: Counter[str] = Counter()
        self.most_in_flight = 0
        self.resets = 0
        self.pings = 0
        self.is_there = is_there
        self.at_once = 0
        self.payloads: list[int] = []
        self.refreshes = 0
        self.deadline_s = 300.0
        self.path = PathLimit(1024)

    @property
    def stats(self) -> Stats:
        return Stats(len(self.asked), {}, 0, 0, self.lanes, None, None)

    def budget(self, path: Sequence[str]) -> int:
        return self.path.limit

    def longest(self, path: Sequence[str]) -> int:
        return 1024

    def record_ignored(self, path: Sequence[str], payload_length: int) -> PathTooNarrow | None:
        now = asyncio.get_running_loop().time()
        return (
            PathTooNarrow("tb:5683", payload_length)
            if self.path.record_ignored(payload_length, now)
            else None
        )

    async def refresh(self) -> None:
        self.refreshes += 1

    def reset(self) -> None:
        self.resets += 1

    async def ping(self) -> bool:
        self.pings += 1
        return self.is_there

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Response:
        token = path[2] if len(path) == 4 else ""
        assert at_once or not self.in_flight[token], "one batch of a credential at a time"
        self.asked.append(token)
        self.at_once += at_once
        self.payloads.append(len(payload))
        self.in_flight[token] += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        try:
            code = await self.script(token)
            self.path.record_answer(len(payload))
            return Response(ResponseCode(code))
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
        """Run the uplink. With `own`, the last sensor has a certificate, and this as its way."""
        bus = bare(Bus, sensors=tuple(bare(Sensor, name=name) for name in sensors))
        site = bare(
            Site,
            thingsboard=ThingsBoard(url="coap://tb"),
            spool=SpoolSettings(path=self.path, limit=100_000_000, commit_every_s=0.02),
            buses={"meters": bus},
        )
        shown = Certificate(certificate=Path("c.pem"), key=Path("k.pem"))
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
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "spool.db", SpoolAdmin.open(tmp_path / "spool.db"))
    yield world
    assert world.spool.audit() == []
    world.spool.close()


async def accepted(_token: str) -> str:
    await asyncio.sleep(0)
    return "2.01"


@on_jumping_clock
async def test_all_lanes_are_used_and_never_more(world: World) -> None:
    client = ScriptedClient(accepted, lanes=3)
    for sensor in "abcdefgh":
        world.spool.add(readings(sensor, range(300)))
    async with world.uplink(client, *"abcdefgh"):
        await until(lambda: not any(world.queued(sensor) for sensor in "abcdefgh"))
    assert client.most_in_flight == 3


@on_jumping_clock
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


@on_jumping_clock
async def test_an_exchange_that_never_ends_is_no_advance(world: World) -> None:
    async def script(token: str) -> str:
        await asyncio.Event().wait()
        return "never"

    client = ScriptedClient(script)
    client.deadline_s = 0.1
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

    monkeypatch.setattr("bridge.systemd.GRACE_S", 0.0)
    monkeypatch.setattr("bridge.uplink.drain.SPOOL_WITHIN_S", 0.1)
    monkeypatch.setattr(Spool, "rows", rows)
    async with world.uplink(ScriptedClient(accepted), "a") as uplink:
        try:
            await until(stuck.is_set)
            await until(lambda: not uplink.is_advancing())
        finally:
            release.set()


@on_jumping_clock
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


@on_jumping_clock
async def test_one_that_is_never_answered_ends_nobodys_connection_and_teaches_no_rate(world: World) -> None:
    async def script(token: str) -> str:
        await asyncio.sleep(0.02)
        if token == "deaf":
            raise UplinkError("tb:5683 was silent")
        return "2.01"

    client = ScriptedClient(script, lanes=2)
    world.spool.add(readings("deaf", range(10)))
    async with world.uplink(client, "deaf", "fine"):
        await until(lambda: client.asked)
        for number in range(60):
            world.spool.add(readings("fine", [number]))
            await asyncio.sleep(0.01)
        await until(lambda: client.asked.count("deaf") >= 4 and not world.queued("fine"))
        assert world.status["slowed"] == {}
        resets = client.resets
        world.spool.add(readings("fine", [100]))
        await until(lambda: not world.queued("fine"))
    assert client.resets == resets <= 1  # the first silence, before anybody was answered, may be the link's


@on_jumping_clock
async def test_an_answer_to_what_was_sent_earlier_does_not_say_that_others_are_answered(world: World) -> None:
    """All fall silent, and one answer to a request from before comes late: that is an outage."""
    sent, late = asyncio.Event(), asyncio.Event()

    async def script(token: str) -> str:
        if token == "early" and not late.is_set():
            await late.wait()
            return "2.01"
        await asyncio.sleep(0.02)
        if token == "cut":
            late.set()
            await asyncio.sleep(0.02)
            raise UplinkError("tb:5683 was silent")
        return "2.01"

    client = ScriptedClient(script, lanes=2)
    world.spool.add(readings("early", [1]))
    async with world.uplink(client, "early", "cut"):
        await until(lambda: client.asked == ["early"])
        sent.set()
        world.spool.add(readings("cut", [1]))
        await until(lambda: client.resets == 1)
        assert world.status.get("holds", {}).get("cut") is None or world.status["state"] == "backing off"


@on_jumping_clock
async def test_the_first_silence_of_a_credential_counts_until_it_is_answered(world: World) -> None:
    """Others were answered since, though not since its last try: it is this one's silence, not the link's."""

    async def script(token: str) -> str:
        await asyncio.sleep(0.03)
        if token == "deaf":
            raise UplinkError("tb:5683 was silent")
        return "2.01"

    client = ScriptedClient(script, lanes=2)
    world.spool.add(readings("deaf", [1]))
    world.spool.add(readings("fine", range(300)))
    async with world.uplink(client, "deaf", "fine"):
        await until(lambda: not world.queued("fine"))
        resets, asked = client.resets, client.asked.count("deaf")
        await until(lambda: client.asked.count("deaf") >= asked + 3)
        assert client.resets == resets
        assert world.status["state"] == "holding"


@on_jumping_clock
async def test_a_server_that_acknowledges_and_never_answers_is_noticed_once_it_is_back(world: World) -> None:
    back = asyncio.Event()

    async def script(_token: str) -> str:
        if not back.is_set():
            await asyncio.Event().wait()
        return "2.01"

    client = ScriptedClient(script, is_there=True)
    for sensor in "abcdef":
        world.spool.add(readings(sensor, range(3)))
    async with world.uplink(client, *"abcdef"):
        await until(lambda: client.at_once > 2)
        assert client.at_once <= client.pings
        back.set()
        began = asyncio.get_running_loop().time()
        await until(lambda: not any(world.queued(sensor) for sensor in "abcdef"))
        assert asyncio.get_running_loop().time() - began < 10 * QUICK.probe_every_s


@on_jumping_clock
async def test_a_server_that_is_slow_is_waited_for(world: World) -> None:
    """An answer takes six times as long as one is waited for at first."""

    async def script(_token: str) -> str:
        await asyncio.sleep(6 * QUICK.probe_every_s)
        return "2.01"

    client = ScriptedClient(script, is_there=True)
    world.spool.add(readings("a", range(200)))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a"))
        repeats = client.at_once
        world.spool.add(readings("a", range(200, 400)))
        await until(lambda: not world.queued("a"))
    assert client.at_once - repeats <= 1


@pytest.mark.parametrize("sensors", ["a", "abcd"])
@on_jumping_clock
async def test_a_server_that_answers_5_00_to_all_is_noticed_once_it_is_back(
    world: World, sensors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.uplink.refusals.TO_ALL_AFTER_S", 0.2)
    answer = "5.00"

    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        return answer

    client = ScriptedClient(script)
    for sensor in sensors:
        world.spool.add(readings(sensor, range(3)))
    async with world.uplink(client, *sensors):
        await until(lambda: len(client.asked) > 20)
        assert client.resets == 0
        answer = "2.01"
        began = asyncio.get_running_loop().time()
        await until(lambda: not any(world.queued(sensor) for sensor in sensors))
        assert asyncio.get_running_loop().time() - began < 0.5  # far less than the wait of each of them


@on_jumping_clock
async def test_what_swallows_long_messages_gets_shorter_ones(world: World) -> None:
    async def script(_token: str) -> str:
        if client.payloads[-1] > 700:
            await asyncio.Event().wait()
        return "2.01"

    client = ScriptedClient(script, is_there=True)
    world.spool.add(readings("a", range(400)))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a"))
    assert sum(length > 700 for length in client.payloads) <= 4
    assert max(length for length in client.payloads if length <= 700) > 350


@on_jumping_clock
async def test_a_value_longer_than_what_was_answered_is_not_refused_for_it(world: World) -> None:
    async def script(_token: str) -> str:
        if client.payloads[-1] > 700 and client.payloads.count(client.payloads[-1]) < 4:
            await asyncio.Event().wait()
        return "2.01"

    client = ScriptedClient(script, is_there=True)
    world.spool.add(readings("a", [1], text="x" * 800) + readings("a", range(2, 50)))
    async with world.uplink(client, "a"):
        await until(lambda: not world.queued("a"))
    assert world.spool.ledger()["a"].refused == 0


@on_jumping_clock
async def test_a_sensor_that_is_refused_in_part_is_said_to_be_slowed(world: World) -> None:
    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        return "5.00" if len(client.asked) % 3 == 0 else "2.01"

    client = ScriptedClient(script)
    async with world.uplink(client, "a"):
        for number in range(40):
            world.spool.add(readings("a", [number]))
            await asyncio.sleep(0.02)
        await until(lambda: "a" in world.status.get("slowed", {}))
        slowed = world.status["slowed"]["a"]
        assert slowed["values_per_s"] > 0
        assert abs(slowed["since"] / 1000 - time.time()) < 10
        assert slowed["reason"] == "5.00 from the server"
        assert world.status["holds"] == {}
        await until(lambda: not world.queued("a"))


@on_jumping_clock
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


@on_jumping_clock
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


@on_jumping_clock
async def test_a_server_that_is_not_trusted_is_asked_rarely_and_without_pings(world: World) -> None:
    async def script(_token: str) -> str:
        await asyncio.sleep(0)
        raise NotTrusted("the certificate of tb:5684 has expired")

    client = ScriptedClient(script, lanes=1)
    for sensor in "abc":
        world.spool.add(readings(sensor, [1]))
    started = asyncio.get_running_loop().time()
    async with world.uplink(client, *"abc"):
        await until(lambda: len(client.asked) == 4)
        passed = asyncio.get_running_loop().time() - started
        assert world.status["state"] == "backing off"
        assert world.status["last_error"] == "the certificate of tb:5684 has expired"
    least = 3 * QUICK.hold_s[0] * (1 - QUICK.jitter)
    assert passed > least
    assert client.pings == 0


@on_jumping_clock
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


@on_jumping_clock
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


@on_jumping_clock
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


@on_jumping_clock
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


@on_jumping_clock
async def test_a_held_credential_has_the_name_resolved_before_it_is_tried_again(world: World) -> None:
    refused = 0

    async def script(token: str) -> str:
        nonlocal refused
        is_refused = token == "a" and refused < 3
        refused += is_refused
        return "4.01" if is_refused else "2.01"

    client = ScriptedClient(script)
    world.spool.add([*readings("a", range(3)), *readings("b", range(3))])
    async with world.uplink(client, "a", "b"):
        await until(lambda: world.queued("a") == 0)
    assert client.refreshes == refused


@on_jumping_clock
async def test_what_the_path_swallows_goes_again_at_once_in_shorter_messages(world: World) -> None:
    async def script(token: str) -> str:
        if client.path.limit > 200:
            client.path.limit = 200
            raise PathTooNarrow("tb:5683", 1024)
        return "2.01"

    client = ScriptedClient(script)
    world.spool.add(readings("a", range(30)))
    async with world.uplink(client, "a"):
        await until(lambda: world.queued("a") == 0)
    assert client.resets == 0
