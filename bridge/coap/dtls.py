"""DTLS 1.2: the associations of a coaps URL, on OpenSSL with its input and output in memory.

    CoAP message ─transmit▶ OpenSSL ─records▶ datagrams ─▶ socket
    CoAP message ◀─receive─ OpenSSL ◀──────── datagram ◀── socket

An association is opened when its handshake is over and the server's name is found in its certificate, so that
no CoAP timer runs before that and nothing is sent to a stranger. Every handshake is a full one: ThingsBoard
knows a device by its certificate only after that.

A server that restarted drops what it cannot decrypt without a word, so silence here means more than on
plain UDP: after two retransmissions and four seconds of it the association ends, and the next request opens
another.

ThingsBoard's receive buffer, too, drops without a word: what is longer than 1130 bytes. A handshake goes in
shorter datagrams still, so that a certificate arrives where the path swallows long ones; a reading's length
is found out afterwards (`path_limit`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from bridge.certificates import Identity, read_identity
from bridge.coap.addresses import Address
from bridge.coap.errors import Closed, Silent, Unreachable
from bridge.coap.exchange import Exchange
from bridge.coap.interface import Association
from bridge.coap.trust import Trust
from bridge.coap.udp import UDPAssociation, connect
from bridge.errors import ConnectionEnded, UplinkError
from bridge.hosts import authority

HANDSHAKE_LIMIT_S = 20.0
DEAD_AFTER_RETRANSMISSIONS = 2
DEAD_AFTER_S = 4.0

DATAGRAM_LIMIT = 1100
FLIGHT_LIMIT = 548  # of a handshake: what any IPv4 path carries, RFC 791 §3.1 and 20 + 8 bytes of headers
_RECORD_HEADER = 13  # RFC 6347 §4.1: type, version, epoch, sequence number, length
_OVERHEAD = _RECORD_HEADER + 8 + 16  # and AES-GCM's explicit nonce and tag, RFC 5288 §3
_LARGEST_RECORD = 1 << 14


class NoHandshake(Unreachable):
    """No handshake in time: nothing came back, or not enough of it."""

    def __init__(self, where: str) -> None:
        UplinkError.__init__(
            self,
            f"{where} did not complete a DTLS handshake in {HANDSHAKE_LIMIT_S:.0f} s: check that the url's "
            "port is the coaps one, that UDP passes every firewall and that the server runs",
        )


class Forgotten(Silent):
    """The server went silent on a connection that worked: it may have restarted and lost it."""

    def __init__(self, where: str, elapsed_s: float) -> None:
        UplinkError.__init__(
            self,
            f"{where} was silent for {elapsed_s:.1f} s on an encrypted connection: "
            "a new handshake will tell whether it restarted or is unreachable",
        )


class Ended(ConnectionEnded):
    """The server said that it closes the connection (close_notify)."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} closed the encrypted connection: a new handshake follows")


class DTLS:
    """Opens encrypted associations: for all tokens of a site, or for one certificate.

    Args:
        trust: whom to trust as the server.
        certificate, key: PEM files of a device; read at each handshake, so that renewed ones are taken.
    """

    message_limit = DATAGRAM_LIMIT - _OVERHEAD
    payload_limit = 900
    opening_limit_s = HANDSHAKE_LIMIT_S

    def __init__(self, trust: Trust, certificate: Path | None = None, key: Path | None = None) -> None:
        self._trust = trust
        self._certificate, self._key = certificate, key

    async def open(self, manager: Any, address: Address, where: str) -> Association:
        """Return an association whose handshake is over and whose server has the right name.

        Raises:
            NotTrusted: a certificate is not accepted, on this side or on the other.
            NoHandshake: the handshake was not completed in time.
            Unreachable, Refused: as for plain UDP.
        """
        identity = None
        if self._certificate is not None and self._key is not None:
            identity = read_identity(self._certificate, self._key)
        connection = self._trust.connection(identity)
        connection.set_ciphertext_mtu(FLIGHT_LIMIT)
        numeric, udp_socket = authority(*address[1][:2]), connect(address, where)
        association = DTLSAssociation(manager, numeric, where, udp_socket, connection, self._trust, identity)
        try:
            await association.shake_hands()
        except BaseException:
            association.end(Closed(where))
            raise
        return association


class DTLSAssociation(UDPAssociation):
    """An association whose datagrams are DTLS records. Owns its socket until it ends."""

    def __init__(
        self,
        manager: Any,
        address: str,
        where: str,
        udp_socket: socket.socket,
        connection: SSL.Connection,
        trust: Trust,
        identity: Identity | None,
    ) -> None:
        self._trust = trust
        self._identity = identity
        self._connection = connection
        self._anchors = trust.anchors()
        super().__init__(manager, address, where, udp_socket)
        self._handshake_over = asyncio.Event()  # or the association has ended
        self._flight: asyncio.TimerHandle | None = None
        self._unheard_since_s: float | None = None  # the oldest request with nothing heard after it
        self.carries = False

    async def shake_hands(self) -> None:
        """Complete the handshake and check the server's name. Errors as for `DTLS.open`."""
        self._proceed()
        try:
            async with asyncio.timeout(HANDSHAKE_LIMIT_S):
                await self._handshake_over.wait()
        except TimeoutError:
            raise NoHandshake(self._where) from None
        if self.failure is not None:
            raise self.failure
        self._trust.check_name(self._connection, self._where)
        self._trust.record_success(self._identity)

    def is_current(self) -> bool:
        """Return whether the trust anchors are still those that the handshake was checked with."""
        return self._trust.anchors() == self._anchors

    def transmit(self, message: bytes) -> None:
        """Encrypt and send one CoAP message."""
        if self.failure is None:
            self._connection.send(message)
            self._flush()

    def send(self, exchange: Exchange, message: Any) -> None:
        """Send a message of aiocoap's, and doubt the server when the message must be sent again and again."""
        super().send(exchange, message)
        if not message.code.is_request():
            return
        now_s = self.loop.time()
        if self._unheard_since_s is None:
            self._unheard_since_s = now_s
        if exchange.transmissions > DEAD_AFTER_RETRANSMISSIONS:
            silent_s = now_s - self._unheard_since_s
            patience_s = max(silent_s / 3, DEAD_AFTER_S - silent_s)  # a third: what the first one was given
            self.loop.call_later(patience_s, self._doubt, self.datagrams_received, self._unheard_since_s)

    def receive(self, datagram: bytes) -> None:
        """Process one datagram from the socket: a step of the handshake, or CoAP messages."""
        if self.failure is not None or not datagram:
            return
        self._connection.bio_write(datagram)
        if self.carries:
            self._read()
        else:
            self._proceed()

    def release(self) -> None:
        """Send close_notify, without waiting for its arrival, and close the socket."""
        if self._flight is not None:
            self._flight.cancel()
        if self.carries:
            with suppress(SSL.Error, OSError):
                self._connection.shutdown()
                self._socket.send(self._connection.bio_read(_LARGEST_RECORD))
        super().release()
        del self._connection  # OpenSSL's tens of kilobytes, without waiting for the garbage collector
        self._handshake_over.set()

    def _proceed(self) -> None:
        """Take the handshake as far as the datagrams received so far allow."""
        if self._flight is not None:
            self._flight.cancel()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            timeout_s = self._connection.DTLSv1_get_timeout()
            if timeout_s is not None and self.failure is None:
                self._flight = self.loop.call_later(timeout_s, self._repeat_flight)
        except SSL.Error as error:
            self._flush()  # the alert that tells the server
            self.end(self._trust.refusal(self._connection, error, self._identity, self._where))
        else:
            self._flush()
            self.carries = True
            self._connection.set_ciphertext_mtu(DATAGRAM_LIMIT)
            self._handshake_over.set()

    def _repeat_flight(self) -> None:
        """Send the last flight of the handshake again (RFC 6347 §4.2.4)."""
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:  # OpenSSL gives up after so many flights; the handshake's limit says so
            return
        self._proceed()

    def _read(self) -> None:
        """Deliver every complete message; end the association on close_notify or an error of OpenSSL's."""
        try:
            while self.failure is None:
                message = self._connection.recv(_LARGEST_RECORD)
                self._unheard_since_s = None
                super().receive(message)
        except SSL.WantReadError:
            self._flush()
        except SSL.ZeroReturnError:
            self.end(Ended(self._where))
        except SSL.Error as error:
            self.end(self._trust.refusal(self._connection, error, self._identity, self._where))

    def _flush(self) -> None:
        """Send the records that OpenSSL has written to memory."""
        while True:
            try:
                records = self._connection.bio_read(_LARGEST_RECORD)
            except SSL.WantReadError:
                return
            for datagram in split(records, DATAGRAM_LIMIT if self.carries else FLIGHT_LIMIT):
                super().transmit(datagram)

    def _doubt(self, datagrams_before: int, unheard_since_s: float) -> None:
        """End the association if nothing was received since `datagrams_before` datagrams."""
        if self.datagrams_received == datagrams_before:
            self.end(Forgotten(self._where, self.loop.time() - unheard_since_s))


def split(records: bytes, limit: int) -> Iterator[bytes]:
    """Cut a stream of whole records into datagrams of at most `limit` bytes, or of one record.

    OpenSSL writes to memory without a mark where one datagram ends.
    """
    start = end = 0
    while end < len(records):
        length = _RECORD_HEADER + int.from_bytes(records[end + 11 : end + _RECORD_HEADER], "big")
        if end > start and end + length - start > limit:
            yield records[start:end]
            start = end
        end += length
    if start < end:
        yield records[start:]
