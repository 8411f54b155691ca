"""The way of a message to the server: name, network, encryption.

The check sends one small request as the uplink would; any answer will do, even a refusal. A site that has
only certificates presents one of them: its server may let nobody else in.
"""

from __future__ import annotations

import asyncio
from shlex import quote

from bridge.coap import Client, NotResolved, Refused, Silent, Unreachable
from bridge.coap.dtls import NoHandshake
from bridge.coap.trust import HandshakeBroken
from bridge.commands.doctor.finding import Finding, Severity
from bridge.config import Certificate, Credentials, Site
from bridge.errors import NotTrusted, UplinkError
from bridge.uplink import connect

AREA = "uplink"
ANSWER_TIMEOUT_S = 8.0  # three transmissions
TIMEOUT_S = 45.0  # with a slow name server, and a handshake that comes to nothing

_QUESTION = (".well-known", "core")  # RFC 6690: every server has it, and it needs no token
_PLAIN_PORT = 5683


async def check(site: Site, credentials: Credentials | None = None) -> list[Finding]:
    """Send one request to the server of the site; return what went wrong."""
    server = site.thingsboard
    sensor_credentials = credentials.sensors.values() if credentials else ()
    certificates = [credential for credential in sensor_credentials if isinstance(credential, Certificate)]
    client, sensor_clients = connect(server, certificates, lanes=1)
    if sensor_clients and len(certificates) == len(sensor_credentials):
        client = sensor_clients[certificates[0]]
    try:
        async with client, asyncio.timeout(TIMEOUT_S):
            await client.get(_QUESTION, deadline_s=ANSWER_TIMEOUT_S)
    except TimeoutError:
        sentence = f"UDP: {server.url} gave no answer within {TIMEOUT_S:g} s"
        return [_finding(sentence, _listen(server.port))]
    except NoHandshake as error:
        return [await _no_handshake(site, error)]
    except UplinkError as error:
        return [_finding(f"{_stage(error)}: {error}", _fix(site, error))]
    return []


def _stage(error: UplinkError) -> str:
    """Return the part that failed: "DNS", "UDP" (the way there and back) or "DTLS"."""
    if isinstance(error, NotResolved):
        return "DNS"
    return "DTLS" if isinstance(error, NotTrusted | HandshakeBroken) else "UDP"


def _fix(site: Site, error: UplinkError) -> str:
    """Return a command that shows the cause."""
    server = site.thingsboard
    match error:
        case NotResolved():
            return f"getent ahosts {server.host}"
        case NotTrusted() | HandshakeBroken():
            return f"openssl s_client -dtls1_2 -showcerts -connect {server.host}:{server.port}"
        case Refused():
            return f"sudoedit {quote(str(site.path))}"
        case Silent():
            return _listen(server.port)
        case Unreachable():
            return f"ping -c 3 {server.host}"
        case _:
            return "serial-bridge status"


async def _no_handshake(site: Site, error: NoHandshake) -> Finding:
    """Return the finding for a handshake without an answer: no DTLS if a plain port answers, else no UDP."""
    server = site.thingsboard
    async with Client(server.host, _PLAIN_PORT) as plain:
        if await plain.ping():
            sentence = f"DTLS: {error}; UDP passes, port {_PLAIN_PORT} there answers"
            return _finding(sentence, f"sudoedit {quote(str(site.path))}")
    return _finding(f"UDP: {error}", _listen(server.port))


def _listen(port: int) -> str:
    """Return a command that shows whether datagrams come back."""
    return f"sudo tcpdump -ni any udp port {port}"


def _finding(sentence: str, fix: str) -> Finding:
    return Finding(AREA, Severity.FAULT, sentence, fix)
