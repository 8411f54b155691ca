"""The stand-in's DTLS side: an association for each client, with the certificate that the client showed.

It behaves as ThingsBoard's Californium does:

    client certificate    requested, not required, any issuer: a client that shows none is known by token
    its validity          checked; expired is a fatal alert
    a known device        the one whose whole certificate was shown in a full handshake from this ip:port;
                          when that entry is gone, requests are answered 4.01 until the next handshake
    unknown records       nothing at all, as after a restart
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from bridge.simulator.server.faults import Peer

_MTU = 1024
_RECORD_HEADER = 13
_LARGEST_RECORD = 1 << 14
_HANDSHAKE, _CLIENT_HELLO = 22, 1  # RFC 5246 §6.2.1, §7.4
_EXPIRED = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(slots=True)
class _Association:
    connection: SSL.Connection
    established: bool = False
    timer: asyncio.TimerHandle | None = field(default=None)


class Secure:
    """DTLS 1.2 for every client of one socket.

    Attributes:
        devices: name of each device known by its certificate: DER → name; may be changed at any time.
        handshakes: completed.
        requires_certificate: a client without one is refused.
    """

    def __init__(self, certificate: Path, key: Path, devices: dict[bytes, str]) -> None:
        """Make a layer without associations.

        Args:
            certificate, key: the server's, PEM files.
            devices: as the attribute.
        """
        self.devices = devices
        self.handshakes = 0
        self.requires_certificate = False
        self._sessions: dict[Peer, str] = {}
        self._associations: dict[Peer, _Association] = {}
        self._transmit: Callable[[bytes, Peer], None] = lambda _datagram, _peer: None
        self._context = _context(certificate, key)

    def connect(self, transmit: Callable[[bytes, Peer], None]) -> None:
        """Send all further datagrams through `transmit`."""
        self._transmit = transmit

    @property
    def peers(self) -> list[Peer]:
        """Return the clients that have a connection."""
        return [peer for peer, association in self._associations.items() if association.established]

    def device(self, peer: Peer) -> str | None:
        """Return the name of the device whose certificate this client showed; None if it showed none."""
        return self._sessions.get(peer)

    def forget(self) -> None:
        """Forget every association, as a restart does."""
        for association in self._associations.values():
            if association.timer is not None:
                association.timer.cancel()
        self._associations.clear()
        self._sessions.clear()

    def forget_sessions(self) -> None:
        """Forget the certificates that clients showed; the associations go on."""
        self._sessions.clear()

    def close(self) -> None:
        """Send close_notify to every client, as an orderly shutdown does, and forget all associations."""
        for peer, association in self._associations.items():
            if association.established:
                association.connection.shutdown()
                self._flush(association, peer)
        self.forget()

    def received(self, datagram: bytes, peer: Peer) -> list[bytes]:
        """Take a datagram from a client; return the messages decrypted from it."""
        association = self._associations.get(peer)
        if _is_hello(datagram) and (association is None or association.established):
            association = self._associations[peer] = _Association(self._new_connection())
        if association is None or not datagram:
            return []
        association.connection.bio_write(datagram)
        if not association.established:
            self._shake_hands(association, peer)
        return list(self._read(association, peer)) if association.established else []

    def send(self, message: bytes, peer: Peer) -> None:
        """Encrypt and send one message; do nothing if the client has no connection any more."""
        association = self._associations.get(peer)
        if association is not None and association.established:
            association.connection.send(message)
            self._flush(association, peer)

    def _new_connection(self) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_ciphertext_mtu(_MTU)
        if self.requires_certificate:
            connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept)
        connection.set_accept_state()
        return connection

    def _shake_hands(self, association: _Association, peer: Peer) -> None:
        if self._associations.get(peer) is not association:  # forgotten
            return
        if association.timer is not None:
            association.timer.cancel()
        try:
            association.connection.DTLSv1_handle_timeout()
            association.connection.do_handshake()
        except SSL.WantReadError:
            timeout_s = association.connection.DTLSv1_get_timeout()
            if timeout_s is not None:
                loop = asyncio.get_running_loop()
                association.timer = loop.call_later(timeout_s, self._shake_hands, association, peer)
        except SSL.Error:
            del self._associations[peer]
        else:
            self._established(association, peer)
        self._flush(association, peer)

    def _established(self, association: _Association, peer: Peer) -> None:
        association.established = True
        self.handshakes += 1
        certificate = association.connection.get_peer_certificate(as_cryptography=True)
        name = self.devices.get(certificate.public_bytes(Encoding.DER)) if certificate else None
        if name is not None:
            self._sessions[peer] = name

    def _read(self, association: _Association, peer: Peer) -> Iterator[bytes]:
        try:
            while True:
                yield association.connection.recv(_LARGEST_RECORD)
        except SSL.WantReadError:
            pass
        except (SSL.ZeroReturnError, SSL.Error):
            self._associations.pop(peer, None)
        self._flush(association, peer)  # the last flight again, if the client asked for it

    def _flush(self, association: _Association, peer: Peer) -> None:
        """Send the pending records, each in a datagram of its own."""
        while True:
            try:
                records = association.connection.bio_read(_LARGEST_RECORD)
            except SSL.WantReadError:
                return
            while records:
                end = _RECORD_HEADER + int.from_bytes(records[11:_RECORD_HEADER], "big")
                self._transmit(records[:end], peer)
                records = records[end:]


def _context(certificate: Path, key: Path) -> SSL.Context:
    cookie = secrets.token_bytes(16)
    context = SSL.Context(SSL.DTLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | (SSL.OP_COOKIE_EXCHANGE or 0))
    context.set_cookie_generate_callback(lambda _connection: cookie)
    context.set_cookie_verify_callback(lambda _connection, echo: echo == cookie)
    context.set_verify(SSL.VERIFY_PEER, _accept)
    return context


def _accept(_connection: SSL.Connection, _certificate: object, error: int, _depth: int, _ok: int) -> bool:
    return error not in _EXPIRED


def _is_hello(datagram: bytes) -> bool:
    """Return whether a datagram is a ClientHello of epoch 0."""
    return (
        len(datagram) > _RECORD_HEADER
        and datagram[0] == _HANDSHAKE
        and datagram[3:5] == b"\0\0"
        and datagram[_RECORD_HEADER] == _CLIENT_HELLO
    )
