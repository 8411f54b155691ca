"""Names, addresses and address families: which socket an association gets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from bridge.coap import Client, NotResolved, Silent, Unreachable, udp
from tests.bridge.coap.peer import bare_con, nothing, peer, reset

PATH = ("api", "v1", "TOKEN", "telemetry")

Names = Callable[..., None]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Set what every host name resolves to from now on."""

    def resolve_to(*addresses: str) -> None:
        def getaddrinfo(_host: str, port: int, **_options: object) -> list[object]:
            return [
                (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", (address, port, 0, 0))
                if ":" in address
                else (socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, port))
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve_to


async def test_a_host_without_an_address_is_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_arguments: object, **_options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with Client("tb.example.com", 5683) as client:
        with pytest.raises(NotResolved, match=r"^tb\.example\.com:5683 has no address \(Name or service not"):
            await client.post(PATH, b"{}")
        assert client.stats.address is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
async def test_an_address_needs_no_name_server_and_no_thread(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "Thread", None)
    ((_, sockaddr),) = await udp.resolve(host, 5683)
    assert sockaddr[:2] == (host.removesuffix("%lo"), 5683)


async def test_a_name_that_cannot_be_one_is_not_resolved() -> None:
    async with Client("tb..example." + "x" * 64, 5683) as client:
        with pytest.raises(NotResolved, match="check the host name"):
            await client.post(PATH, b"{}")


def test_a_name_server_that_is_silent_is_given_up_and_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = threading.Event()

    def getaddrinfo(*_arguments: object, **_options: object) -> list[object]:
        answer.wait(60)
        return []

    async def ask() -> None:
        async with Client("tb.example.com", 5683) as client:
            with pytest.raises(NotResolved, match="no answer in"):
                await client.post(PATH, b"{}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(udp, "RESOLVE_TIMEOUT_S", 0.01)
    started = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - started < 30
    answer.set()


class Broken:
    """A socket that the system lets send nothing, for one of its reasons."""

    def __init__(self, real: socket.socket, reason: int) -> None:
        self.real = real
        self.reason = reason

    def send(self, _data: bytes) -> int:
        raise OSError(self.reason, os.strerror(self.reason))

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


@pytest.mark.parametrize("reason", ["EPERM", "EACCES", "ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EINVAL"])
async def test_what_the_system_will_not_send_is_told_and_the_next_socket_works(reason: str) -> None:
    """A firewall that was reloaded, an address or a route that went."""
    async with peer(bare_con) as server, Client("127.0.0.1", server.port) as client:
        await client.post(PATH, b"{}")
        before = server.client
        assert isinstance(client._connection.current, udp.UDPAssociation)
        association: Any = client._connection.current
        association._socket = Broken(association._socket, getattr(errno, reason))
        with pytest.raises(Unreachable, match="check the gateway's network"):
            await client.post(PATH, b"{}")
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert server.client != before


async def test_a_datagram_too_long_for_the_path_does_not_end_the_connection() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port, ack_timeout_s=0.05) as client:
        await client.post(PATH, b"{}")
        association: Any = client._connection.current
        real, association._socket = association._socket, Broken(association._socket, errno.EMSGSIZE)
        posting = asyncio.create_task(client.post(PATH, b"{}"))
        await asyncio.sleep(0.01)
        association._socket = real  # the kernel knows the path now
        assert (await posting).code == "2.01"
        assert client._connection.current is association


async def test_where_the_system_may_not_send_is_unreachable() -> None:
    async with Client(
        "255.255.255.255", 5683
    ) as client:  # broadcast needs permission that is never asked for
        with pytest.raises(
            Unreachable, match=r"^255\.255\.255\.255:5683 cannot be reached \(Permission denied\)"
        ):
            await client.post(PATH, b"{}")


async def test_a_new_address_is_used_after_reset(names: Names) -> None:
    async with peer(bare_con) as old, peer(bare_con, host="127.0.0.2", port=old.port) as new:
        async with Client("tb.example.com", old.port) as client:
            names("127.0.0.1")
            await client.post(PATH, b"{}")
            names("127.0.0.2")
            await client.post(PATH, b"{}")
            assert client.stats.address == f"127.0.0.1:{old.port}"
            client.reset()
            await client.post(PATH, b"{}")
            assert client.stats.address == f"127.0.0.2:{old.port}"
        assert (len(old.requests), len(new.requests)) == (2, 1)


async def test_pings_find_a_server_that_has_moved(names: Names) -> None:
    async with peer(nothing) as old, peer(bare_con, host="127.0.0.2", port=old.port) as new:
        new.pings = reset
        async with Client("tb.example.com", old.port, ack_timeout_s=0.05) as client:
            names("127.0.0.1")
            assert not await client.ping()
            names("127.0.0.2")
            assert await client.ping()
            assert (await client.post(PATH, b"{}")).code == "2.01"


@pytest.mark.usefixtures("quick_knocks")
@pytest.mark.parametrize("resets", [False, True])
async def test_after_silence_the_next_address_is_tried_and_kept(names: Names, resets: bool) -> None:
    names("127.0.0.1", "127.0.0.2")
    async with peer(nothing) as dead, peer(bare_con, host="127.0.0.2", port=dead.port) as alive:
        async with Client("tb.example.com", dead.port) as client:
            with pytest.raises(Silent):
                await client.post(PATH, b"{}", deadline_s=0.05)
            if resets:
                client.reset()
            await client.post(PATH, b"{}")
            client.reset()
            await client.post(PATH, b"{}")
        assert (len(dead.requests), len(alive.requests)) == (1, 2)


@pytest.mark.usefixtures("quick_knocks")
async def test_when_every_address_has_failed_the_first_is_tried_again(names: Names) -> None:
    names("127.0.0.1", "127.0.0.2")
    async with (
        peer(nothing) as first,
        peer(nothing, host="127.0.0.2", port=first.port),
        Client("tb.example.com", first.port) as client,
    ):
        for _ in range(2):
            with pytest.raises(Silent):
                await client.post(PATH, b"{}", deadline_s=0.05)
        first.script = bare_con
        assert (await client.post(PATH, b"{}")).code == "2.01"


async def test_a_refusing_address_is_left_for_the_next(names: Names) -> None:
    async with peer(bare_con, host="127.0.0.2") as server, Client("tb.example.com", server.port) as client:
        names("127.0.0.1", "127.0.0.2")
        server.pings = reset
        assert (await client.post(PATH, b"{}")).code == "2.01"


@pytest.mark.usefixtures("quick_knocks")
async def test_a_system_without_ipv6_uses_ipv4(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names("::1", "127.0.0.1")
    create = socket.socket

    def without_ipv6(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return create(family, kind)

    async with peer(bare_con) as server, Client("tb.example.com", server.port) as client:
        monkeypatch.setattr(udp.socket, "socket", without_ipv6)
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert client.stats.address == f"127.0.0.1:{server.port}"


async def test_an_ipv6_address_is_used_as_it_is() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this system has no IPv6")
    async with peer(bare_con, host="::1") as server, Client("::1", server.port) as client:
        assert (await client.post(PATH, b"{}")).code == "2.01"
        assert client.where == client.stats.address == f"[::1]:{server.port}"


class Options:
    """A socket that notes its options: what IPV6_MTU was set to cannot be read back once it is connected."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family
        self.options: dict[tuple[int, int], int] = {}

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options[level, name] = value


def test_datagrams_may_be_fragmented_and_for_ipv6_are_at_what_every_path_carries() -> None:
    """Numbers of linux/in.h and linux/in6.h; 0 is IP_PMTUDISC_DONT, 1280 stands in RFC 8200 §5."""
    old, new = Options(socket.AF_INET), Options(socket.AF_INET6)
    for each in (old, new):
        udp._allow_fragments(cast("socket.socket", each))
    assert old.options == {(socket.IPPROTO_IP, 10): 0}
    assert new.options == {(socket.IPPROTO_IPV6, 23): 0, (socket.IPPROTO_IPV6, 24): 1280}
