"""X.509 certificates and keys in files, and the names in a certificate.

What is wrong with a file is said with its path and the fix: `check` shows it, and a running uplink holds the
sensor. Imported only where coaps is used: a site without certificates does not pay for `cryptography`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from shlex import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bridge.errors import NotTrusted


class UnusableFile(NotTrusted):
    """A certificate or key that cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device shows to be recognized, and the proof that it is its own.

    Attributes:
        path: the file of the certificate, for messages.
        certificate: the device's own; ThingsBoard compares it whole and looks at no other.
        key: its private key.
    """

    path: Path
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey | RSAPrivateKey

    def expired(self, now: datetime) -> str | None:
        """The sentence that its validity is over at `now`; None if it is not."""
        ended = self.certificate.not_valid_after_utc
        if now <= ended:
            return None
        return f"the certificate {self.path} expired on {ended:%Y-%m-%d}, ThingsBoard refuses it: renew it"


def read_identity(certificate: Path, key: Path) -> Identity:
    """A device's certificate and its private key.

    Raises:
        UnusableFile: one of the files is missing, may not be read or is not PEM; they do not belong together.
    """
    found = read_certificates(certificate)[0]
    private = _read_key(key)
    if _spki(private.public_key()) != _spki(found.public_key()):
        raise UnusableFile(f"the key {key} does not belong to the certificate {certificate}: pair them anew")
    return Identity(certificate, found, private)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, at least one.

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
    """Whether one of the certificate's alternative names is `name`; its common name does not count.

    Args:
        name: a host name or an IP address. A `*` in the certificate stands for the whole first label of a
            host name (RFC 6125 §6.4.3) and for nothing else.
    """
    if (address := as_address(name)) is not None:
        return address in _alternatives(certificate).get_values_for_type(x509.IPAddress)
    wanted = ascii_name(name)
    parent = wanted.partition(".")[2]
    wildcard = f"*.{parent}" if "." in parent else wanted
    offered = _alternatives(certificate).get_values_for_type(x509.DNSName)
    return not {wanted, wildcard}.isdisjoint(offer.lower().rstrip(".") for offer in offered)


def names(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses the certificate is for."""
    found = _alternatives(certificate)
    addresses = found.get_values_for_type(x509.IPAddress)
    return found.get_values_for_type(x509.DNSName) + [str(address) for address in addresses]


def as_address(name: str) -> IPv4Address | IPv6Address | None:
    """The IP address that `name` is; None if it is the name of a host."""
    try:
        return ip_address(name)
    except ValueError:
        return None


def ascii_name(host: str) -> str:
    """A host name as certificates write it: lower case, punycode, no dot at its end."""
    try:
        return host.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:  # no name of a host; it will fit no certificate
        return host.lower()


def now() -> datetime:
    """What the gateway's clock says."""
    return datetime.now(UTC)


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # ValueError: a malformed extension
        return x509.SubjectAlternativeName(())


def _read_key(path: Path) -> EllipticCurvePrivateKey | RSAPrivateKey:
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, None)
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
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise UnusableFile(f"the key {path} is neither EC nor RSA, which is all that ThingsBoard takes")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fix = "correct the path" if isinstance(error, FileNotFoundError) else "let the service's user read it"
        raise UnusableFile(f"{path} cannot be read ({error.strerror}): {fix}") from None


def _spki(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]
