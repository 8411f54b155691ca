"""X.509 certificates and keys in files, and the names in a certificate.

An error about a file gives its path and the fix: `check` shows it, and a running uplink holds the sensor.
Import this module only where coaps is used: a site without certificates does not pay for `cryptography`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bridge.errors import NotTrusted
from bridge.hosts import as_address, ascii_name


class UnusableFile(NotTrusted):
    """A certificate or key that cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A device's certificate with the private key that proves it.

    Attributes:
        path: the file of the certificate, for messages.
        certificate: the device's own; ThingsBoard compares it whole and looks at no other.
        key: its private key.
    """

    path: Path
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey | RSAPrivateKey

    def expired(self, now: datetime) -> str | None:
        """Return a sentence if the certificate has expired at `now`; None if it has not."""
        end = self.certificate.not_valid_after_utc
        if now <= end:
            return None
        return f"the certificate {self.path} expired on {end:%Y-%m-%d}, ThingsBoard refuses it: renew it"


def read_identity(certificate: Path, key: Path) -> Identity:
    """Read a device's certificate and its private key.

    Raises:
        UnusableFile: a file is missing, may not be read or is not PEM, or the two do not belong together.
    """
    device_certificate = read_certificates(certificate)[0]
    private = _read_key(key)
    if _spki(private.public_key()) != _spki(device_certificate.public_key()):
        raise UnusableFile(f"the key {key} does not belong to the certificate {certificate}: pair them anew")
    return Identity(certificate, device_certificate, private)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Return all certificates of a PEM file, at least one.

    Raises:
        UnusableFile: as for `read_identity`.
    """
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise UnusableFile(
            f"{path} holds no PEM certificate (-----BEGIN CERTIFICATE-----): "
            f"convert it with: openssl x509 -inform DER -in {quote(str(path))}"
        ) from None


def fits(certificate: x509.Certificate, name: str) -> bool:
    """Return whether `name` is one of the certificate's alternative names; its common name does not count.

    Args:
        name: a host name or an IP address. A `*` in the certificate stands for the whole first label of a
            host name (RFC 6125 §6.4.3) and for nothing else.
    """
    if (address := as_address(name)) is not None:
        return address in _alternatives(certificate).get_values_for_type(x509.IPAddress)
    host = ascii_name(name)
    parent = host.partition(".")[2]
    wildcard = f"*.{parent}" if "." in parent else host
    host_names = _alternatives(certificate).get_values_for_type(x509.DNSName)
    return not {host, wildcard}.isdisjoint(host_name.lower().rstrip(".") for host_name in host_names)


def names(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that the certificate is for."""
    alternatives = _alternatives(certificate)
    addresses = alternatives.get_values_for_type(x509.IPAddress)
    return alternatives.get_values_for_type(x509.DNSName) + [str(address) for address in addresses]


def now() -> datetime:
    """Return the time of the gateway's clock, in UTC."""
    return datetime.now(UTC)


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: a malformed extension
        return x509.SubjectAlternativeName(())


def _read_key(path: Path) -> EllipticCurvePrivateKey | RSAPrivateKey:
    data = _read(path)
    try:
        private_key = serialization.load_pem_private_key(data, None)
    except TypeError:
        raise UnusableFile(
            f"the key {path} asks for a passphrase, which no service can give: "
            f"write it without one: openssl pkey -in {quote(str(path))}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableFile(
            f"{path} holds no PEM private key (-----BEGIN PRIVATE KEY-----): "
            f"convert it with: openssl pkey -inform DER -in {quote(str(path))}"
        ) from None
    if not isinstance(private_key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise UnusableFile(f"the key {path} is neither EC nor RSA, which is all that ThingsBoard takes")
    return private_key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fix = "correct the path" if isinstance(error, FileNotFoundError) else "let the service's user read it"
        raise UnusableFile(f"{path} cannot be read ({error.strerror}): {fix}") from None


def _spki(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]
