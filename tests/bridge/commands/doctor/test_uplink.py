"""How far a question to the server gets, against a server that is up, down, silent, or not the right one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.coap import Client, dtls, udp
from bridge.commands.doctor import uplink
from bridge.commands.doctor.finding import Severity
from bridge.config import Certificate, Credentials, Site
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.commands.doctor.described import Described
from tests.support.certificates import Authority
from tests.support.ports import free_udp_port


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


def site(described: Described, server: StandIn) -> Site:
    return described.site(url=f"coap://127.0.0.1:{server.port}")


async def test_a_server_that_answers_is_nothing_to_say(described: Described, server: StandIn) -> None:
    assert await uplink.check(site(described, server)) == []


async def test_a_name_without_an_address_is_a_matter_of_dns(
    described: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(host: str, port: int) -> list[object]:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(udp, "_lookup", nowhere)
    (found,) = await uplink.check(described.site(url="coap://tb.example.com"))
    assert found.sentence.startswith("DNS: tb.example.com:5683 has no address (Name or service not known)")
    assert found.fix == "getent ahosts tb.example.com"


async def test_a_port_where_nobody_listens_is_a_matter_of_udp(described: Described, server: StandIn) -> None:
    await server.stop()
    (found,) = await uplink.check(site(described, server))
    assert found.severity is Severity.FAULT
    assert found.sentence.startswith(f"UDP: 127.0.0.1:{server.port} refused: check the port")
    assert found.fix == f"sudoedit {described.folder}/site.toml"


async def test_a_silent_way_is_a_matter_of_udp(
    described: Described, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "ANSWER_TIMEOUT_S", 0.3)
    server.faults.silent = True
    (found,) = await uplink.check(site(described, server))
    assert found.sentence.startswith(f"UDP: 127.0.0.1:{server.port} was silent for ")
    assert found.fix == f"sudo tcpdump -ni any udp port {server.port}"


async def test_a_certificate_that_is_not_vouched_for_is_a_matter_of_dtls(
    described: Described, tmp_path: Path
) -> None:
    own = Authority(tmp_path).server()
    stranger = Authority(tmp_path, "stranger")
    server = StandIn(secure=Secure(own.certificate, own.key, {}))
    await server.start()
    url = f"coaps://127.0.0.1:{server.port}"
    (found,) = await uplink.check(described.site(url=f'{url}"\nca = "{stranger.path}'))
    await server.stop()
    assert found.sentence.startswith(f"DTLS: the certificate of 127.0.0.1:{server.port} is not vouched for")
    assert found.fix == f"openssl s_client -dtls1_2 -showcerts -connect 127.0.0.1:{server.port}"


async def test_a_site_of_certificates_shows_one(described: Described, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, device = authority.server(), authority.issue("device")
    secure = Secure(own.certificate, own.key, {device.der: "DEVICE"})
    secure.requires_certificate = True
    server = StandIn(secure=secure)
    await server.start()
    site = described.site(url=f'coaps://127.0.0.1:{server.port}"\nca = "{authority.path}')
    ours = Credentials({"soil": Certificate(certificate=device.certificate, key=device.key)})
    assert await uplink.check(site, ours) == []
    (found,) = await uplink.check(site)
    assert found.sentence.startswith("DTLS: ")
    await server.stop()


async def test_a_handshake_that_comes_to_nothing_is_told_apart_by_the_plain_port(
    described: Described, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_LIMIT_S", 0.3)
    monkeypatch.setattr(uplink, "_PLAIN_PORT", server.port)
    coaps = described.site(url=f"coaps://127.0.0.1:{server.port}")  # a plain server does not shake hands
    (found,) = await uplink.check(coaps)
    assert found.sentence.startswith(f"DTLS: 127.0.0.1:{server.port} did not complete a DTLS handshake")
    assert found.sentence.endswith(f"; UDP passes, port {server.port} there answers")
    monkeypatch.setattr(uplink, "_PLAIN_PORT", free_udp_port())
    (found,) = await uplink.check(coaps)
    assert found.sentence.startswith(f"UDP: 127.0.0.1:{server.port} did not complete a DTLS handshake")


async def test_it_ends_in_time_whatever_happens(
    described: Described, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(Client, "DEADLINE_S", 30.0)
    server.faults.silent = True
    (found,) = await uplink.check(site(described, server))
    assert found.sentence.endswith("gave no answer within 0.2 s")
