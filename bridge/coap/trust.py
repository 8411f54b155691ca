"""Whom a site's encrypted connections trust, and what a handshake that failed means for the installer.

OpenSSL checks the server's chain; its name is checked here, after the handshake and before anything is sent.
There is no callback from OpenSSL into Python: under systemd's MemoryDenyWriteExecute none can be made.

Until a handshake is over nothing in it is authentic: anybody who can send a datagram can forge an alert, or
a message that makes OpenSSL give up. So a handshake that was broken off is tried again in seconds, and
taken for the server's will only when it happens again and again. What OpenSSL or the comparison of names
finds in the server's certificate counts at once.

The trust anchors are those that are on the disk now: another content is taken with the next handshake, and
connections made before are made anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from OpenSSL.crypto import X509, X509StoreFlags

from bridge.certificates import Identity, fits, names, now, read_certificates
from bridge.clock import BUILD_DATE
from bridge.coap.errors import Unreachable
from bridge.errors import NotTrusted, UplinkError
from bridge.hosts import as_address, ascii_name

CIPHERS = b":".join(  # what ThingsBoard offers first, for EC and for RSA certificates
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-RSA-AES256-GCM-SHA384",
    )
)
_DTLS_1_2 = 0xFEFD
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_PASSING_ALERTS = ("internal error", "user canceled", "close notify")
BREAKS_BELIEVED = 4  # so many handshakes in a row broken off by the other side: that is no forger's datagram


class ClockUnset(UplinkError):
    """No certificate can be checked, because the gateway does not know the date."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the gateway's clock says {now():%Y-%m-%d %H:%M}, so the certificate of {where} "
            "is not valid yet: set the clock (timedatectl set-time …, or let NTP through)"
        )


class HandshakeBroken(UplinkError):
    """The other side broke off the handshake, or somebody who pretends to be it."""


class Trust:
    """The trust anchors of a site and the name of its server, for all its connections.

    Args:
        host: the server's name or address.
        ca: PEM file of the trust anchors; None for the system's.
        server_name: the name to find in the certificate instead of the host.
    """

    def __init__(self, host: str, *, ca: Path | None = None, server_name: str | None = None) -> None:
        self._name = server_name or host
        self._ca = ca
        self._context: SSL.Context | None = None
        self._context_anchors = b""
        self._stamp: object = None  # of the trust anchors' files when they were last read
        self._anchors = b""
        self._breaks: Counter[Path | None] = Counter()  # handshakes broken off in a row

    def anchors(self) -> bytes:
        """Return a digest of the trust anchors on the disk; reads them only when a file was written."""
        if (stamp := _stamp(self._ca)) != self._stamp:
            self._stamp, self._anchors = stamp, _content(self._ca)
        return self._anchors

    def record_success(self, identity: Identity | None) -> None:
        """Record a complete handshake: those that were broken off before it no longer count."""
        del self._breaks[_path(identity)]

    def connection(self, identity: Identity | None) -> SSL.Connection:
        """Return a connection on memory that is ready to begin its handshake.

        Raises:
            NotTrusted: the file of the trust anchors, or the certificate, cannot be used.
        """
        anchors = self.anchors()
        if self._context is None or anchors != self._context_anchors:
            self._context, self._context_anchors = self._make_context(), anchors
        connection = SSL.Connection(self._context, None)
        if as_address(self._name) is None:  # RFC 6066 §3 knows no addresses
            connection.set_tlsext_host_name(ascii_name(self._name).encode())
        if identity is not None:
            try:
                connection.use_certificate(identity.certificate)
                connection.use_privatekey(identity.key)
            except SSL.Error as error:
                raise NotTrusted(
                    f"OpenSSL refuses the certificate {identity.path} ({_reasons(error)[0]}): "
                    "make another with an EC key on P-256 or an RSA key of 2048 bits"
                ) from error
        connection.set_connect_state()
        return connection

    def check_name(self, connection: SSL.Connection, where: str) -> None:
        """Compare the server's name with its certificate, after the handshake.

        Raises:
            NotTrusted: the certificate is for other names, or for none.
        """
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is not None and fits(certificate, self._name):
            return
        certificate_names = names(certificate) if certificate is not None else []
        if not certificate_names:
            raise NotTrusted(
                f"the certificate of {where} has no subject alternative name, and a common name does not "
                f"count: issue it anew with {self._name} as subjectAltName"
            )
        raise NotTrusted(
            f"the certificate of {where} is for {', '.join(certificate_names)}, not for {self._name}: "
            "if that is the right server, set server_name in site.toml to one of them"
        )

    def refusal(
        self, connection: SSL.Connection, error: SSL.Error, identity: Identity | None, where: str
    ) -> UplinkError:
        """Return the error for a failed handshake: why it failed, and what to do about it."""
        reasons = _reasons(error)
        reason = reasons[0]
        if "certificate verify failed" in reasons:
            return self._server_refused(connection, where)
        _, is_alert, alert = reason.partition("alert ")
        if is_alert and alert in _PASSING_ALERTS:
            return Unreachable(where, f"it broke off the handshake: {alert}")
        self._breaks[_path(identity)] += 1
        is_expired = identity is not None and identity.expired(now()) is not None  # that is no forger's word
        is_believed = is_expired or self._breaks[_path(identity)] >= BREAKS_BELIEVED
        kind = NotTrusted if is_believed else HandshakeBroken
        if not is_alert:
            return kind(f"the handshake with {where} failed ({reason}): compare the two sides' DTLS")
        if identity is None:
            return kind(
                f"{where} refuses the handshake ({alert}): it wants a client certificate or another cipher; "
                "let it take tokens without one, or give the sensor a certificate in credentials.toml"
            )
        reason = identity.expired(now()) or (
            f"compare {identity.path} with the device's credentials and with what the server trusts"
        )
        return kind(f"{where} does not accept the sensor's certificate ({alert}): {reason}")

    def _server_refused(self, connection: SSL.Connection, where: str) -> UplinkError:
        # pyOpenSSL's public way to the reason is a callback.
        """Return the error for a server certificate that OpenSSL does not accept."""
        code: int = lib.SSL_get_verify_result(connection._ssl)
        if code == _NOT_YET_VALID and now() < BUILD_DATE:
            return ClockUnset(where)
        if code in (_NOT_YET_VALID, _EXPIRED):
            rule = "has expired" if code == _EXPIRED else "is not valid yet"
            return NotTrusted(
                f"the certificate of {where} {rule} (today is {now():%Y-%m-%d}): renew it on the server"
            )
        text = ffi.string(lib.X509_verify_cert_error_string(code)).decode()
        anchors = str(self._ca) if self._ca else "the system's trust anchors"
        return NotTrusted(
            f"the certificate of {where} is not vouched for by {anchors} ({text}): "
            "set ca in site.toml to the certificate of the authority that issued it"
        )

    def _make_context(self) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_cipher_list(CIPHERS)
        # ThingsBoard knows a device's certificate only from a full handshake; a resumed one is answered 4.01.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | (SSL.OP_NO_RENEGOTIATION or 0))
        context.set_verify(SSL.VERIFY_PEER)
        if self._ca is None:
            context.set_default_verify_paths()
        else:
            store = context.get_cert_store()
            assert store is not None
            for certificate in read_certificates(self._ca):
                store.add_cert(X509.from_cryptography(certificate))
            store.set_flags(X509StoreFlags.PARTIAL_CHAIN)  # a server's own certificate may be the anchor
        return context


def _path(identity: Identity | None) -> Path | None:
    return identity.path if identity is not None else None


def _anchor_files(ca: Path | None) -> Iterator[Path]:
    """Yield the files that hold the trust anchors, and the folders of the system's."""
    if ca is not None:
        yield ca
        return
    import ssl  # here, because a site with anchors of its own has no use for it

    places = ssl.get_default_verify_paths()
    for place in (places.cafile, places.capath, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"):
        if place is not None:
            yield Path(place)


def _stamp(ca: Path | None) -> tuple[object, ...]:
    """Return a value that changes when one of the files is written, without reading the files."""
    stamps: list[object] = []
    for path in _anchor_files(ca):
        try:
            status = path.stat()
        except OSError:
            stamps.append(path)
        else:
            stamps.append((path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(stamps)


def _content(ca: Path | None) -> bytes:
    """Return a digest of the trust anchors; a folder counts by its names and where its links point."""
    digest = hashlib.sha256()
    for path in _anchor_files(ca):
        try:
            if path.is_dir():
                for entry in sorted(path.iterdir()):
                    digest.update(f"{entry.name} {entry.resolve()}\n".encode())
            else:
                digest.update(path.read_bytes())
        except OSError as error:
            digest.update(str(error.errno).encode())
    return digest.digest()


def _reasons(error: SSL.Error) -> list[str]:
    """Return OpenSSL's queue of reasons, at least one."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return [reason for _, _, reason in queue] or [str(error.args[-1]) if error.args else "it gives none"]
