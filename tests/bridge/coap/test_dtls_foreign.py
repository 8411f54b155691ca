"""coaps against servers that are not ours: libcoap on OpenSSL and on GnuTLS, with EC certificates."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bridge.coap import Client
from bridge.coap.dtls import DTLS
from bridge.coap.trust import BREAKS_BELIEVED, HandshakeBroken, Trust
from bridge.errors import NotTrusted
from tests.support.certificates import EXPIRED, Authority, Issued
from tests.support.foreign import libcoap_secure_server

TOKEN = ("api", "v1", "TOKEN", "telemetry")
CERTIFICATE = ("api", "v1", "telemetry")
BODY = b'[{"ts":1,"values":{"t":20.5}}]'

pytestmark = pytest.mark.parametrize("library", ["openssl", "gnutls"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def client(port: int, authority: Authority, device: Issued | None = None, name: str | None = None) -> Client:
    trust = Trust("127.0.0.1", ca=authority.path, server_name=name)
    transport = DTLS(trust, device.certificate, device.key) if device else DTLS(trust)
    return Client("127.0.0.1", port, transport=transport, rate=None)


async def _believed(client: Client, path: tuple[str, ...]) -> str:
    """Why the server refuses, once it has said so often enough to be believed."""
    for _ in range(BREAKS_BELIEVED - 1):
        with pytest.raises(HandshakeBroken):
            await client.post(path, BODY)
    with pytest.raises(NotTrusted) as refusal:
        await client.post(path, BODY)
    return str(refusal.value)


async def test_it_takes_posts_by_token(library: str, authority: Authority) -> None:
    own = authority.server()
    with libcoap_secure_server(library, own.certificate, own.key, "-n") as port:
        async with client(port, authority) as tokens:
            assert (await tokens.post(TOKEN, BODY)).code == "2.01"
            answers = await asyncio.gather(*(tokens.post(TOKEN, b'{"t":%d}' % n) for n in range(100)))
            assert {answer.code for answer in answers} == {"2.04"}
            full = b'"' + b"x" * (tokens.budget(TOKEN) - 2) + b'"'
            assert (await tokens.post(TOKEN, full)).code == "2.04"
            assert len(full) == 900


async def test_it_takes_posts_by_certificate(library: str, authority: Authority) -> None:
    own, device = authority.server(), authority.issue("device")
    arguments = ("-C", str(authority.path))
    with libcoap_secure_server(library, own.certificate, own.key, *arguments) as port:
        async with client(port, authority, device) as certified:
            assert (await certified.post(CERTIFICATE, BODY)).code == "2.01"
            certified.reset()
            assert (await certified.post(CERTIFICATE, BODY)).code == "2.04"


async def test_a_server_that_demands_a_certificate_says_so(library: str, authority: Authority) -> None:
    own = authority.server()
    arguments = ("-C", str(authority.path))
    with libcoap_secure_server(library, own.certificate, own.key, *arguments) as port:
        async with client(port, authority) as tokens:
            refused = await _believed(tokens, TOKEN)
    assert re.match(rf"127\.0\.0\.1:{port} refuses .* client certificate", refused)


async def test_a_certificate_of_another_authority_is_refused_by_name(
    library: str, authority: Authority, tmp_path: Path
) -> None:
    own, stranger = authority.server(), Authority(tmp_path, "stranger").issue("device")
    arguments = ("-C", str(authority.path))
    with libcoap_secure_server(library, own.certificate, own.key, *arguments) as port:
        async with client(port, authority, stranger) as certified:
            refused = await _believed(certified, CERTIFICATE)
    assert re.search(r"does not accept the sensor's certificate .*device\.pem", refused)


async def test_a_server_of_another_authority_is_not_trusted(
    library: str, authority: Authority, tmp_path: Path
) -> None:
    own = Authority(tmp_path, "stranger").server()
    with libcoap_secure_server(library, own.certificate, own.key, "-n") as port:
        async with client(port, authority) as tokens:
            with pytest.raises(NotTrusted, match=r"is not vouched for by .*authority\.pem .*: set ca in"):
                await tokens.post(TOKEN, BODY)


async def test_an_expired_server_is_not_trusted(library: str, authority: Authority) -> None:
    own = authority.server(valid=EXPIRED)
    with libcoap_secure_server(library, own.certificate, own.key, "-n") as port:
        async with client(port, authority) as tokens:
            with pytest.raises(NotTrusted, match=r"certificate of .* has expired .*: renew it on the server"):
                await tokens.post(TOKEN, BODY)


async def test_a_server_of_another_name_is_not_trusted(library: str, authority: Authority) -> None:
    own = authority.server()
    with libcoap_secure_server(library, own.certificate, own.key, "-n") as port:
        async with client(port, authority, name="tb.example.com") as tokens:
            with pytest.raises(
                NotTrusted, match=r"is for localhost, 127\.0\.0\.1, not for tb\.example\.com: .*server_name"
            ):
                await tokens.post(TOKEN, BODY)
