"""The stand-in against a raw socket, because a library would hide what matters here."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator.server import message as coap
from bridge.simulator.server.endpoint import MIDS_PER_LIFETIME
from bridge.simulator.server.message import ACK, CON, EMPTY, NON, RST, Message
from bridge.simulator.server.stand_in import StandIn
from tests.support.programs import program

REPLY_WITHIN_S = 10.0
HASTY_S = 0.05
TELEMETRY = ("api", "v1", "A1", "telemetry")
READING = b'{"ts":1000,"values":{"voltage":230.1}}'


async def until(claim: Callable[[], bool]) -> None:
    """Returns once `claim` holds; the server has nothing to wait on for what it hears in silence."""
    async with asyncio.timeout(REPLY_WITHIN_S):
        while not claim():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class Client(asyncio.DatagramProtocol):
    """A socket, and what came back on it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.refused = asyncio.Event()
        self._mid = 100

    transport: asyncio.DatagramTransport

    @classmethod
    async def to(cls, port: int) -> Client:
        """A client of the server on that port of this host."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(cls, remote_addr=("127.0.0.1", port))
        client.transport = transport
        return client

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.put_nowait(coap.decode(data))

    def error_received(self, exc: Exception) -> None:
        self.refused.set()

    def send(self, message: Message) -> None:
        self.transport.sendto(coap.encode(message))

    def request(
        self,
        payload: bytes = READING,
        path: tuple[str, ...] = TELEMETRY,
        *,
        code: int = coap.POST,
        kind: int = CON,
        mid: int | None = None,
        query: tuple[str, ...] = (),
        more: coap.Options = (),
    ) -> Message:
        """Sends a request and returns it."""
        self._mid += 1
        options = [(coap.URI_PATH, segment.encode()) for segment in path]
        options += [(coap.URI_QUERY, item.encode()) for item in query]
        mid = self._mid if mid is None else mid
        request = Message(kind, code, mid, b"tok%d" % self._mid, (*options, *more), payload)
        self.send(request)
        return request

    async def reply(self) -> Message:
        async with asyncio.timeout(REPLY_WITHIN_S):
            return await self.heard.get()

    async def ask(self, *arguments: Any, **named: Any) -> tuple[str, bytes]:
        """A request and the code and body it is answered with; a confirmable response is acknowledged."""
        request = self.request(*arguments, **named)
        while True:
            reply = await self.reply()
            if reply.type == CON:
                self.send(Message(ACK, EMPTY, reply.mid))
            if reply.token == request.token:
                return coap.dotted(reply.code), reply.payload

    async def hears_nothing(self) -> None:
        """Nothing was on its way: a ping's RST overtakes nothing on loopback."""
        self.send(Message(CON, EMPTY, 0xFFFF))
        assert await self.reply() == Message(RST, EMPTY, 0xFFFF)


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    stand_in = StandIn({"A1", "A2"}, provisioning=("key", "secret"))
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def client(server: StandIn) -> AsyncIterator[Client]:
    found = await Client.to(server.port)
    yield found
    found.transport.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Client]:
    """A client of a server that soon repeats what is not acknowledged."""
    stand_in = StandIn({"A1"}, ack_timeout_s=HASTY_S)
    found = await Client.to(await stand_in.start())
    yield found
    found.transport.close()
    await stand_in.stop()


# The message layer.


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


# The resources.


async def test_what_was_posted_is_stored_by_token_key_and_timestamp(server: StandIn, client: Client) -> None:
    before = time.monotonic()
    await client.ask(b'[{"ts":1000,"values":{"a":1,"b":true}},{"ts":2000,"values":{"a":2.5}}]')
    await client.ask(b'{"ts":1000,"values":{"a":1}}', ("api", "v1", "A2", "TELEMETRY"))
    assert server.stored == {"A1": {"a": {1000: 1, 2000: 2.5}, "b": {1000: True}}, "A2": {"a": {1000: 1}}}
    received = server.received
    assert (received.posts, received.entries, received.values, received.duplicates) == (2, 3, 4, 0)
    assert received.entries_of == {"A1": 2, "A2": 1}
    assert [(token, ts) for _, token, ts in server.arrivals] == [("A1", 1000), ("A1", 2000), ("A2", 1000)]
    assert before <= server.arrivals[0].at <= server.arrivals[-1].at <= time.monotonic()
    assert server.posts[1].payload == b'{"ts":1000,"values":{"a":1}}'


async def test_a_flat_object_gets_the_servers_time(server: StandIn, client: Client) -> None:
    before = time.time() * 1000
    await client.ask(b"{temperature:25}")
    (ts,) = server.stored["A1"]["temperature"]
    assert before - 1 <= ts <= time.time() * 1000


async def test_a_repeated_reading_overwrites_and_is_counted(server: StandIn, client: Client) -> None:
    for payload in (READING, READING, b'{"ts":1000,"values":{"voltage":1}}'):
        await client.ask(payload)
    assert server.stored == {"A1": {"voltage": {1000: 1}}}
    assert (server.received.duplicates, server.received.conflicts) == (2, 1)


@pytest.mark.parametrize(("payload", "code"), [(b'[{"ts":1,"values":{"a":1}},7]', "4.00"), (b"", "4.00")])
async def test_one_bad_entry_refuses_the_batch(
    payload: bytes, code: str, server: StandIn, client: Client
) -> None:
    assert await client.ask(payload) == (code, b"")
    assert server.stored == {}
    assert server.received.posts == 0


async def test_a_timestamp_that_is_no_number_is_an_internal_error(client: Client) -> None:
    assert await client.ask(b'{"ts":"x","values":{"a":1}}') == ("5.00", b"")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        (coap.POST, ("api", "v1", "nobody", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "gateway", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "A1", "weather"), "4.00"),
        (coap.POST, ("api", "v1"), "4.00"),
        (coap.GET, TELEMETRY, "4.00"),
        (coap.GET, ("api", "v1", "A1", "attributes"), "4.04"),
        (0x03, TELEMETRY, "4.05"),
        (0x04, TELEMETRY, "4.05"),
        (coap.POST, ("api",), "4.05"),
        (coap.POST, ("v1", "A1", "telemetry"), "4.04"),
        (coap.POST, ("api", "v2", "A1", "telemetry"), "4.04"),
        (coap.POST, ("api", "V1", "A1", "telemetry"), "4.04"),
        (coap.POST, (), "4.05"),
        (coap.POST, ("fw",), "4.05"),
        (coap.POST, (".well-known", "core"), "4.05"),
    ],
)
async def test_other_paths_and_methods_are_refused(
    method: int, path: tuple[str, ...], code: str, client: Client
) -> None:
    assert await client.ask(READING, path, code=method) == (code, b"")


async def test_attributes_are_kept_and_given_back(server: StandIn, client: Client) -> None:
    path = ("api", "v1", "A1", "attributes")
    assert await client.ask(b'{"firmware":"2.04","n":1}', path) == ("2.01", b"")
    assert server.api.attributes == {"A1": {"firmware": 2.04, "n": 1}}
    code, body = await client.ask(b"", path, code=coap.GET)
    assert (code, json.loads(body)) == ("2.05", {"client": {"firmware": 2.04, "n": 1}})
    code, body = await client.ask(b"", path, code=coap.GET, query=("clientKeys=n,x",))
    assert (code, json.loads(body)) == ("2.05", {"client": {"n": 1}})
    assert await client.ask(b"", path, code=coap.GET, query=("clientKeys=x",)) == ("4.04", b"")
    assert await client.ask(b'[{"n":1}]', path) == ("4.00", b"")


async def test_the_servers_clock_can_be_asked(client: Client) -> None:
    code, body = await client.ask(b"", ("efento", "t"), code=coap.GET)
    assert code == "2.05"
    assert abs(int.from_bytes(body, "big") - time.time()) < 5
    assert len(body) == 4


async def test_points_beyond_the_rate_limit_are_an_internal_error_and_not_stored(
    server: StandIn, client: Client
) -> None:
    server.api.rate_limit = "3:1000"
    two = b'{"ts":%d,"values":{"a":1,"b":2}}'
    assert await client.ask(two % 1) == ("2.01", b"")
    assert await client.ask(two % 2) == ("5.00", b"")
    assert await client.ask(READING) == ("2.01", b"")  # all or nothing: the one left was not taken
    assert await client.ask(two % 3, ("api", "v1", "A2", "telemetry")) == ("2.01", b"")
    assert sorted(server.stored["A1"]["a"]) == [1]
    server.api.rate_limit = None
    assert await client.ask(two % 2) == ("2.01", b"")


PROVISION = ("api", "v1", "provision")


def provision(**wishes: str) -> bytes:
    return json.dumps({"provisionDeviceKey": "key", "provisionDeviceSecret": "secret", **wishes}).encode()


async def test_a_device_is_provisioned_once(client: Client) -> None:
    wish = provision(deviceName="soil", token="0042")
    code, body = await client.ask(wish, PROVISION)
    assert code == "2.01"
    assert json.loads(body) == {
        "credentialsType": "ACCESS_TOKEN",
        "credentialsValue": "0042",
        "status": "SUCCESS",
    }
    assert await client.ask(READING, ("api", "v1", "0042", "telemetry")) == ("2.01", b"")
    code, body = await client.ask(wish, PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "FAILURE")
    code, body = await client.ask(provision(deviceName="roof", token="0042"), PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "FAILURE")


async def test_a_device_that_brings_no_token_is_given_one(client: Client) -> None:
    _, body = await client.ask(provision(), PROVISION)
    assert await client.ask(READING, ("api", "v1", json.loads(body)["credentialsValue"], "telemetry")) == (
        "2.01",
        b"",
    )


async def test_wrong_provisioning_is_refused(client: Client) -> None:
    code, body = await client.ask(provision(provisionDeviceSecret="x"), PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "NOT_FOUND")
    assert await client.ask(b'{"provisionDeviceKey":"key"}', PROVISION) == ("4.00", b"")
    assert await client.ask(b"\x0a\x03", PROVISION) == ("4.00", b"")


# The faults.


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
    """Which of 40 requests were stored, and which of their answers came back."""
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


# From outside.


async def test_libcoap_delivers_to_it(server: StandIn, tmp_path: Path) -> None:
    tool = program("coap-client-notls")
    body = tmp_path / "body.json"
    body.write_bytes(READING)
    url = f"coap://127.0.0.1:{server.port}/" + "/".join(TELEMETRY)
    process = await asyncio.create_subprocess_exec(
        tool, "-m", "post", "-t", "application/json", "-f", str(body), "-B", "20", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert server.stored == {"A1": {"voltage": {1000: 230.1}}}
    assert server.received.duplicates == 0


async def test_it_runs_as_a_process_and_says_what_it_holds(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.simulator.server.stand_in", "--port", "0", "--token", "A1",
        "--dump", str(dump),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
            client = await Client.to(int(line.rpartition(b":")[2]))
            assert await client.ask() == ("2.01", b"")
            process.send_signal(signal.SIGUSR1)
            await until(dump.exists)
            assert json.loads(dump.read_text())["stored"] == {"A1": {"voltage": {"1000": 230.1}}}
            await client.ask(b'{"ts":2000,"values":{"voltage":1}}')
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            client.transport.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    held = json.loads(dump.read_text())
    assert held["received"]["entries"] == 2
    assert held["received"]["answers"] == {"2.01": 2}
    assert [(token, ts) for _, token, ts in held["arrivals"]] == [("A1", 1000), ("A1", 2000)]


@pytest.mark.parametrize("path", [(), (".well-known", "core")])
async def test_the_root_tells_that_it_is_thingsboard(path: tuple[str, ...], client: Client) -> None:
    code, links = await client.ask(b"", path, code=coap.GET)
    assert code == "2.05"
    assert b"</api/v1>;obs" in links


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
