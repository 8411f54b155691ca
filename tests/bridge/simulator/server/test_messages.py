"""The stand-in's message layer: which messages an answer takes, and what is repeated."""

from __future__ import annotations

import asyncio

import pytest

from bridge.simulator.server import message as coap
from bridge.simulator.server.endpoint import MIDS_PER_LIFETIME
from bridge.simulator.server.message import ACK, CON, EMPTY, NON, RST, Message
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.simulator.server.raw_client import (
    HASTY_S,
    READING,
    REPLY_WITHIN_S,
    Client,
)


async def test_a_fast_success_is_a_confirmable_response_without_acknowledgement(client: Client) -> None:
    request = client.request()
    reply = await client.reply()
    assert (reply.type, coap.dotted(reply.code), reply.token, reply.payload) == (
        CON,
        "2.01",
        request.token,
        b"",
    )
    assert reply.options == ()
    assert reply.mid != request.mid
    client.send(Message(ACK, EMPTY, reply.mid))
    await client.hears_nothing()


async def test_an_unacknowledged_response_is_repeated_four_times(hasty: Client) -> None:
    hasty.request()
    replies = [await hasty.reply() for _ in range(5)]
    assert len(set(replies)) == 1


@pytest.mark.parametrize("kind", [ACK, RST])
async def test_an_acknowledged_response_is_not_repeated(kind: int, hasty: Client) -> None:
    hasty.request()
    reply = await hasty.reply()
    hasty.send(Message(kind, EMPTY, reply.mid))
    await asyncio.sleep(5 * HASTY_S)
    while not hasty.heard.empty():  # what was under way before the server heard
        assert await hasty.reply() == reply
    await asyncio.sleep(20 * HASTY_S)  # the last repetition would be due
    await hasty.hears_nothing()


async def test_a_slow_success_is_acknowledged_first(server: StandIn, client: Client) -> None:
    server.faults.delay_s = 0.7
    request = client.request()
    assert await client.reply() == Message(ACK, EMPTY, request.mid)
    reply = await client.reply()
    assert (reply.type, coap.dotted(reply.code), reply.token) == (CON, "2.01", request.token)


async def test_an_error_is_piggybacked(client: Client) -> None:
    request = client.request(b"{")
    assert await client.reply() == Message(ACK, coap.BAD_REQUEST, request.mid, request.token)


@pytest.mark.parametrize(("payload", "code"), [(READING, "2.01"), (b"{", "4.00")])
async def test_a_non_confirmable_request_is_answered_in_kind(
    payload: bytes, code: str, client: Client
) -> None:
    request = client.request(payload, kind=NON)
    reply = await client.reply()
    assert (reply.type, coap.dotted(reply.code), reply.token) == (NON, code, request.token)


async def test_a_message_id_seen_before_is_answered_from_the_old_exchange(
    server: StandIn, client: Client
) -> None:
    first = client.request()
    reply = await client.reply()
    client.request(b'{"ts":2000,"values":{"voltage":1}}', mid=first.mid)
    assert await client.reply() == Message(ACK, EMPTY, first.mid)
    assert await client.reply() == reply  # not acknowledged yet, so it comes again
    client.send(Message(ACK, EMPTY, reply.mid))
    client.send(first)
    assert await client.reply() == Message(ACK, EMPTY, first.mid)
    await client.hears_nothing()
    assert server.stored == {"A1": {"voltage": {1000: 230.1}}}
    assert server.retransmissions == 2


async def test_a_repeated_error_is_piggybacked_again(client: Client) -> None:
    request = client.request(b"{")
    reply = await client.reply()
    client.send(request)
    assert await client.reply() == reply


async def test_another_port_has_message_ids_of_its_own(server: StandIn, client: Client) -> None:
    other = await Client.to(server.port)
    try:
        await client.ask(mid=7)
        assert await other.ask(b'{"ts":2000,"values":{"voltage":1}}', mid=7) == ("2.01", b"")
    finally:
        other.transport.close()
    assert set(server.stored["A1"]["voltage"]) == {1000, 2000}


async def test_a_message_id_is_new_again_after_the_exchange_lifetime() -> None:
    server = StandIn({"A1"}, exchange_lifetime_s=0.0)
    client = await Client.to(await server.start())
    try:
        await client.ask(mid=7)
        await client.ask(b'{"ts":2000,"values":{"voltage":1}}', mid=7)
    finally:
        client.transport.close()
        await server.stop()
    assert set(server.stored["A1"]["voltage"]) == {1000, 2000}


async def test_a_restart_forgets_message_ids_and_keeps_what_was_stored(
    server: StandIn, client: Client
) -> None:
    await client.ask(mid=7)
    port = server.port
    await server.stop()
    assert await server.start() == port
    await client.ask(b'{"ts":2000,"values":{"voltage":1}}', mid=7)
    assert set(server.stored["A1"]["voltage"]) == {1000, 2000}


async def test_a_stopped_server_is_refused(server: StandIn, client: Client) -> None:
    await server.stop()
    client.request()
    async with asyncio.timeout(REPLY_WITHIN_S):
        await client.refused.wait()


async def test_a_fixed_server_piggybacks_success() -> None:
    server = StandIn({"A1"}, fixed=True)
    client = await Client.to(await server.start())
    try:
        request = client.request()
        assert await client.reply() == Message(ACK, coap.CREATED, request.mid, request.token)
    finally:
        client.transport.close()
        await server.stop()


async def test_a_peer_that_used_up_the_servers_message_ids_is_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MIDS_PER_LIFETIME < 0x10000
    monkeypatch.setattr("bridge.simulator.server.endpoint.MIDS_PER_LIFETIME", 2)
    server = StandIn({"A1"}, finite_mids=True)
    client = await Client.to(await server.start())
    try:
        assert await client.ask() == ("2.01", b"")
        assert await client.ask() == ("2.01", b"")
        client.request()
        await client.hears_nothing()
        assert await client.ask(b"{") == ("4.00", b"")  # piggybacked: needs no id of the server's own
    finally:
        client.transport.close()
        await server.stop()


async def test_more_than_2048_bytes_are_dropped(server: StandIn, client: Client) -> None:
    client.request(b" " * 1900 + READING)
    assert (await client.reply()).code == coap.CREATED
    client.request(b" " * 2048 + READING)
    client.request(b"{")
    while (reply := await client.reply()).code != coap.BAD_REQUEST:
        assert reply.type == CON  # the first response again
    assert server.received.posts == 1


@pytest.mark.parametrize("rest", [b"\xf0", b"\xb1", b"\xff"], ids=["option", "cut option", "no payload"])
async def test_a_message_with_broken_options_is_answered_4_02_with_a_text(
    rest: bytes, client: Client
) -> None:
    client.transport.sendto(bytes((0x41, coap.POST, 0, 9, 7)) + rest)
    reply = await client.reply()
    assert (reply.type, reply.code, reply.mid, reply.token) == (ACK, coap.BAD_OPTION, 9, b"\x07")
    assert reply.payload


async def test_a_datagram_that_is_no_message_is_ignored(client: Client) -> None:
    for datagram in (b"\x00", bytes((0x49, coap.POST, 0, 9)) + bytes(9)):
        client.transport.sendto(datagram)
    await client.hears_nothing()


async def test_an_empty_message_that_is_not_confirmable_is_reset(client: Client) -> None:
    client.send(Message(NON, EMPTY, 9))
    assert await client.reply() == Message(RST, EMPTY, 9)


async def test_not_every_success_is_a_message_of_its_own_and_not_every_error_is_none(client: Client) -> None:
    request = client.request(b"", ("efento", "t"), code=coap.GET)
    reply = await client.reply()
    assert (reply.type, reply.mid, reply.options) == (ACK, request.mid, ())
    client.request(b"", ("api", "v1", "A1", "attributes"), code=coap.GET)
    reply = await client.reply()
    assert (reply.type, reply.code) == (CON, coap.NOT_FOUND)
    assert reply.options == ((coap.CONTENT_FORMAT, coap.uint(50)),)


async def test_a_body_in_blocks_is_too_large_and_the_answer_says_how_long_one_may_be(client: Client) -> None:
    client.request(more=((coap.BLOCK1, coap.uint(1 << 4)),))
    reply = await client.reply()
    assert reply.code == coap.TOO_LARGE
    assert dict(reply.options)[coap.SIZE1] == coap.uint(256 << 20)


async def test_an_unknown_critical_option_is_bad_and_an_elective_one_is_not(client: Client) -> None:
    assert (await client.ask(more=((65001, b""),)))[0] == "4.02"
    assert await client.ask(more=((65002, b""),)) == ("2.01", b"")


async def test_an_empty_array_is_acknowledged_and_never_answered(server: StandIn, client: Client) -> None:
    request = client.request(b"[]")
    assert await client.reply() == Message(ACK, EMPTY, request.mid)
    await client.hears_nothing()
    assert server.received.answers == {"silence": 1}
