"""Certificates for tests, made when they are needed: nothing that is valid today is kept in a repository."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
VALID = (-DAY, DAY)
EXPIRED = (-10 * DAY, -DAY)


@dataclass(frozen=True, slots=True)
class Issued:
    """The files of a certificate and its key, and the certificate as it is compared."""

    certificate: Path
    key: Path
    der: bytes


class Authority:
    """An authority with EC keys. Its own certificate is `path`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.path = folder / f"{name}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = (
            _builder(self._name, self._name, self._key, VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        names: Iterable[str] = (),
        *,
        valid: tuple[timedelta, timedelta] = VALID,
        passphrase: str | None = None,
    ) -> Issued:
        """A certificate with `name` as its common name, in files of that name.

        Args:
            names: its alternative names, host names or addresses; none: it has no such extension.
            valid: from when to when, seen from now.
            passphrase: of the key file.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key, valid)
        if alternatives := [_alternative(text) for text in names]:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].touch(mode=0o600)
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            encryption = serialization.BestAvailableEncryption(passphrase.encode())
        paths[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return Issued(*paths, certificate.public_bytes(serialization.Encoding.DER))

    def server(self, name: str = "server", *, valid: tuple[timedelta, timedelta] = VALID) -> Issued:
        """A certificate for 127.0.0.1 and localhost."""
        return self.issue(name, ["localhost", "127.0.0.1"], valid=valid)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: tuple[timedelta, timedelta],
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
