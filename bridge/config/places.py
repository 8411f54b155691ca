"""Names and places in site.toml: the server's URL, the adapter of a bus, the names of buses and sensors.

Each `check_` function takes a text and returns it, or raises ValueError with the rule, the value and the fix.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from bridge.config.wording import value_text

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>.*)")
_PLACE = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
Scheme = Literal["coap", "coaps"]
_PORTS: Mapping[Scheme, int] = {"coap": 5683, "coaps": 5684}  # RFC 7252 §6.1, §6.2
_ADAPTER = re.compile(r"serial:[!-.0-9;-~]+(:[0-9A-Fa-f]{1,2})?|path:[!-.0-~]+|/[!-~]*[!-.0-~]")
_ADAPTER_FORMS = '"serial:NUMBER[:INTERFACE]", "path:ID_PATH" or an absolute path such as "/dev/ttyAMA0"'
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})
NAME_LENGTH = 255  # characters of a device's name that ThingsBoard stores


class ServerUrl(NamedTuple):
    """The parts of a server's URL. `host` has no brackets; `port` is never missing."""

    scheme: Scheme
    host: str
    port: int


def parse_url(text: str) -> ServerUrl:
    """Read coap://HOST[:PORT] or coaps://HOST[:PORT]; an IPv6 address stands in brackets.

    Raises:
        ValueError: `text` is something else.
    """
    url = _URL.fullmatch(text)
    scheme = next((name for name in _PORTS if url and url["scheme"].lower() == name), None)
    if url is None or scheme is None:
        raise ValueError(_no_coap(text, url and url["scheme"].lower()))
    place = url["place"].removesuffix("/")
    if surplus := re.search(r"[/?#@]", place):
        part_name = {"@": "user or password", "/": "path"}.get(surplus[0], "query or fragment")
        raise ValueError(
            f"{value_text(text)} must have no {part_name}, write {scheme}://HOST or {scheme}://HOST:PORT"
        )
    parts = _PLACE.fullmatch(place)
    if parts is None or (place.count(":") > 1 and parts["ipv6"] is None):
        raise ValueError(
            f"{value_text(text)} is not a server, write {scheme}://HOST:PORT, an IPv6 address as [::1]"
        )
    host = _ipv6(parts["ipv6"]) if parts["ipv6"] is not None else _host(parts["host"])
    return ServerUrl(scheme, host, _PORTS[scheme] if parts["port"] is None else _port(parts["port"]))


def check_url(text: str) -> str:
    """Return the URL of a server if `parse_url` can read it."""
    parse_url(text)
    return text


def check_adapter(text: str) -> str:
    """Return an adapter of the form serial:NUMBER[:INTERFACE], path:ID_PATH or an absolute path."""
    if _ADAPTER.fullmatch(text):
        return text
    suggestion = _ADAPTER_FORMS
    plain = text.strip()
    plain = f"/{plain}" if plain.startswith("dev/") else plain
    if plain.startswith(("/dev/", "serial:", "path:")) and _ADAPTER.fullmatch(plain):
        suggestion = value_text(plain)
    elif re.fullmatch(r"tty\w+", text):
        suggestion = f'"/dev/{text}"'
    elif re.fullmatch(r"[A-Z0-9]{6,20}", text):
        suggestion = f'"serial:{text}"'
    raise ValueError(f"{value_text(text)} is not an adapter, write {suggestion}")


def check_bus_name(text: str) -> str:
    """Return the name of a bus of a–z, 0–9 and _, a letter first, at most 64 characters.

    The name becomes part of a systemd unit's name and of a path, so it needs no escaping.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]{0,63}", text):
        return text
    rule = "use a–z, 0–9 and _, a letter first"
    raise ValueError(f"{value_text(text)} cannot name a bus, {rule}: [bus.{plain_bus_name(text)}]")


def plain_bus_name(text: str) -> str:
    """Return the name of a bus that is nearest to a text: "zaehler" for "Zähler"."""
    letters = (
        unicodedata.normalize("NFKD", text.lower().translate(_UMLAUTS)).encode("ascii", "ignore").decode()
    )
    name = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")
    return (name if name[:1].isalpha() else f"bus_{name}".rstrip("_"))[:64]


def check_plain_name(text: str) -> str:
    """Return a name that people see: printable, no space at its ends, at most 255 characters."""
    if not text.strip():
        raise ValueError("a name cannot be empty")
    if text != text.strip():
        raise ValueError(f'{value_text(text)} begins or ends with a space, leave it out: "{text.strip()}"')
    if not text.isprintable():
        raise ValueError("there is a tab, a line break or an invisible character in the name, retype it")
    if len(text) > NAME_LENGTH:
        raise ValueError(f'"{text[:20]}…" has {len(text)} characters, a name may have {NAME_LENGTH}')
    return text


def _no_coap(text: str, scheme: str | None) -> str:
    """Return the message for a URL without a scheme or with another one; it shows the host under coap://."""
    host = re.split(r"[/:]", text.rpartition("://")[2])[0]
    suggestion = f"coap://{host}" if _LABEL.match(host) else "coap://tb.example.com"
    fault = "has no scheme" if scheme is None else f"is {scheme}, the bridge speaks CoAP"
    return f'{value_text(text)} {fault}: write "{suggestion}", or coaps:// to encrypt'


def _ipv6(text: str) -> str:
    try:
        IPv6Address(text)
    except AddressValueError:
        raise ValueError(f"{value_text(text)} is not an IPv6 address, such as [2001:db8::1]") from None
    return text


def _host(text: str) -> str:
    labels = text.removesuffix(".").split(".")
    if re.fullmatch(r"[\d.]+", text):
        try:
            IPv4Address(text)
        except AddressValueError:
            raise ValueError(
                f"{value_text(text)} is not an IPv4 address, write four numbers from 0 to 255"
            ) from None
    elif len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{value_text(text)} is not a host, write a name of a–z, 0–9, - and dots, or an address"
        )
    return text


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{value_text(text)} is not a UDP port, use 1–65535")
    return int(text)
