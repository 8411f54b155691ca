"""coaps against the stand-in: what a handshake finds out, and what a server may do to a connection."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib

from bridge.certificates import fits
from bridge.coap import Client, Refused, dtls, trust
from bridge.coap.dtls import DTLS, Ended, Forgotten, NoHandshake, split
from bridge.coap.trust import ClockUnset, HandshakeBroken, Trust
from bridge.errors import NotTrusted, UplinkError
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from bridge.thingsboard import Action, SentMessage, decide
from tests.bridge.coap.peer import until
from tests.support.certificates import DAY, EXPIRED, Authority, Issued
from tests.support.ports import free_udp_port

TOKEN = ("api", "v1", "T", "telemetry")
CERTIFICATE = ("api", "v1", "telemetry")
BODY = b'{"t":1}'


class World:
    """A stand-in on loopback, an authority, and a device that it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.device = self.authority.issue("device")
        self.serve(self.authority.server())

    def serve(self, own: Issued) -> None:
        """With another certificate; before it starts."""
        self.secure = Secure(own.certificate, own.key, {self.device.der: "DEVICE"})
        self.stand_in = StandIn({"T"}, secure=self.secure, ack_timeout_s=0.2)

    def client(self, device: Issued | None = None, *, ca: Path | None = None, **options: Any) -> Client:
        name = options.pop("name", None)
        whom = Trust("127.0.0.1", ca=ca or self.authority.path, server_name=name)
        transport = DTLS(whom, device.certificate, device.key) if device else DTLS(whom)
        return Client("127.0.0.1", self.stand_in.port, transport=transport, rate=None, **options)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path)
    await found.stand_in.start()
    yield found
    await found.stand_in.stop()


async def refusal(client: Client) -> UplinkError:
    """Why a request was not answered."""
    async with client:
        with pytest.raises(UplinkError) as caught:
            await client.post(TOKEN, BODY)
    assert "\n" not in str(caught.value)
    return caught.value


# What is carried


async def test_a_token_and_a_certificate_are_known(world: World) -> None:
    async with world.client() as tokens, world.client(world.device) as certified:
        assert (await tokens.post(TOKEN, BODY)).code == "2.01"
        assert (await certified.post(CERTIFICATE, BODY)).code == "2.01"
        assert (await tokens.post(CERTIFICATE, BODY)).code == "4.01"
    assert set(world.stand_in.stored) == {"T", "DEVICE"}


async def test_a_certificate_that_belongs_to_no_device_passes_the_handshake_only(world: World) -> None:
    async with world.client(world.authority.issue("stranger")) as certified:
        assert (await certified.post(CERTIFICATE, BODY)).code == "4.01"


@pytest.mark.parametrize("token", ["T", "t" * 255])
async def test_what_the_budget_allows_is_never_too_long(world: World, token: str) -> None:
    world.stand_in.tokens.add(token)
    path = ("api", "v1", token, "telemetry")
    async with world.client() as client:
        body = b'{"t":"%b"}' % (b"x" * (client.budget(path) - 8))
        assert len(body) == client.budget(path) <= 900
        assert (await client.post(path, body)).code == "2.01"
    assert world.stand_in.dump()["oversized"] == 0


async def test_the_message_limit_is_what_openssl_leaves_of_a_datagram(world: World) -> None:
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        assert isinstance(client._connection.current, dtls.DTLSAssociation)
        assert client._connection.current._connection.get_cleartext_mtu() == DTLS.message_limit


async def test_a_lossy_link_costs_time_only(world: World) -> None:
    world.stand_in.faults.loss_in = world.stand_in.faults.loss_out = 0.1
    async with world.client(ack_timeout_s=0.1) as client:
        for _ in range(3):
            answers = await asyncio.gather(*(client.post(TOKEN, BODY) for _ in range(20)))
            assert {answer.code for answer in answers} == {"2.01"}
            client.reset()


async def test_what_cannot_be_decrypted_changes_nothing(world: World) -> None:
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        association = client._connection.current
        assert association is not None
        for noise in (
            b"",
            b"\x16",
            b"\x17\xfe\xfd" + bytes(30),
            b"\x15\xfe\xfd" + bytes(9) + b"\x02\x02\x28",
        ):
            association.receive(noise)
        assert (await client.post(TOKEN, BODY)).code == "2.01"
        assert client._connection.current is association


# What a handshake finds out


async def test_an_authority_that_is_not_the_servers(world: World, tmp_path: Path) -> None:
    error = await refusal(world.client(ca=Authority(tmp_path, "other").path))
    assert isinstance(error, NotTrusted)
    assert f"not vouched for by {tmp_path}/other.pem" in str(error)


async def test_a_trust_anchor_that_is_put_right_is_taken_with_the_next_handshake(world: World) -> None:
    right = world.authority.path.read_bytes()
    Authority(world.folder)  # writes itself over the right one
    async with world.client() as client:
        with pytest.raises(NotTrusted):
            await client.post(TOKEN, BODY)
        world.authority.path.write_bytes(right)
        assert (await client.post(TOKEN, BODY)).code == "2.01"


async def test_the_systems_authorities_are_the_default(world: World) -> None:
    whom = Trust("127.0.0.1")
    client = Client("127.0.0.1", world.stand_in.port, transport=DTLS(whom))
    assert "not vouched for by the system's trust anchors" in str(await refusal(client))


async def test_the_servers_own_certificate_may_be_the_anchor(world: World) -> None:
    async with world.client(ca=world.folder / "server.pem") as client:
        assert (await client.post(TOKEN, BODY)).code == "2.01"


async def test_a_name_of_somebody_else(world: World) -> None:
    error = await refusal(world.client(name="tb.example.com"))
    assert isinstance(error, NotTrusted)
    assert "is for localhost, 127.0.0.1, not for tb.example.com" in str(error)
    assert world.stand_in.stored == {}


@pytest.mark.parametrize(
    ("valid", "told"), [(EXPIRED, "has expired"), ((DAY, 2 * DAY), "is not valid yet")], ids=["late", "early"]
)
async def test_a_date_that_is_wrong(tmp_path: Path, valid: tuple[timedelta, timedelta], told: str) -> None:
    world = World(tmp_path)
    world.serve(world.authority.server(valid=valid))
    await world.stand_in.start()
    error = await refusal(world.client())
    await world.stand_in.stop()
    assert isinstance(error, NotTrusted)
    assert f"{told} (today is " in str(error)


async def test_a_clock_in_1970_is_blamed_before_any_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As seen from a gateway whose clock is behind: the software is younger than today."""
    monkeypatch.setattr(trust, "BUILD_DATE", datetime.now(UTC) + 2 * DAY)
    world = World(tmp_path)
    world.serve(world.authority.server(valid=(DAY, 3 * DAY)))
    await world.stand_in.start()
    error = await refusal(world.client())
    await world.stand_in.stop()
    assert isinstance(error, ClockUnset)
    assert not isinstance(error, NotTrusted)  # the clock may be right in a minute
    assert f"the gateway's clock says {datetime.now(UTC):%Y-}" in str(error)


async def test_a_common_name_does_not_count(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.serve(world.authority.issue("127.0.0.1"))
    await world.stand_in.start()
    error = await refusal(world.client())
    await world.stand_in.stop()
    assert isinstance(error, NotTrusted)
    assert "no subject alternative name" in str(error)


async def test_a_server_that_demands_a_certificate(world: World) -> None:
    world.secure.requires_certificate = True
    assert "wants a client certificate" in str(await refusal(world.client()))


async def test_a_server_that_refuses_an_expired_certificate(world: World) -> None:
    device = world.authority.issue("device", valid=EXPIRED)
    error = await refusal(world.client(device))
    assert isinstance(error, NotTrusted)
    assert "device.pem expired on" in str(error)


@pytest.mark.parametrize("lost", ["device.pem", "device.key", "authority.pem"])
async def test_a_file_that_went_missing_is_named(world: World, lost: str) -> None:
    (world.folder / lost).unlink()
    error = await refusal(world.client(world.device))
    assert isinstance(error, NotTrusted)
    assert f"{lost} cannot be read (No such file or directory): correct the path" in str(error)


async def test_a_key_that_was_replaced_alone(world: World) -> None:
    other = world.authority.issue("other")
    world.device.key.write_bytes(other.key.read_bytes())
    assert "does not belong to the certificate" in str(await refusal(world.client(world.device)))


async def test_a_black_hole_ends_the_handshake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_LIMIT_S", 0.3)
    world.stand_in.cut()
    error = await refusal(world.client())
    assert isinstance(error, NoHandshake)
    assert "the coaps one" in str(error)


async def test_a_closed_port_ends_the_handshake_at_once(world: World) -> None:
    client = Client("127.0.0.1", free_udp_port(), transport=DTLS(Trust("127.0.0.1", ca=world.authority.path)))
    assert isinstance(await refusal(client), Refused)


# Who else may have sent what breaks a handshake


class Forger(asyncio.DatagramProtocol):
    """Answers every datagram with one that anybody could have sent."""

    def __init__(self, forged: bytes) -> None:
        self.forged = forged

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(self.forged, addr)


ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"  # handshake_failure, of epoch 0
NONSENSE = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x0e" + b"\x0b\x00\x00\x02" + bytes(5) + b"\x00\x00\x02\xff\xff"


@pytest.mark.parametrize("forged", [ALERT, NONSENSE], ids=["alert", "nonsense"])
async def test_a_forged_datagram_in_a_handshake_holds_nothing(forged: bytes, world: World) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Forger(forged), local_addr=("127.0.0.1", 0))
    whom = Trust("127.0.0.1", ca=world.authority.path)
    port = transport.get_extra_info("sockname")[1]
    async with Client("127.0.0.1", port, transport=DTLS(whom)) as client:
        for _ in range(trust.BREAKS_BELIEVED - 1):
            with pytest.raises(HandshakeBroken) as caught:
                await client.post(TOKEN, BODY)
            assert decide(caught.value, SentMessage()).action is Action.BACK_OFF
        with pytest.raises(NotTrusted):  # again and again: nobody forges that long
            await client.post(TOKEN, BODY)
    transport.close()
    real = Client("127.0.0.1", world.stand_in.port, transport=DTLS(whom))
    async with real:
        await real.post(TOKEN, BODY)
    assert not whom._breaks


# Trust anchors that change while the process lives


@pytest.mark.parametrize("where", ["file", "system"])
async def test_a_trust_anchor_that_was_withdrawn_is_trusted_no_longer(
    where: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.authority.path))
    monkeypatch.setenv("SSL_CERT_DIR", str(world.folder / "none"))
    whom = Trust("127.0.0.1", ca=world.authority.path if where == "file" else None)
    right = world.authority.path.read_bytes()
    async with Client("127.0.0.1", world.stand_in.port, transport=DTLS(whom)) as client:
        assert (await client.post(TOKEN, BODY)).code == "2.01"
        world.authority.path.write_bytes(right)  # written, and the same
        client._connection._check_at_s = 0.0
        assert (await client.post(TOKEN, BODY)).code == "2.01"
        assert world.secure.handshakes == 1
        Authority(world.folder)  # another one in its place
        assert (await client.post(TOKEN, BODY)).code == "2.01"  # until it is looked at, within a minute
        client._connection._check_at_s = 0.0
        with pytest.raises(NotTrusted):
            await client.post(TOKEN, BODY)
        world.authority.path.write_bytes(right)
        assert (await client.post(TOKEN, BODY)).code == "2.01"


async def test_a_new_connection_looks_at_the_trust_anchors_at_once(world: World) -> None:
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        Authority(world.folder)
        client.reset()
        with pytest.raises(NotTrusted):
            await client.post(TOKEN, BODY)


# What a handshake must not offer


async def test_no_session_is_ever_resumed_or_negotiated_anew(world: World) -> None:
    hellos: list[bytes] = []

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            hellos.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    whom = Trust("tb.example.com", ca=world.authority.path)
    port = transport.get_extra_info("sockname")[1]
    async with Client("127.0.0.1", port, transport=DTLS(whom)) as client:
        posting = asyncio.create_task(client.post(TOKEN, BODY))
        await until(lambda: hellos)
        posting.cancel()
    transport.close()
    body = hellos[0][25:]  # after the record's and the message's headers
    assert body[34] == 0  # the length of the session id
    assert 35 not in _extensions(body)  # session_ticket, RFC 5077 §3.2
    assert whom._context is not None
    assert lib.SSL_CTX_get_options(whom._context._context) & SSL.OP_NO_RENEGOTIATION
    assert whom._context.get_session_cache_mode() == SSL.SESS_CACHE_OFF


def _extensions(hello: bytes) -> set[int]:
    at = 35 + hello[34]  # version, random, session id
    at += 1 + hello[at]  # cookie
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher suites
    at += 1 + hello[at]  # compression methods
    at += 2
    found = set()
    while at < len(hello):
        found.add(int.from_bytes(hello[at : at + 2], "big"))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4], "big")
    return found


# What a server does to a connection


async def test_a_sign_of_life_ends_the_doubt(world: World) -> None:
    """Silence is counted from the first request that nothing came after, not from the first of all."""
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        association: Any = client._connection.current
        assert association._unheard_since_s is None


@pytest.mark.parametrize("longest", [600, 1000])
async def test_a_long_certificate_passes_where_long_datagrams_are_swallowed(
    world: World, longest: int
) -> None:
    device = world.authority.issue("long", [f"device-{number}.example.com" for number in range(150)])
    assert len(device.der) > 3000
    world.secure.devices[device.der] = "LONG"
    endpoint = world.stand_in._endpoint
    take = endpoint.datagram_received
    lengths: list[int] = []

    def swallow(data: bytes, addr: Any) -> None:
        lengths.append(len(data))
        if len(data) <= longest:
            take(data, addr)

    endpoint.datagram_received = swallow  # type: ignore[method-assign]
    async with world.client(device) as client:
        assert (await client.post(CERTIFICATE, BODY)).code == "2.01"
    assert max(lengths) <= dtls.FLIGHT_LIMIT


async def test_a_restart_without_notice_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "DEAD_AFTER_S", 0.5)
    async with world.client(ack_timeout_s=0.2) as client:
        await client.post(TOKEN, BODY)
        world.stand_in.forget()
        with pytest.raises(Forgotten, match="was silent for"):
            await client.post(TOKEN, BODY)
        assert (await client.post(TOKEN, BODY)).code == "2.01"
    assert world.secure.handshakes == 2


async def test_silence_is_counted_from_the_first_request_however_often_it_is_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtls, "DEAD_AFTER_S", 2.0)
    async with world.client(ack_timeout_s=0.3) as client:
        await client.post(TOKEN, BODY)
        world.stand_in.forget()
        began = time.monotonic()
        with pytest.raises(Forgotten):  # its third transmission leaves after 0.9–1.35 s
            await client.post(TOKEN, BODY)
        assert time.monotonic() - began < 2.6


async def test_another_port_at_the_nat_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "DEAD_AFTER_S", 0.5)
    async with world.client(world.device, ack_timeout_s=0.2) as client:
        await client.post(CERTIFICATE, BODY)
        assert isinstance(client._connection.current, dtls.DTLSAssociation)
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            other.connect(("127.0.0.1", world.stand_in.port))
            os.dup2(other.fileno(), client._connection.current._socket.fileno())
        with pytest.raises(Forgotten):
            await client.post(CERTIFICATE, BODY)
        assert (await client.post(CERTIFICATE, BODY)).code == "2.01"
    assert world.secure.handshakes == 2


async def test_a_forgotten_certificate_is_shown_again_with_a_full_handshake(world: World) -> None:
    async with world.client(world.device) as client:
        assert (await client.post(CERTIFICATE, BODY)).code == "2.01"
        world.secure.forget_sessions()
        assert (await client.post(CERTIFICATE, BODY)).code == "4.01"
        client.reset()
        assert (await client.post(CERTIFICATE, BODY)).code == "2.01"


async def test_a_goodbye_ends_the_association_at_once(world: World) -> None:
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        world.secure.close()
        await until(lambda: client.stats.address is None)
        assert (await client.post(TOKEN, BODY)).code == "2.01"


async def test_a_goodbye_in_between_is_told(world: World) -> None:
    world.stand_in.faults.hang_after_ack = True
    async with world.client() as client:
        posting = asyncio.create_task(client.post(TOKEN, BODY))
        await until(lambda: world.stand_in.datagrams > 4)
        world.secure.close()
        with pytest.raises(Ended, match="closed the encrypted connection"):
            await posting


async def test_our_goodbye_is_heard(world: World) -> None:
    async with world.client() as client:
        await client.post(TOKEN, BODY)
        assert len(world.secure.peers) == 1
    await until(lambda: not world.secure.peers)


# The pieces


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(100, 400))
def test_records_are_cut_only_where_they_end(lengths: list[int], limit: int) -> None:
    records = [bytes(11) + length.to_bytes(2, "big") + b"r" * length for length in lengths]
    found = list(split(b"".join(records), limit))
    assert b"".join(found) == b"".join(records)
    for datagram in found:
        assert len(datagram) <= limit or datagram in records
        assert b"".join(split(datagram, 0)) == datagram


@pytest.mark.parametrize(
    ("names", "name", "is_fit"),
    [
        (["tb.example.com"], "tb.example.com", True),
        (["tb.example.com"], "TB.Example.com.", True),
        (["TB.example.com"], "tb.example.com", True),
        (["*.example.com"], "tb.example.com", True),
        (["*.example.com"], "a.tb.example.com", False),
        (["*.example.com"], "example.com", False),
        (["t*.example.com"], "tb.example.com", False),
        (["*.com"], "example.com", False),
        (["xn--br-via.example"], "bär.example", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["::1"], "0:0:0:0:0:0:0:1", True),
        (["fe80::1"], "fe80::1%eth0", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["*.0.0.1"], "127.0.0.1", False),
        ([], "common", False),
    ],
)
def test_a_name_fits_or_does_not(names: list[str], name: str, is_fit: bool, tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("common", names)
    assert fits(x509.load_der_x509_certificate(issued.der), name) is is_fit


async def test_no_memory_is_made_executable(world: World) -> None:
    """The services run under MemoryDenyWriteExecute."""
    script = f"""
        import asyncio, ctypes, sys
        from pathlib import Path
        from bridge.coap import Client
        from bridge.coap.dtls import DTLS
        from bridge.coap.trust import Trust

        async def main():
            transport = DTLS(Trust("127.0.0.1", ca=Path({str(world.authority.path)!r})),
                Path({str(world.device.certificate)!r}), Path({str(world.device.key)!r}))
            async with Client("127.0.0.1", {world.stand_in.port}, transport=transport) as client:
                return (await client.post({CERTIFICATE!r}, {BODY!r})).code

        if ctypes.CDLL(None).prctl({_PR_SET_MDWE}, 1, 0, 0, 0):
            sys.exit("not known to this kernel")
        print(asyncio.run(main()))
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if ctypes.CDLL(None).prctl(_PR_GET_MDWE, 0, 0, 0, 0) < 0:
        pytest.skip("kernel older than 6.3")
    assert said == b"2.01\n"


_PR_SET_MDWE, _PR_GET_MDWE = 65, 66  # linux/prctl.h
