"""The faults of the stand-in and of the way to it."""

from __future__ import annotations

import time

import pytest

from bridge.simulator.server import message as coap
from bridge.simulator.server.message import ACK, CON, EMPTY, NON, RST, Message
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.simulator.server.raw_client import (
    READING,
    Client,
    until,
)


async def test_a_silent_server_hears_and_says_nothing(server: StandIn, client: Client) -> None:
    server.cut()
    client.request()
    client.request()
    await until(lambda: server.datagrams == 2)
    server.restore()
    await client.hears_nothing()
    assert server.stored == {}
    assert await client.ask() == ("2.01", b"")


async def test_a_server_that_hangs_acknowledges_and_stores_nothing(server: StandIn, client: Client) -> None:
    server.faults.hang_after_ack = True
    request = client.request()
    assert await client.reply() == Message(ACK, EMPTY, request.mid)
    await client.hears_nothing()
    assert server.stored == {}


async def test_a_failing_server_answers_internal_errors(server: StandIn, client: Client) -> None:
    server.faults.failing = True
    assert await client.ask() == ("5.00", b"")
    server.faults.failing = False
    assert await client.ask() == ("2.01", b"")


async def test_one_token_can_be_refused_and_one_reading_be_poison(server: StandIn, client: Client) -> None:
    server.faults.refused_tokens = frozenset({"A2"})
    server.faults.poison = b"666"
    assert await client.ask(READING, ("api", "v1", "A2", "telemetry")) == ("4.01", b"")
    assert await client.ask(b'{"ts":666,"values":{"a":1}}') == ("4.00", b"")
    assert await client.ask() == ("2.01", b"")


async def answered_of(loss: float, *, seed: int) -> tuple[list[int], list[int]]:
    """Return which of 40 requests were stored, and which of their answers came back."""
    server = StandIn({"A1"}, seed=seed)
    client = await Client.to(await server.start())
    server.faults.loss_in = server.faults.loss_out = loss
    for ts in range(40):
        client.request(b'{"ts":%d,"values":{"a":1}}' % ts, kind=NON, mid=ts)
    await until(lambda: server.datagrams == 40)
    server.faults.loss_in = server.faults.loss_out = 0.0
    answers: list[int] = []
    client.send(Message(CON, EMPTY, 0xFFFF))
    while (reply := await client.reply()).type != RST:
        answers.append(int(reply.token.removeprefix(b"tok")))
    client.transport.close()
    await server.stop()
    return sorted(server.stored["A1"]["a"]), answers


async def test_the_same_seed_loses_the_same_datagrams() -> None:
    first = await answered_of(0.4, seed=1)
    assert first == await answered_of(0.4, seed=1)
    assert first != await answered_of(0.4, seed=2)
    stored, answers = first
    assert 0 < len(answers) < len(stored) < 40


async def test_a_duplicated_datagram_is_one_request(server: StandIn, client: Client) -> None:
    server.faults.duplicate = 1.0
    request = client.request(kind=NON)
    replies = [await client.reply() for _ in range(4)]
    assert {reply.token for reply in replies} == {request.token}
    assert server.received.entries == 1
    assert server.retransmissions == 1


async def test_a_datagram_is_overtaken_by_the_next(server: StandIn, client: Client) -> None:
    server.faults.reorder = 1.0
    for ts in (1, 2):
        client.request(b'{"ts":%d,"values":{"a":1}}' % ts, kind=NON)
    for _ in range(2):
        await client.reply()
    assert [arrival.ts_ms for arrival in server.arrivals] == [2, 1]


async def test_a_lone_datagram_is_not_held_back_for_ever(server: StandIn, client: Client) -> None:
    server.faults.reorder = 1.0
    assert await client.ask(kind=NON) == ("2.01", b"")


async def test_the_way_takes_its_time_both_ways(server: StandIn, client: Client) -> None:
    server.faults.latency_s = 0.1
    started = time.monotonic()
    await client.ask()
    assert time.monotonic() - started >= 0.2


async def test_confirmable_requests_are_counted_by_the_second(server: StandIn, client: Client) -> None:
    for ts in range(20):
        await client.ask(b'{"ts":%d,"values":{"a":1}}' % ts)
    await client.ask(kind=NON)
    assert 1 <= server.busiest_second() <= 20


async def test_a_share_of_requests_is_answered_5_00_and_not_stored(server: StandIn, client: Client) -> None:
    server.faults.refused_share = 0.3
    answers = [(await client.ask(b'{"ts":%d,"values":{"k":1}}' % number))[0] for number in range(1, 301)]
    assert 60 < answers.count("5.00") < 120
    assert len(server.stored["A1"]["k"]) == answers.count("2.01")


async def test_datagrams_above_a_size_are_swallowed(server: StandIn, client: Client) -> None:
    server.faults.swallow_above = 200
    assert (await client.ask(b'{"k":"%b"}' % (100 * b"x")))[0] == "2.01"
    client.request(b'{"k":"%b"}' % (200 * b"x"))
    await client.hears_nothing()


@pytest.mark.parametrize(("fault", "is_acknowledged"), [("ignore_above", False), ("hang_above", True)])
async def test_long_requests_are_dropped_while_short_ones_and_questions_are_answered(
    server: StandIn, client: Client, fault: str, is_acknowledged: bool
) -> None:
    setattr(server.faults, fault, 100)
    assert (await client.ask(READING))[0] == "2.01"
    long = client.request(b'{"k":"%b"}' % (100 * b"x"))
    assert (await client.ask(b"", (), code=coap.GET))[0] == "2.05"
    if is_acknowledged:
        acknowledgement = await client.reply()
        assert (acknowledgement.type, acknowledgement.mid) == (coap.ACK, long.mid)
    await client.hears_nothing()


async def test_scattered_answers_overtake_each_other(server: StandIn, client: Client) -> None:
    server.faults.answer_s = (0.005, 0.05)
    sent = [client.request(mid=mid).token for mid in range(500, 530)]
    heard = [(await client.reply()).token for _ in sent]
    assert sorted(heard) == sorted(sent)
    assert heard != sent


async def test_the_requests_of_one_sensor_are_lost_and_those_of_others_are_not(
    server: StandIn, client: Client
) -> None:
    server.tokens.add("B2")
    server.faults.loss_of = {"A1": 1.0}
    client.request()
    await client.hears_nothing()
    assert (await client.ask(READING, ("api", "v1", "B2", "telemetry")))[0] == "2.01"
