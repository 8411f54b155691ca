"""Where requests go: a name that moves or has several addresses, a path that swallows long datagrams."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.coap import Client, Closed, Silent, connection
from bridge.coap.addresses import Address
from bridge.coap.dtls import DTLS
from bridge.coap.trust import Trust
from bridge.errors import NotTrusted, PathTooNarrow, UplinkError
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.coap.peer import Peer, bare_con, empty_ack, nothing, peer, reset, until
from tests.support.certificates import Authority
from tests.support.foreign import libcoap_secure_server
from tests.support.ports import free_udp_port

PATH = ("api", "v1", "T", "telemetry")
BODY = b'{"t":1}'
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


class Names:
    """A resolver that a test sets; `asked` counts how often it was asked."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.asked = 0
        self.hangs = False

    async def __call__(self, _host: str, port: int) -> list[Address]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        return [(socket.AF_INET, (host, port)) for host in self.hosts]


@asynccontextmanager
async def two_machines() -> AsyncIterator[tuple[Peer, Peer]]:
    """Yield an old and a new machine that both answer, on two addresses and one port."""
    async with peer(bare_con) as old, peer(bare_con, host=SECOND, port=old.port) as new:
        for each in (old, new):
            each.pings = reset
        yield old, new


# A name that moves


async def test_a_name_is_resolved_again_on_a_clock_and_the_old_machine_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(FIRST)
    async with two_machines() as (old, new), Client("tb", old.port, resolver=names) as client:
        await client.post(PATH, BODY)
        names.hosts = (SECOND,)
        await client.post(PATH, BODY)
        assert names.asked == 1
        _elapse(client, connection.RESOLVE_EVERY_S)
        await client.post(PATH, BODY)  # not kept waiting by the name server
        await until(lambda: client.stats.address == f"{SECOND}:{new.port}")
        await client.post(PATH, BODY)
        assert (len(old.requests), len(new.requests)) == (3, 1)
        assert client.stats.timeouts == 0


async def test_what_is_in_flight_is_answered_by_the_old_machine() -> None:
    names = Names(FIRST)
    async with two_machines() as (old, new), Client("tb", old.port, resolver=names) as client:
        old.script = empty_ack
        posting = asyncio.create_task(client.post(PATH, BODY))
        await until(lambda: old.requests)
        names.hosts = (SECOND,)
        _elapse(client, connection.REFRESH_AGAIN_S)
        await client.refresh()
        assert (await client.post(PATH, BODY)).code == "2.01"
        assert len(new.requests) == 1
        assert len(client._connection._retired) == 1
        old.say(*bare_con(old.requests[0]))
        assert (await posting).code == "2.01"
        await until(lambda: all(each.failure for each in client._connection._retired))


async def test_refreshing_asks_the_name_server_no_oftener_than_it_must() -> None:
    names = Names(FIRST)
    async with two_machines() as (old, _), Client("tb", old.port, resolver=names) as client:
        await client.refresh()  # there is no connection yet
        assert names.asked == 0
        await client.post(PATH, BODY)
        for _ in range(5):
            await client.refresh()
        assert names.asked == 1
        _elapse(client, connection.REFRESH_AGAIN_S)
        await asyncio.gather(*(client.refresh() for _ in range(5)))
        assert names.asked == 2


async def test_a_new_address_that_does_not_answer_changes_nothing(tmp_path: Path) -> None:
    names = Names(FIRST)
    async with Authorized(tmp_path) as world, world.client(names) as client:
        await client.post(PATH, BODY)
        names.hosts = ("127.0.0.3",)  # refused
        _elapse(client, connection.REFRESH_AGAIN_S)
        await client.refresh()
        assert (await client.post(PATH, BODY)).code == "2.01"
        assert world.secure.handshakes == 1


async def test_a_silent_name_server_keeps_nobody_waiting() -> None:
    names = Names(FIRST)
    async with two_machines() as (old, _), Client("tb", old.port, resolver=names) as client:
        await client.post(PATH, BODY)
        names.hangs = True
        _elapse(client, connection.RESOLVE_EVERY_S)
        started = time.monotonic()
        for _ in range(20):
            await client.post(PATH, BODY)
        assert time.monotonic() - started < 5
        assert names.asked == 2


def _elapse(client: Client, seconds: float) -> None:
    """Move what the connection does by the clock so much nearer."""
    ways = client._connection
    ways._resolve_at_s -= seconds
    ways._resolved_s -= seconds
    ways._check_at_s -= seconds


# Several addresses


@pytest.mark.parametrize("bad", ["refused", "black hole"])
async def test_a_bad_first_address_costs_a_moment_on_plain_udp(bad: str) -> None:
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(peer(bare_con, host=SECOND))
        good.pings = reset
        if bad == "black hole":
            await stack.enter_async_context(peer(nothing, port=good.port))
        names = Names(FIRST, SECOND)
        client = await stack.enter_async_context(Client("tb", good.port, resolver=names))
        for _ in range(3):
            started = time.monotonic()
            assert (await client.post(PATH, BODY)).code == "2.01"
            assert time.monotonic() - started < 5
            client.reset()


@pytest.mark.usefixtures("quick_knocks")
async def test_where_nobody_answers_pings_silence_finds_the_next_address() -> None:
    """A server need not answer them; then only a request tells which address is good."""
    names = Names(FIRST, SECOND)
    async with (
        peer(nothing) as dead,
        peer(bare_con, host=SECOND, port=dead.port) as good,
        Client("tb", dead.port, resolver=names, ack_timeout_s=0.05) as client,
    ):
        with pytest.raises(Silent):
            await client.post(PATH, BODY)
        good.pings = reset
        assert (await client.post(PATH, BODY)).code == "2.01"


class Authorized:
    """A secure stand-in on 127.0.0.1 whose certificate is for localhost."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        own = self.authority.server()
        self.secure = Secure(own.certificate, own.key, {})
        self.stand_in = StandIn({"T"}, secure=self.secure)

    async def __aenter__(self) -> Authorized:
        await self.stand_in.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stand_in.stop()

    def client(self, names: Names, **options: Any) -> Client:
        transport = DTLS(Trust("localhost", ca=self.authority.path))
        port = self.stand_in.port
        return Client("localhost", port, transport=transport, resolver=names, rate=None, **options)


@asynccontextmanager
async def bad_address(kind: str, folder: Path, port: int, host: str) -> AsyncIterator[None]:
    """Yield an address that is bad in one way."""
    if kind == "black hole":
        async with peer(nothing, host=host, port=port):
            yield
    elif kind == "wrong certificate":
        (folder / "stranger").mkdir()
        own = Authority(folder / "stranger", "stranger").server()
        stand_in = StandIn({"T"}, secure=Secure(own.certificate, own.key, {}))
        await stand_in.start(host, port)
        yield
        await stand_in.stop()
    else:
        yield


@pytest.mark.parametrize("kind", ["refused", "black hole", "wrong certificate"])
@pytest.mark.parametrize("count", [2, 5])
async def test_bad_addresses_cost_a_moment_on_dtls(kind: str, count: int, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(Authorized(tmp_path))
        bad = [f"127.0.1.{number}" for number in range(1, count)]
        for number, host in enumerate(bad):
            (folder := tmp_path / str(number)).mkdir()
            await stack.enter_async_context(bad_address(kind, folder, world.stand_in.port, host))
        client = await stack.enter_async_context(world.client(Names(*bad, FIRST), lanes=4))
        for _ in range(4):
            started = time.monotonic()
            answers = await asyncio.gather(*(client.post(PATH, BODY) for _ in range(4)))
            assert {answer.code for answer in answers} == {"2.01"}
            assert time.monotonic() - started < 5
            client.reset()
    assert world.secure.handshakes == 4


async def test_all_lanes_share_one_opening(tmp_path: Path) -> None:
    async with Authorized(tmp_path) as world, world.client(names := Names(FIRST), lanes=8) as client:
        await asyncio.gather(*(client.post(PATH, BODY) for _ in range(8)))
        assert world.secure.handshakes == names.asked == 1


async def test_a_failed_opening_is_told_to_all_lanes_at_once(tmp_path: Path) -> None:
    async with Authorized(tmp_path) as world:
        names = Names("127.0.0.3", "127.0.0.4")
        async with world.client(names, lanes=4) as client:
            posts = (client.post(PATH, BODY) for _ in range(4))
            results = await asyncio.gather(*posts, return_exceptions=True)
        assert all(isinstance(result, UplinkError) for result in results)
        assert names.asked == 1


async def test_only_if_no_address_is_trusted_somebody_must_act(tmp_path: Path) -> None:
    port = free_udp_port()
    trusted = Authority(tmp_path)
    async with AsyncExitStack() as stack:
        for number, host in enumerate((FIRST, SECOND)):
            (folder := tmp_path / str(number)).mkdir()
            await stack.enter_async_context(bad_address("wrong certificate", folder, port, host))
        transport = DTLS(Trust("localhost", ca=trusted.path))
        names = Names(FIRST, SECOND)
        client = await stack.enter_async_context(Client("tb", port, transport=transport, resolver=names))
        with pytest.raises(NotTrusted):
            await client.post(PATH, BODY)
        names.hosts = (FIRST, "127.0.0.3")  # the second is down, and may come back
        with pytest.raises(UplinkError) as caught:
            await client.post(PATH, BODY)
        assert not isinstance(caught.value, NotTrusted)


async def test_a_foreign_server_behind_a_bad_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.server()
    with libcoap_secure_server("openssl", own.certificate, own.key, "-n") as port:
        async with peer(nothing, host=SECOND, port=port):
            transport = DTLS(Trust("localhost", ca=authority.path))
            names = Names(SECOND, FIRST)
            async with Client("tb", port, transport=transport, resolver=names) as client:
                started = time.monotonic()
                assert (await client.post(PATH, BODY)).code == "2.01"
                assert time.monotonic() - started < 5


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_the_deadline_covers_every_lane_after_the_other(lanes: int) -> None:
    plain = Client("tb", 5683, lanes=lanes)
    secure = Client("tb", 5684, lanes=lanes, transport=DTLS(Trust("tb")))
    for client in (plain, secure):
        assert client.deadline_s > lanes * (client.DEADLINE_S + connection.RESOLVE_TIMEOUT_S)
    assert secure.deadline_s > plain.deadline_s + lanes * 19


async def test_closing_ends_an_opening_that_hangs() -> None:
    names = Names(FIRST)
    names.hangs = True
    client = Client("tb", 5683, resolver=names)
    posting = asyncio.create_task(client.post(PATH, BODY))
    await until(lambda: names.asked)
    await client.close()
    with pytest.raises((Closed, asyncio.CancelledError)):
        await posting


# A path that swallows long datagrams


class Narrow(Peer):
    """A peer behind a path that swallows datagrams above a length."""

    def __init__(self, longest: int) -> None:
        super().__init__(bare_con)
        self.pings = self.questions = reset
        self.longest = longest
        self.swallowed = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) > self.longest:
            self.swallowed += 1
        else:
            super().datagram_received(data, addr)


@asynccontextmanager
async def narrow(longest: int) -> AsyncIterator[Narrow]:
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(lambda: Narrow(longest), local_addr=(FIRST, 0))
    yield server
    server.stop()


@pytest.mark.parametrize("longest", [600, 1000])
async def test_a_path_that_swallows_long_messages_is_learned_once(longest: int) -> None:
    async with narrow(longest) as server, Client(FIRST, server.port, ack_timeout_s=0.1) as client:
        await client.post(PATH, b"x" * 100)
        full = client.budget(PATH)
        with pytest.raises(PathTooNarrow, match="look for a tunnel or firewall"):
            await client.post(PATH, b"x" * full)
        assert (await client.post(PATH, b"x" * client.budget(PATH))).code == "2.01"
        await until(lambda: client._survey.is_over)
        assert longest - 80 < client.budget(PATH) < longest
        swallowed = server.swallowed
        for _ in range(20):
            assert (await client.post(PATH, b"x" * client.budget(PATH))).code == "2.01"
        assert server.swallowed == swallowed
        assert client.stats.timeouts == 0

        server.longest = 2000
        client._path._survey_at_s = 0.0
        await client.post(PATH, BODY)
        await until(lambda: client._survey.is_over)
        assert client.budget(PATH) == full


async def test_a_server_that_is_gone_teaches_nothing_about_the_path() -> None:
    async with peer(nothing) as server, Client(FIRST, server.port, ack_timeout_s=0.05) as client:
        full = client.budget(PATH)
        with pytest.raises(Silent):
            await client.post(PATH, b"x" * full)
        assert client.budget(PATH) == full


async def test_datagrams_may_be_fragmented() -> None:
    async with peer(bare_con) as server, Client(FIRST, server.port) as client:
        await client.post(PATH, BODY)
        ours: Any = client._connection.current
        assert ours._socket.getsockopt(socket.IPPROTO_IP, 10) == 0  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT


async def test_an_acknowledgement_does_not_prove_that_a_length_is_served() -> None:
    """A server that acknowledges long requests and drops them, and answers pings."""
    async with peer(empty_ack) as server, Client(FIRST, server.port, ack_timeout_s=0.05) as client:
        server.pings = reset
        full = client.budget(PATH)
        with pytest.raises(Silent):
            await client.post(PATH, b"x" * full, deadline_s=0.1)
        assert isinstance(client.record_ignored(PATH, full), PathTooNarrow)
        assert client.budget(PATH) < full


async def test_a_server_that_stops_to_serve_a_length_is_believed_after_two_silences() -> None:
    async with peer(bare_con) as server, Client(FIRST, server.port, ack_timeout_s=0.05) as client:
        server.pings = reset
        full = client.budget(PATH)
        await client.post(PATH, b"x" * full)
        server.script = lambda packet: empty_ack(packet) if len(packet.payload) > 300 else bare_con(packet)
        is_proven = []
        for _ in range(2):
            waiting = asyncio.create_task(client.post(PATH, b"x" * full, deadline_s=0.3))
            await client.post(PATH, BODY)  # the others are answered meanwhile
            with pytest.raises(Silent):
                await waiting
            is_proven.append(client.record_ignored(PATH, full) is None)
        assert is_proven == [True, False]
        assert client.budget(PATH) < full
