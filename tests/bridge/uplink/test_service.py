"""The uplink against the real spool, the real client and a ThingsBoard stand-in on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import Instant
from bridge.coap import Client
from bridge.config import Bus, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, SpoolAdmin
from bridge.thingsboard import Value, encode_values
from bridge.uplink import Pace, Uplink
from tests.support.tables import bare

T0 = 1_700_000_000_000
QUICK = Pace(
    look_every_s=0.02,
    status_every_s=0.02,
    back_off_s=(0.05, 0.2),
    probe_every_s=0.05,
    hold_s=(0.2, 0.4),
    quiet_s=(0.02, 0.2),
)


def readings(sensor: str, numbers: Iterable[int], **values: Value) -> list[Reading]:
    """Return readings stamped `T0 + number`, each with its number and `values`."""
    found = []
    for number in numbers:
        body, points = encode_values({"number": number, **values})
        found.append(Reading(sensor, Instant("boot", number), T0 + number, body, points))
    return found


class Bench:
    """A spool, a stand-in and a client, with the uplink of a site between them."""

    def __init__(self, folder: Path, stand_in: StandIn) -> None:
        self.path = folder / "spool.db"
        self.spool = SpoolAdmin.open(self.path)
        self.stand_in = stand_in
        self.status: dict[str, Any] = {}

    @asynccontextmanager
    async def uplink(
        self, *sensors: str, pace: Pace = QUICK, timestamps: str = "gateway", **tokens: str | None
    ) -> AsyncIterator[None]:
        """Run the uplink of these sensors; a sensor's token is as given, else its name in capitals."""
        given = {sensor: tokens.get(sensor, sensor.upper()) for sensor in sensors}
        bus = bare(Bus, sensors=tuple(bare(Sensor, name=name) for name in sensors))
        url = f"coap://127.0.0.1:{self.stand_in.port}"
        site = bare(
            Site,
            thingsboard=ThingsBoard(url=url, timestamps=timestamps),
            spool=SpoolSettings(path=self.path, limit=100_000_000, commit_every_s=0.05),
            buses={"meters": bus},
        )
        credentials = Credentials({name: Token(value) for name, value in given.items() if value}, None)
        async with Client("127.0.0.1", self.stand_in.port, rate=None, ack_timeout_s=0.05) as client:
            uplink = Uplink(
                self.path, site, credentials, client=client, publish=self.status.update, pace=pace
            )
            task = asyncio.create_task(uplink.run())
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def stored(self, token: str) -> set[int]:
        """Return the numbers that arrived whole and under their own timestamp."""
        held = self.stand_in.stored.get(token, {}).get("number", {})
        return {number for ts_ms, number in held.items() if isinstance(number, int) and ts_ms == T0 + number}

    def queued(self, sensor: str) -> int:
        account = self.spool.ledger().get(sensor)
        return account.queued if account else 0

    def is_empty(self) -> bool:
        return not any(account.queued for account in self.spool.ledger().values())


async def until(claim: Callable[[], object], within_s: float = 40) -> None:
    """Wait until the claim holds."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110 - the world outside has no event for it
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    stand_in = StandIn({"A", "B", "C"}, ack_timeout_s=0.1)
    await stand_in.start()
    bench = Bench(tmp_path, stand_in)
    yield bench
    assert bench.spool.audit() == []
    bench.spool.close()
    await stand_in.stop()


async def test_everything_read_is_delivered_once(bench: Bench) -> None:
    for sensor in ("a", "b", "c"):
        bench.spool.add(readings(sensor, range(500), voltage=230.1, mode="run"))
    patient = replace(QUICK, probe_every_s=10.0)  # no answer is so late that its request is repeated
    async with bench.uplink("a", "b", "c", pace=patient):
        await until(bench.is_empty)
        bench.spool.add(readings("a", range(500, 510)))
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(510))
    assert bench.stored("B") == bench.stored("C") == set(range(500))
    assert bench.stand_in.received.duplicates == 0
    assert bench.stand_in.received.posts < 150
    assert bench.spool.ledger()["a"].delivered == 510
    assert (bench.status["state"], bench.status["last_error"], bench.status["holds"]) == ("up", None, {})


async def test_a_reading_after_a_while_is_delivered_at_once_and_those_behind_it_together(
    bench: Bench,
) -> None:
    regularly = replace(QUICK, look_every_s=3.0)
    async with bench.uplink("a", pace=regularly):
        await until(lambda: bench.status)
        for first in (0, 10):
            await asyncio.sleep(regularly.look_every_s if first else 0.0)
            began, posts = time.monotonic(), bench.stand_in.received.posts
            bench.spool.add(readings("a", [first]))
            await until(lambda first=first: bench.stored("A") > set(range(first)))
            assert time.monotonic() - began < regularly.look_every_s / 2
            for number in range(first + 1, first + 10):
                bench.spool.add(readings("a", [number]))
            await until(lambda first=first: bench.stored("A") == set(range(first + 10)))
            assert bench.stand_in.received.posts - posts <= 5  # their size begins with one and doubles


async def test_a_reading_that_the_disk_takes_long_to_take_is_delivered_as_soon_as_it_can_be_seen(
    bench: Bench,
) -> None:
    seldom = replace(QUICK, look_every_s=4.0)
    async with bench.uplink("a", pace=seldom):
        await until(lambda: bench.status)
        await asyncio.sleep(0.1)
        with closing(sqlite3.connect(bench.path, isolation_level=None)) as slow:
            slow.execute("PRAGMA cache_size=1")
            slow.execute("BEGIN IMMEDIATE")
            slow.execute("CREATE TABLE other AS SELECT randomblob(100000)")  # in the log, and not to be seen
            await asyncio.sleep(0.5)
            slow.execute("ROLLBACK")
        bench.spool.add(readings("a", [0]))
        began = time.monotonic()
        await until(lambda: bench.stored("A"))
        assert time.monotonic() - began < seldom.look_every_s / 4


async def test_an_unknown_token_waits_and_costs_the_others_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.stand_in.tokens.discard("A")
    bench.spool.add(readings("a", range(20_000)))
    bench.spool.add(readings("b", range(100)))
    async with bench.uplink("a", "b"):
        await until(lambda: not bench.queued("b"))
        assert bench.queued("a") == 20_000
        assert bench.stand_in.received.answers["4.01"] < 100  # requests, for 20,000 readings
        hold = bench.status["holds"]["a"]
        assert "access token" in hold["reason"]
        assert hold["next_try"] > T0
        assert bench.status["state"] == "holding"
        assert sum("access token" in record.message for record in caplog.records) == 1
        bench.stand_in.tokens.add("A")
        await until(bench.is_empty)
        await until(lambda: bench.status["holds"] == {})
    assert bench.stored("A") == set(range(20_000))
    assert bench.stored("B") == set(range(100))


@pytest.mark.parametrize("guilty", [0, 137, 299])
async def test_one_poisonous_reading_of_300_is_refused_alone(bench: Bench, guilty: int) -> None:
    bench.stand_in.faults.poison = b'"poison"'
    bench.spool.add(readings("a", range(guilty)))
    bench.spool.add(readings("a", [guilty], poison=1))
    bench.spool.add(readings("a", range(guilty + 1, 300)))
    async with bench.uplink("a"):
        await until(lambda: bench.queued("a") <= 1)
        bench.spool.add(readings("a", [300]))  # the evidence, should the guilty one have been the last
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(301)) - {guilty}
    account = bench.spool.ledger()["a"]
    assert (account.delivered, account.refused) == (300, 1)
    with sqlite3.connect(bench.path) as db:
        ((body, answer, reason),) = db.execute("SELECT body, answer, reason FROM refused").fetchall()
    db.close()
    assert json.loads(body) == {"number": guilty, "poison": 1}
    assert answer == "4.00"
    assert "refuses this reading" in reason
    assert bench.stand_in.received.answers["4.00"] <= 10


async def test_a_sensor_all_of_whose_readings_are_refused_is_held_and_loses_nothing(bench: Bench) -> None:
    bench.stand_in.faults.poison = b'"protobuf"'
    bench.spool.add(readings("a", range(200), protobuf=1))
    bench.spool.add(readings("b", range(200)))
    async with bench.uplink("a", "b"):
        await until(lambda: not bench.queued("b"))
        await until(lambda: "payload type" in bench.status.get("holds", {}).get("a", {}).get("reason", ""))
        assert bench.spool.ledger()["a"].refused == 0
        bench.stand_in.faults.poison = b""
        await until(bench.is_empty)
    assert bench.stored("A") == bench.stored("B") == set(range(200))
    assert bench.spool.ledger()["a"].refused == 0


async def test_a_single_refused_reading_is_tried_again_for_as_long_as_it_is_the_only_one(
    bench: Bench,
) -> None:
    bench.stand_in.faults.poison = b'"odd"'
    bench.spool.add(readings("a", [1], odd=1))
    async with bench.uplink("a"):
        await until(lambda: bench.stand_in.received.answers["4.00"] >= 2)
        assert bench.queued("a") == 1
        bench.stand_in.faults.poison = b""
        await until(bench.is_empty)
    assert bench.stored("A") == {1}


@pytest.mark.parametrize("outage", ["silent", "refused"])
async def test_after_an_outage_the_newest_goes_first_and_nothing_is_lost(bench: Bench, outage: str) -> None:
    async with bench.uplink("a", "b", pace=replace(QUICK, live_rows=4)):
        bench.spool.add(readings("a", range(10)) + readings("b", range(10)))
        await until(bench.is_empty)
        if outage == "silent":
            bench.stand_in.cut()
        else:
            await bench.stand_in.stop()
        bench.spool.add(readings("a", range(10, 20)))
        await until(lambda: bench.status["state"] == "backing off")
        assert str(bench.stand_in.port) in bench.status["last_error"]
        assert bench.status["next_try"] > T0
        for start in range(20, 2000, 20):
            bench.spool.add(readings("a", range(start, start + 20)) + readings("b", range(start, start + 20)))
        arrived = len(bench.stand_in.arrivals)
        if outage == "silent":
            bench.stand_in.restore()
        else:
            await bench.stand_in.start()
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(2000))
    assert bench.stored("B") == set(range(10)) | set(range(20, 2000))
    assert bench.stand_in.received.conflicts == 0
    for token in ("A", "B"):
        numbers = [at.ts_ms - T0 for at in bench.stand_in.arrivals[arrived:] if at.token == token]
        order = list(dict.fromkeys(numbers))  # a late answer has its request repeated, and a batch come twice
        newest = order.index(1999)
        assert newest < 500
        behind = [number for number in order[newest + 1 :] if number < 1900]
        assert behind == sorted(behind)


@pytest.mark.parametrize("outage", ["silent", "refused"])
async def test_a_wait_ends_when_the_server_is_back(bench: Bench, outage: str) -> None:
    """The next request would have been an hour later."""
    async with bench.uplink("a", pace=replace(QUICK, back_off_s=(3600, 3600))):
        bench.spool.add(readings("a", [1]))
        await until(bench.is_empty)
        if outage == "silent":
            bench.stand_in.cut()
        else:
            await bench.stand_in.stop()
        bench.spool.add(readings("a", [2]))
        await until(lambda: bench.status["state"] == "backing off")
        heard = bench.stand_in.datagrams
        if outage == "silent":
            await until(lambda: bench.stand_in.datagrams > heard + 2)
            bench.stand_in.restore()
        else:
            await asyncio.sleep(4 * QUICK.probe_every_s)
            await bench.stand_in.start()
        await until(bench.is_empty)
        await until(lambda: bench.status["state"] == "up")
        told = bench.stand_in.datagrams
        await asyncio.sleep(4 * QUICK.probe_every_s)
        assert bench.stand_in.datagrams == told  # no pings while all is well


async def test_a_server_that_acknowledges_and_never_answers_is_asked_again_until_it_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request would have been an hour later, and the last one has been acknowledged."""
    bench.stand_in.faults.hang_after_ack = True
    monkeypatch.setattr(Client, "DEADLINE_S", 3600.0)
    bench.spool.add(readings("a", [1]))
    async with bench.uplink("a", pace=replace(QUICK, back_off_s=(3600, 3600))):
        heard = bench.stand_in.datagrams
        await until(lambda: bench.stand_in.datagrams > heard + 10)
        bench.stand_in.faults.hang_after_ack = False
        began = time.monotonic()
        await until(bench.is_empty)
        assert time.monotonic() - began < 2
    assert bench.stored("A") == {1}


async def test_a_bad_link_loses_and_alters_nothing(bench: Bench) -> None:
    faults = bench.stand_in.faults
    faults.loss_in = faults.loss_out = faults.duplicate = faults.reorder = 0.15
    for sensor in ("a", "b"):
        bench.spool.add(readings(sensor, range(300), voltage=230.1))
    async with bench.uplink("a", "b"):
        await until(bench.is_empty)
    assert bench.stored("A") == bench.stored("B") == set(range(300))
    assert bench.stand_in.received.conflicts == 0


async def test_more_points_than_the_rate_limit_allows_are_sent_fewer_at_a_time(bench: Bench) -> None:
    bench.stand_in.api.rate_limit = "10:0.1"
    values = {f"k{number}": number for number in range(15)}
    bench.spool.add(readings("a", range(3), **values))
    async with bench.uplink("a"):
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(3))
    assert all(len(bench.stand_in.stored["A"][key]) == 3 for key in values)
    assert bench.stand_in.received.answers["5.00"] < 20  # eight until a reading is cut


async def test_a_server_that_fails_for_a_while_loses_nothing(bench: Bench) -> None:
    bench.stand_in.faults.failing = True
    bench.spool.add(readings("a", range(300)) + readings("b", range(300)))
    async with bench.uplink("a", "b"):
        await until(lambda: "single value" in bench.status.get("holds", {}).get("a", {}).get("reason", ""))
        bench.stand_in.faults.failing = False
        await until(bench.is_empty)
    assert bench.stored("A") == bench.stored("B") == set(range(300))


async def test_a_reading_longer_than_a_message_arrives_whole(bench: Bench) -> None:
    values = {f"a_rather_long_name_{number}": number / 7 for number in range(150)}
    bench.spool.add(readings("a", range(5), **values))
    async with bench.uplink("a"):
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(5))
    assert all(len(bench.stand_in.stored["A"][key]) == 5 for key in values)
    assert bench.spool.ledger()["a"].delivered == 5


async def test_a_value_that_fits_no_message_is_kept_apart(bench: Bench) -> None:
    bench.spool.add(readings("a", [1], text="x" * 3000) + readings("a", [2]))
    async with bench.uplink("a"):
        await until(bench.is_empty)
    assert 2 in bench.stored("A")
    assert "text" not in bench.stand_in.stored["A"]
    assert bench.spool.ledger()["a"].refused == 1


async def test_readings_without_a_credential_or_a_sensor_wait_and_are_reported_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench.uplink("a", "b", b=None):
        for number in range(10):
            bench.spool.add([r for sensor in ("a", "b", "old") for r in readings(sensor, [number])])
        await until(lambda: not bench.queued("a"))
        await until(lambda: "old" in bench.status["holds"])
        assert "credentials.toml" in bench.status["holds"]["b"]["reason"]
        assert bench.status["holds"]["b"]["next_try"] is None
    assert (bench.queued("b"), bench.queued("old")) == (10, 10)
    errors = Counter(str(r.args[0]) for r in caplog.records if r.levelno == logging.ERROR and r.args)
    assert errors == {"b": 1, "old": 1}
    async with bench.uplink("a", "b"):
        await until(lambda: not bench.queued("b"))
    assert bench.stored("B") == set(range(10))


async def test_two_sensors_of_one_device_share_their_messages(bench: Bench) -> None:
    bench.spool.add(readings("left", range(50)) + readings("right", range(50, 100)))
    async with bench.uplink("left", "right", left="A", right="A"):
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(100))


async def test_it_stops_at_once_and_goes_on_where_it_was(bench: Bench) -> None:
    bench.stand_in.faults.latency_s = 0.02
    bench.spool.add(readings("a", range(2000)))
    async with bench.uplink("a"):
        await until(lambda: bench.stand_in.received.entries > 200)
        bench.stand_in.cut()
        stopping_at = time.monotonic()
    assert time.monotonic() - stopping_at < 3  # far below any answer's deadline
    left = bench.queued("a")
    assert 0 < left < 2000
    assert bench.spool.ledger()["a"].delivered == 2000 - left
    bench.stand_in.faults.latency_s = 0
    bench.stand_in.restore()
    async with bench.uplink("a"):
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(2000))
    assert bench.stand_in.received.duplicates <= 200


async def test_only_live_readings_may_take_the_servers_time(bench: Bench) -> None:
    bench.spool.add(readings("a", range(5)))
    async with bench.uplink("a", timestamps="server"):
        await until(bench.is_empty)
        assert bench.stored("A") == set(range(5))
        bench.spool.add(readings("a", [5]))
        await until(bench.is_empty)
        bench.spool.add(readings("a", range(6, 9)))  # came together: one server time would make them one
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(9)) - {5}
    assert 5 in bench.stand_in.stored["A"]["number"].values()


@pytest.mark.parametrize("fault", ["swallow_above", "ignore_above", "hang_above"])
async def test_silence_above_a_length_makes_messages_shorter_and_ends_nothing(
    bench: Bench, fault: str
) -> None:
    """The path swallows them, the server drops them, or it acknowledges them and drops them."""
    setattr(bench.stand_in.faults, fault, 700)
    bench.spool.add(readings("a", range(600)))
    async with bench.uplink("a"):
        await until(bench.is_empty)
    assert bench.stored("A") == set(range(600))
    assert bench.stand_in.received.posts < 600 / 6


async def test_a_value_too_long_for_the_path_holds_no_other_reading(bench: Bench) -> None:
    bench.stand_in.faults.swallow_above = 600
    bench.spool.add(readings("a", range(5)))
    bench.spool.add(readings("a", [5], text="x" * 800))
    bench.spool.add(readings("a", range(6, 60)))
    async with bench.uplink("a"):
        await until(lambda: bench.queued("a") == 0)
        bench.spool.add(readings("a", [60]))
        await until(lambda: bench.queued("a") == 0)
    assert bench.stored("A") == set(range(61))
    assert "text" not in bench.stand_in.stored["A"]  # the rest of its reading, which is kept apart
    assert bench.spool.ledger()["a"].refused == 1
