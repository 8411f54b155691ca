"""The client against scripted servers on real sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import threading
import time
from typing import Any

import pytest

from bridge.coap import Client, Closed, NotResolved, Refused, Reset, Silent
from bridge.coap.addresses import Address
from bridge.coap.identifiers import MessageIds
from bridge.coap.udp import UDPAssociation
from tests.bridge.coap.peer import (
    ACK,
    BAD_REQUEST,
    CON,
    CONTENT,
    CREATED,
    EMPTY,
    NON,
    RST,
    Packet,
    Script,
    bare_con,
    bare_non,
    empty_ack,
    nothing,
    peer,
    piggybacked,
    reset,
    until,
)
from tests.support.ports import free_udp_port

PATH = ("api", "v1", "TOKEN", "telemetry")
SOON = 0.02  # ACK_TIMEOUT where a test wants to see retransmissions


def pending_timers() -> int:
    loop = asyncio.get_running_loop()
    return sum(not handle.cancelled() for handle in loop._scheduled)


# What ThingsBoard and other servers answer


async def test_a_bare_confirmable_answer_is_the_acknowledgement() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port, rate=None) as client:
        started = time.monotonic()
        for _ in range(200):
            assert (await client.post(PATH, b"{}")).code == "2.01"
        assert time.monotonic() - started < 60  # 200 × 2 s without the implied acknowledgement
        await until(lambda: len(server.heard) == 400)
        assert len(server.requests) == 200
        assert [packet.kind for packet in server.heard[:2]] == [CON, ACK]
        assert pending_timers() == 0
        assert client.stats.retransmissions == 0
        assert client.stats.responses == {"2.01": 200}


@pytest.mark.parametrize("script", [piggybacked, bare_non])
async def test_other_answers_stop_retransmission_too(script: Script) -> None:
    async with peer(script) as server, Client("127.0.0.1", server.port) as client:
        for _ in range(20):
            assert (await client.post(PATH, b"{}")).code == "2.01"
        assert pending_timers() == 0
        assert len(server.heard) == 20


async def test_an_answer_may_come_long_after_the_empty_acknowledgement() -> None:
    async with peer(empty_ack) as server, Client("127.0.0.1", server.port) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests and pending_timers() == 3)  # its deadline and watch, and `until`
        server.say(*bare_con(server.requests[0]))
        assert (await posting).code == "2.01"
        await until(lambda: len(server.heard) == 2)
        assert server.heard[1].kind == ACK


async def test_the_request_is_what_thingsboard_expects() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port) as client:
        await client.post(("api", "v1", "a+b%2F/é", "telemetry"), b'{"t":1}')
        request = server.requests[0]
    assert request.kind == CON
    assert request.code == 0x02
    segments = (b"\xb3api", b"\x02v1", b"\x09a+b%2F/\xc3\xa9", b"\x09telemetry")
    assert request.rest == b"".join(segments) + b"\x11\x32" + b'\xff{"t":1}'  # Content-Format 50, no Uri-Host


async def test_get_returns_the_payload() -> None:
    def clock(request: Packet) -> list[Packet]:
        return [Packet(ACK, CONTENT, request.mid, request.token, b"\xff\x69\x21\x0a\x00")]

    async with peer(clock) as server, Client("127.0.0.1", server.port) as client:
        response = await client.get(("efento", "t"))
        assert server.requests[0].code == 0x01
        assert server.requests[0].rest == b"\xb6efento\x01t"
    assert (response.code, response.payload) == ("2.05", b"\x69\x21\x0a\x00")


async def test_an_error_code_is_an_answer() -> None:
    def bad_request(request: Packet) -> list[Packet]:
        return [Packet(ACK, BAD_REQUEST, request.mid, request.token)]

    async with peer(bad_request) as server, Client("127.0.0.1", server.port) as client:
        assert (await client.post(PATH, b"{")).code == "4.00"


async def test_a_repeated_answer_is_acknowledged_again() -> None:
    def twice(request: Packet) -> list[Packet]:
        return [answer := bare_con(request)[0], answer]

    async with peer(twice) as server, Client("127.0.0.1", server.port) as client:
        for _ in range(3):
            await client.post(PATH, b"{}")
        await until(lambda: len(server.heard) == 9)
    answers = [packet for packet in server.heard if packet.code == EMPTY]
    assert [packet.kind for packet in answers] == [ACK] * 6
    assert answers[0].mid == answers[1].mid != answers[2].mid


async def test_message_ids_begin_at_random() -> None:
    async with peer(bare_con) as server:
        for _ in range(4):
            async with Client("127.0.0.1", server.port) as client:
                await client.post(PATH, b"{}")
    mids = sorted(packet.mid for packet in server.requests)
    assert mids[-1] - mids[0] > 3


async def test_noise_from_the_server_changes_nothing() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests)
        request = server.requests[0]
        server.say(Packet(CON, EMPTY, 1))  # a ping
        server.say(Packet(CON, 0x01, 2, b"\x09"))  # a request
        server.say(Packet(CON, CREATED, 3, b"stranger"))
        server.say(Packet(NON, CREATED, 4, b"stranger"))
        server.say(Packet(ACK, CREATED, request.mid, b"stranger"))
        server.say(Packet(ACK, 0x01, request.mid, request.token))  # a request on an acknowledgement
        server.say(Packet(CON, CREATED, 5, request.token, b"\x83\xff\xfe\xfd"))  # a Location-Path, not UTF-8
        server.say(Packet(CON, CREATED, 6, request.token, b"\x0f"))  # an option that is cut
        for _ in range(100):  # more would not fit into the socket's buffer
            server.say_bytes(os.urandom(os.urandom(1)[0] % 24))
        server.say(*piggybacked(request))
        assert (await posting).code == "2.01"
        await until(lambda: len(server.heard) >= 4)
        rejected = [packet.mid for packet in server.heard if packet.kind == RST]
        assert rejected[:3] == [1, 2, 3]


async def test_tokens_cannot_be_guessed_and_message_ids_do_not_count_up() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port, rate=None) as client:
        for _ in range(300):
            await client.post(PATH, b"{}")
    tokens = [packet.token for packet in server.requests]
    assert len(set(tokens)) == 300
    assert {len(token) for token in tokens} == {8}
    assert len({token[:2] for token in tokens}) > 200  # all octets vary
    mids = [packet.mid for packet in server.requests]
    assert len(set(mids)) == 300
    assert (mids[1] - mids[0]) % 65536 != 1 or (mids[2] - mids[0]) % 65536 != 2


def test_every_message_id_is_used_once_before_any_comes_again() -> None:
    ids = MessageIds()
    assert len({ids.next_id() for _ in range(65536)}) == 65536


async def test_a_forged_answer_with_a_guessed_token_is_not_taken() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests)
        mid, token = server.requests[0].mid, server.requests[0].token
        for guess in range(1, 400):
            forged = guess.to_bytes(2, "big")
            for packet in (Packet(NON, CREATED, guess, forged), Packet(ACK, CREATED, mid, forged)):
                server.say(packet)
            server.say(Packet(CON, CREATED, guess, token[:-1] + bytes((token[-1] ^ (guess % 255 + 1),))))
            for _ in range(6):
                await asyncio.sleep(0)  # more would not fit into the socket's buffer
        assert not posting.done()
        server.script = piggybacked
        server.say(*piggybacked(server.requests[0]))
        assert (await posting).code == "2.01"


async def test_one_silent_request_ends_nobody_elses_connection() -> None:
    def answers_others(request: Packet) -> list[Packet]:
        return [] if request.payload == b"silent" else bare_con(request)

    async with peer(answers_others) as server, Client("127.0.0.1", server.port) as client:
        silent = asyncio.create_task(client.post(PATH, b"silent", deadline_s=0.3))
        await until(lambda: server.requests)
        before = server.client
        assert (await client.post(PATH, b"{}")).code == "2.01"
        with pytest.raises(Silent):
            await silent
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert server.client == before


# No answer


async def test_silence_is_told_after_every_retransmission() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port, ack_timeout_s=SOON) as client:
        with pytest.raises(Silent, match=rf"^127\.0\.0\.1:{server.port} was silent"):
            await client.post(PATH, b"{}")
        assert len(server.requests) == 1 + client.MAX_RETRANSMIT
        assert len({packet.mid for packet in server.requests}) == 1
        assert client.stats.retransmissions == client.MAX_RETRANSMIT
        assert client.stats.timeouts == 1
        assert client.stats.address is None  # the next request opens another socket


async def test_after_silence_requests_go_one_by_one_until_an_answer() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port, lanes=3) as client:
        with pytest.raises(Silent):
            await client.post(PATH, b"{}", deadline_s=0.05)
        assert client.stats.lanes == 1
        posts = [asyncio.create_task(client.post(PATH, b"{}")) for _ in range(4)]
        await until(lambda: len(server.requests) == 2)
        server.script = bare_con
        server.say(*bare_con(server.requests[1]))
        await asyncio.gather(*posts)
        assert client.stats.lanes == client.lanes == 3
        assert len(server.requests) == 5


async def test_a_request_acknowledged_and_forgotten_ends_at_its_deadline() -> None:
    async with peer(empty_ack) as server, Client("127.0.0.1", server.port, lanes=1) as client:
        with pytest.raises(Silent):
            await client.post(PATH, b"[]", deadline_s=0.2)
        server.script = bare_con
        for _ in range(5):
            assert (await client.post(PATH, b"{}")).code == "2.01"
        assert len(server.requests) == 6
        assert client.stats.retransmissions == 0


async def test_a_closed_port_is_refused_at_once() -> None:
    port = free_udp_port()
    async with Client("127.0.0.1", port) as client:
        started = time.monotonic()
        for _ in range(3):
            with pytest.raises(Refused, match=rf"^127\.0\.0\.1:{port} refused: check the port"):
                await client.post(PATH, b"{}")
        assert time.monotonic() - started < 15  # silence would take 15 s each
        async with peer(bare_con, port=port):
            assert (await client.post(PATH, b"{}")).code == "2.01"


async def test_all_lanes_learn_at_once_that_the_port_was_closed() -> None:
    async with peer(nothing) as server:
        client = Client("127.0.0.1", server.port, rate=None)
        posts = [asyncio.create_task(client.post(PATH, b"{}")) for _ in range(4)]
        await until(lambda: len(server.requests) == 4)
    posts.append(asyncio.create_task(client.post(PATH, b"{}")))
    results = await asyncio.wait_for(asyncio.gather(*posts, return_exceptions=True), 20)
    assert [type(result) for result in results] == [Refused] * 5
    await client.close()


async def test_a_reset_message_is_told() -> None:
    async with peer(reset) as server, Client("127.0.0.1", server.port) as client:
        with pytest.raises(Reset, match=r"rejected the message \(RST\)"):
            await client.post(PATH, b"{}")
        server.script = bare_con
        assert (await client.post(PATH, b"{}")).code == "2.01"


# Signs of life


async def test_what_waits_is_sent_again_with_the_first_sign_of_life() -> None:
    """Long before its next retransmission, which is further away each time."""
    async with peer(nothing) as server, Client("127.0.0.1", server.port, ack_timeout_s=0.5) as client:
        posts = [asyncio.create_task(client.post(PATH, b"{}")) for _ in range(3)]
        await until(lambda: len(server.requests) == 3 * client.MAX_RETRANSMIT)
        sent = [packet.mid for packet in server.requests]
        server.pings, server.script = reset, bare_con
        assert {post.code for post in await asyncio.gather(*posts)} == {"2.01"}
        assert sorted(packet.mid for packet in server.requests[len(sent) :]) == sorted(set(sent))
        assert client.stats.timeouts == 0
        assert pending_timers() == 0


async def test_a_request_forgotten_after_its_acknowledgement_is_sent_again() -> None:
    """By a server that restarted; one that only takes its time acknowledges it again."""
    async with peer(empty_ack) as server, Client("127.0.0.1", server.port, ack_timeout_s=SOON) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: len(server.requests) == 2)
        server.script = bare_con
        assert (await posting).code == "2.01"
        assert len({packet.mid for packet in server.requests}) == 1


async def test_a_server_that_takes_its_time_is_not_asked_often() -> None:
    async with peer(empty_ack) as server, Client("127.0.0.1", server.port, ack_timeout_s=SOON) as client:
        with pytest.raises(Silent):
            await client.post(PATH, b"{}", deadline_s=1.0)
        assert 2 <= len(server.requests) <= 5  # after 4, 12, 36 × ACK_TIMEOUT
        assert len(server.heard) == len(server.requests)  # no pings: it is there


async def test_a_ping_tells_whether_the_server_is_there() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port, ack_timeout_s=SOON) as client:
        assert not await client.ping()
        before = server.client
        server.pings = reset
        assert await client.ping()
        assert server.client != before  # a new socket after silence
        assert {(packet.kind, packet.code, len(packet.encode())) for packet in server.heard} == {(CON, 0, 4)}
        assert client.stats.requests == 0
        assert pending_timers() == 0
    async with Client("127.0.0.1", free_udp_port()) as client:
        assert not await client.ping()
        assert not await client.ping()


async def test_a_ping_without_answer_leaves_a_request_alone() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port, ack_timeout_s=0.2) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests)
        assert not await client.ping()
        server.script = bare_con
        assert (await posting).code == "2.01"


# Nothing stale


async def test_what_was_cancelled_in_a_black_hole_is_never_sent() -> None:
    async with (
        peer(nothing) as server,
        Client("127.0.0.1", server.port, ack_timeout_s=SOON, rate=None) as client,
    ):
        posts = [asyncio.create_task(client.post(PATH, b"stale")) for _ in range(300)]
        await until(lambda: len(server.requests) >= 4)
        for post in posts:
            post.cancel()
        assert all(isinstance(result, asyncio.CancelledError)
                   for result in await asyncio.gather(*posts, return_exceptions=True))  # fmt: skip
        await until(lambda: pending_timers() == 1)  # only that of `until`
        server.script = bare_con
        for _ in range(8):
            await client.post(PATH, b"fresh")
        await asyncio.sleep(20 * SOON)  # longer than all retransmissions take
        payloads = [packet.payload for packet in server.requests]
        fresh_at = payloads.index(b"fresh")  # datagrams keep their order: what comes before was sent before
        assert set(payloads[fresh_at:]) == {b"fresh"}
        assert fresh_at <= 4 * (1 + client.MAX_RETRANSMIT)


async def test_a_late_answer_is_not_taken_by_the_next_request() -> None:
    async with peer(empty_ack) as server, Client("127.0.0.1", server.port, lanes=1) as client:
        with pytest.raises(Silent):
            await client.post(PATH, b"first", deadline_s=0.1)
        posting = asyncio.create_task(client.post(PATH, b"second"))
        await until(lambda: len(server.requests) == 2)
        first, second = server.requests
        server.say(Packet(CON, BAD_REQUEST, 7, first.token))
        server.say(Packet(ACK, BAD_REQUEST, first.mid, first.token))
        server.say(Packet(CON, CREATED, 8, second.token))
        assert (await posting).code == "2.01"
        await until(lambda: len(server.heard) == 4)
        assert [(packet.kind, packet.mid) for packet in server.heard[2:]] == [(RST, 7), (ACK, 8)]


async def test_an_answer_in_the_moment_of_cancellation_does_no_harm() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port, lanes=1) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests)
        assert client._connection.current is not None
        posting.cancel()
        client._connection.current.receive(bare_con(server.requests[0])[0].encode())
        with pytest.raises(asyncio.CancelledError):
            await posting
        server.script = bare_con
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert pending_timers() == 0


async def test_cancellation_frees_the_lane_wherever_it_strikes(monkeypatch: pytest.MonkeyPatch) -> None:
    """While resolving, while the request is about to be sent, while waiting for an exchange, for the pace."""
    hanging, answer = threading.Event(), threading.Event()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        hanging.set()
        answer.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async with peer(nothing) as server, Client("localhost", server.port, lanes=1, rate=1.0) as client:
        with monkeypatch.context() as names:
            names.setattr(socket, "getaddrinfo", hang)
            posting = asyncio.create_task(client.post(PATH, b"stale"))
            waiting = asyncio.create_task(client.post(PATH, b"stale"))
            await until(hanging.is_set)
            await _cancel(waiting)
            await _cancel(posting)
            answer.set()
        with pytest.raises(NotResolved):
            await client.post(PATH, b"stale")

        for steps in range(8):  # every step that a task takes before its request has left
            posting = asyncio.create_task(client.post(PATH, b"stale"))
            for _ in range(steps):
                await asyncio.sleep(0)
            await _cancel(posting)

        server.script = bare_con
        client._pace = type(client._pace)(None)
        assert (await client.post(PATH, b"fresh")).code == "2.01"
        assert client._concurrency._busy == 0
        assert pending_timers() == 0


async def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("seed", range(3))
async def test_on_a_bad_network_every_request_gets_its_own_answer_or_none(seed: int) -> None:
    """A third lost either way, answers doubled and in any order, callers that give up."""
    chance = random.Random(seed)
    taken: set[bytes] = set()
    answered: set[bytes] = set()

    def bad(request: Packet) -> list[Packet]:
        if chance.random() < 0.33:
            return []
        taken.add(request.payload)
        body = b"\xff" + request.payload
        answers = [
            Packet(CON, CREATED, chance.randrange(65536), request.token, body),
            Packet(ACK, CREATED, request.mid, request.token, body),
            Packet(ACK, EMPTY, request.mid),
        ]
        return [answer for answer in answers for _ in range(2) if chance.random() < 0.33]

    async with peer(bad) as server, Client("127.0.0.1", server.port, ack_timeout_s=SOON, rate=None) as client:

        async def post(number: int) -> None:
            body = b"%d" % number
            try:
                response = await asyncio.wait_for(client.post(PATH, body, deadline_s=0.3), chance.random())
            except (Silent, TimeoutError):
                return
            assert response.payload == body
            answered.add(body)

        await asyncio.gather(*(post(number) for number in range(200)))
        assert answered
        assert answered <= taken
        assert client._concurrency._busy == 0
        await until(lambda: pending_timers() == 1)  # only that of `until`
        server.script = bare_con
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert not client._manager._active_exchanges
        assert not client._manager.token_manager.outgoing_requests


# Its life


async def test_reset_fails_what_is_in_flight_and_opens_a_new_socket() -> None:
    async with peer(nothing) as server, Client("127.0.0.1", server.port) as client:
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await until(lambda: server.requests)
        before = server.client
        client.reset()
        with pytest.raises(Closed):
            await posting
        server.script = bare_con
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert server.client != before


async def test_a_closed_client_answers_with_closed() -> None:
    async with peer(nothing) as server:
        client = Client("127.0.0.1", server.port, lanes=2)
        posts = [asyncio.create_task(client.post(PATH, b"{}")) for _ in range(4)]
        await until(lambda: len(server.requests) == 2)
        await client.close()
        results = await asyncio.gather(*posts, return_exceptions=True)
        assert [type(result) for result in results] == [Closed] * 4
        with pytest.raises(Closed):
            await client.post(PATH, b"{}")
        await client.close()


async def test_an_idle_client_has_nothing_to_wake_up_for() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port) as client:
        await asyncio.gather(*(client.post(PATH, b"{}") for _ in range(20)))
        assert pending_timers() == 0


async def test_a_client_keeps_nothing_of_past_requests() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port, rate=None) as client:
        await client.post(PATH, b"{}")
        server.script = empty_ack
        with pytest.raises(Silent):
            await client.post(PATH, b"{}", deadline_s=0.01)
        server.script = bare_con
        await client.post(PATH, b"{}")
        association, manager = client._connection.current, client._manager
        assert association is not None
        assert not association._exchanges
        assert not association._by_mid
        assert not association._by_token
        assert not manager._active_exchanges
        assert not manager._backlogs
        assert not manager.token_manager.outgoing_requests
    gc.collect()  # sockets and futures left behind would warn here, and warnings are errors


class Shaking(UDPAssociation):
    """A transport with a handshake to wait for, and less room in a datagram: as DTLS will be."""

    message_limit, payload_limit = 400, 300
    shaken: asyncio.Event

    @classmethod
    async def open(cls, manager: Any, address: Address, where: str) -> UDPAssociation:
        association = await super().open(manager, address, where)
        await cls.shaken.wait()
        return association


async def test_another_transport_brings_its_handshake_and_its_limits() -> None:
    Shaking.shaken = asyncio.Event()
    async with (
        peer(bare_con) as server,
        Client("127.0.0.1", server.port, ack_timeout_s=SOON, transport=Shaking) as client,
    ):
        assert client.budget(PATH) == 300
        posts = [asyncio.create_task(client.post(PATH, b"{}")) for _ in range(4)]
        await asyncio.sleep(20 * SOON)  # far longer than a request would live
        assert not server.heard
        assert client.stats.requests == 0
        Shaking.shaken.set()
        assert {response.code for response in await asyncio.gather(*posts)} == {"2.01"}


async def test_a_payload_fills_one_datagram_and_no_more() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port) as client:
        assert client.budget(PATH) == 1024
        await client.post(PATH, b"x" * 1024)
        with pytest.raises(ValueError, match="at most 1024 fit"):
            await client.post(PATH, b"x" * 1025)
        long_path = ("api", "v1", "t" * 255, "telemetry")
        await client.post(long_path, b"x" * client.budget(long_path))
        assert 1140 < len(server.requests[-1].encode()) <= 1152  # a token may take 8 bytes, and rarely does
