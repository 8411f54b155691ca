"""Hosts as people, URLs and certificates write them: an address, or a name that a name server knows.

The address of a link-local server has a zone, which says behind which interface it is (`fe80::1%eth0`,
RFC 4007 §11). Only this machine knows what it means: it is needed to send anything there, and stands in no
certificate.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def as_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that `host` is, without its zone; None if it is a name."""
    try:
        return ip_address(ip_address(host).packed)
    except ValueError:
        return None


def ascii_name(host: str) -> str:
    """Return a host name as certificates write it: lower case, punycode, no dot at its end."""
    try:
        return host.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:  # no name of a host; it will fit no certificate
        return host.lower()


def authority(host: str, port: int) -> str:
    """Return host:port as a URI has it, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
