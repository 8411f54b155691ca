"""The certificate of the page on the network: made once, known by its fingerprint.

No authority knows a gateway in a cabinet. So it signs for itself, and the person compares the fingerprint
that `web pair` shows with the one that the browser shows.
"""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.commands.web.store import AccessStore
from bridge.files import acting_as_owner, replace_regular

_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)  # a gateway without a clock makes one, too
_DAYS = 30 * 365


def made(store: AccessStore) -> tuple[Path, Path]:
    """Return the files of certificate and key; make them if they are missing.

    Raises:
        OSError: they cannot be written.
    """
    certificate, key = store.path(".crt"), store.path(".key")
    with acting_as_owner(store.spool.parent):
        if not (certificate.exists() and key.exists()):
            pem, key_pem = _self_signed(socket.gethostname())
            replace_regular(key, key_pem, mode=0o600)
            replace_regular(certificate, pem, mode=0o644)
    return certificate, key


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 fingerprint as browsers show it."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return ":".join(_pairs(digest.hex().upper()))


def _pairs(digits: str) -> Iterator[str]:
    for place in range(0, len(digits), 2):
        yield digits[place : place + 2]


def _self_signed(host: str) -> tuple[bytes, bytes]:
    """Return a certificate for this machine's names and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"serial-bridge {host}"[:64])])
    names = [x509.DNSName(each) for each in (host, f"{host}.local", "localhost") if each.isascii()]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(os.urandom(19)) + 1)
        .not_valid_before(_FROM)
        .not_valid_after(_FROM + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem
