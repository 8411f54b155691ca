"""credentials.toml: the ThingsBoard credential of each sensor, and of the gateway's own device.

A file of its own, so that the site file can be mailed and versioned. No message and no repr ever holds a
secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Annotated

from bridge.config import decryption
from bridge.config.document import Document, key_text
from bridge.config.keys import Table
from bridge.config.kinds import Check, Context, File
from bridge.config.tables import Sensor, Site, readable
from bridge.config.toml_lines import KeyPath
from bridge.errors import ConfigError
from protocols.toolkit.keys import nearest

_TOKEN_LENGTH = 255  # bytes: a CoAP Uri-Path option, RFC 7252 §5.10
_KEYS = (
    *("sensors", "provisioning", "pending", "certificate", "device_key", "device_secret"),
    *(decryption.TABLE, *decryption.KEYS),
)
_EXAMPLES = (  # README's placeholders for secrets
    "the access token of its device",
    "the profile's provision device key",
    "the profile's provision device secret",
)


@dataclass(frozen=True, slots=True)
class Token:
    """A ThingsBoard access token."""

    value: str

    def __repr__(self) -> str:
        return "Token(…)"


def _readable(path: Path) -> Path:
    """Return the path of a file that can be read; the message does not show it, as it may be a token."""
    try:
        return readable(path)
    except ValueError:
        raise ValueError(
            "there is no such file, or it may not be read: write its name, relative to this file's folder"
        ) from None


def _private(path: Path) -> Path:
    if path.stat().st_mode & 0o077 and not _from_systemd(path):
        raise ValueError(f"others may read {path}, run: chmod 600 {quote(str(path))}")
    return path


class _HandedOver(File):
    """The path of a file that credentials.toml names.

    Where systemd hands over both, the file lies beside credentials.toml, under its own name.
    """

    def read(self, value: object, context: Context) -> Path:
        """Return the path. Errors as for `File.read`."""
        path = super().read(value, context)
        return context.folder / path.name if _from_systemd(context.folder) else path


def _secret(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("a secret is not empty and has no space or line break at its ends")
    if text in _EXAMPLES:
        raise ValueError("this is the example's text, copy the secret from the device profile in ThingsBoard")
    return text


Secret = Annotated[str, Check(_secret)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate(Table):
    """{ certificate = …, key = … }: a sensor's X.509 certificate, for coaps."""

    certificate: Annotated[Path, _HandedOver(), Check(_readable)]
    """PEM file, the device's certificate first."""
    key: Annotated[Path, _HandedOver(), Check(_readable), Check(_private)]
    """PEM file of its private key, mode 0600."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning(Table):
    """[provisioning]: the keys with which `serial-bridge provision` obtains the sensors' tokens."""

    device_key: Secret = field(repr=False)
    """The device profile's provision device key."""
    device_secret: Secret = field(repr=False)
    """The device profile's provision device secret."""


Credential = Token | Certificate


@dataclass(frozen=True, slots=True)
class Credentials:
    """The contents of credentials.toml.

    Attributes:
        sensors: the credential of each sensor, and of the gateway's own device, by its name.
        provisioning: None if the file has no such table.
        warnings: what is odd but allowed, one line each.
        pending: tokens that `serial-bridge provision` has made up and the server has not confirmed.
        path: the file; None if these were made in code.
    """

    sensors: Mapping[str, Credential]
    provisioning: Provisioning | None = None
    warnings: tuple[str, ...] = ()
    pending: Mapping[str, Token] = field(default_factory=dict)
    path: Path | None = None


def load_credentials(path: Path, site: Site | None = None) -> Credentials:
    """Read credentials.toml.

    Args:
        site: the site it belongs to; without it, names and shared credentials cannot be checked.

    Raises:
        ConfigError: every mistake in the file, each with file, line, key, rule and fix.
    """
    names = site.devices if site else ()
    homes = dict.fromkeys(names, "[sensors]")
    document = Document.read(path, secret=True, public_keys={*_KEYS, *names}, homes=homes)
    tables = document.tables
    if path.stat().st_mode & 0o077 and not _from_systemd(path):
        document.mistake((), f"others may read this file, run: chmod 600 {quote(str(path))}")
    document.unknown_keys((), tables, ("sensors", "provisioning", "pending", decryption.TABLE))
    decryption.read_keys(document, site)
    sensors = _sensors(document, tables.get("sensors", {}))
    pending = _pending(document, tables.get("pending", {}))
    provisioning = None
    if "provisioning" in tables:
        provisioning = document.check(Provisioning, ("provisioning",), tables["provisioning"])
    if site:
        _compare(document, sensors, pending, site)
    if document.mistakes:
        raise ConfigError(document.mistakes)
    return Credentials(sensors, provisioning, tuple(document.warnings), pending, path)


def check_token(text: str) -> str:
    """Return `text` if it is a token that fits into one segment of a CoAP path.

    Raises:
        ValueError: it is not; the message does not hold it.
    """
    if not text.strip():
        raise ValueError("the token is empty, copy it from the device's page in ThingsBoard")
    if text in _EXAMPLES:
        raise ValueError("this is the example's text, copy the token from the device's page in ThingsBoard")
    if text != text.strip() or not text.isprintable():
        raise ValueError("the token has a space at an end or an invisible character; copy it again")
    if "/" in text or text in (".", ".."):
        raise ValueError("a token cannot hold a / or be only dots: it is one part of a path")
    if len(text.encode()) > _TOKEN_LENGTH:
        raise ValueError(f"the token has {len(text.encode())} bytes, CoAP takes at most {_TOKEN_LENGTH}")
    return text


def _sensors(document: Document, table: object) -> dict[str, Credential]:
    if not isinstance(table, Mapping):
        document.mistake(("sensors",), "this must be a table: [sensors], and a line for each sensor")
        return {}
    credentials: dict[str, Credential] = {}
    for name, value in table.items():
        if credential := _credential(document, ("sensors", name), value):
            credentials[name] = credential
    return credentials


def _pending(document: Document, table: object) -> dict[str, Token]:
    if not isinstance(table, Mapping):
        document.mistake(("pending",), "this must be a table; `serial-bridge provision` writes it")
        return {}
    tokens = {name: _token(document, ("pending", name), value) for name, value in table.items()}
    return {name: token for name, token in tokens.items() if token}


def _credential(document: Document, path: KeyPath, value: object) -> Credential | None:
    if isinstance(value, Mapping):
        return document.check(Certificate, path, value)
    return _token(document, path, value)


def _token(document: Document, path: KeyPath, value: object) -> Token | None:
    if not isinstance(value, str):
        document.mistake(path, 'write the token in quotes, or { certificate = "….pem", key = "….key" }')
        return None
    try:
        return Token(check_token(value))
    except ValueError as error:
        document.mistake(path, str(error))
        return None


def _compare(
    document: Document, credentials: Mapping[str, Credential], pending: Mapping[str, Token], site: Site
) -> None:
    """Note what does not match between the credentials and the devices of the site."""
    sensors, gateway = site.sensors, site.thingsboard.gateway
    for name, credential in credentials.items():
        if name in site.devices:
            continue
        if isinstance(credential, Token) and credential.value in site.devices:
            line = document.line(("sensors", name))
            document.mistake(
                ("sensors",), f"name and token are the wrong way round on line {line}: NAME = TOKEN"
            )
        else:
            near = nearest(name, site.devices)
            hint = f'; did you mean "{near}"?' if near else ""
            document.warn(("sensors", name), f"{site.path} has no such sensor{hint}")
    for name in site.devices:
        if name in credentials:
            continue
        if name in pending:
            waits = "nothing is reported of the gateway" if name == gateway else "its readings wait"
            document.warn(("pending", name), f"{waits}: go on with `serial-bridge provision`")
        elif name == gateway:
            document.warn(("sensors",), f'the gateway "{name}" has no credential: nothing is reported of it')
        else:
            document.warn(("sensors",), f'"{name}" has no credential: its readings wait in the spool')
    by_credential: dict[Credential, list[Sensor]] = {}
    for name, credential in credentials.items():
        if name in sensors:
            _check_shared(document, site, sensors[name], by_credential.setdefault(credential, []))
        if name in site.devices and isinstance(credential, Certificate):
            _check_certificate(document, site, name, credential)
    own = credentials.get(gateway) if gateway is not None else None
    if gateway is not None and own is not None and (sharing := by_credential.get(own)):
        document.mistake(
            ("sensors", gateway),
            f"the gateway has the credential of {key_text(('sensors', sharing[0].name))}: its reports would "
            "keep that sensor alive in ThingsBoard; give the gateway a device of its own",
        )


def _check_certificate(document: Document, site: Site, name: str, credential: Certificate) -> None:
    """Note what keeps a certificate from being used: an unencrypted server, a bad file, its expiry."""
    if site.thingsboard.scheme == "coap":
        document.mistake(
            ("sensors", name),
            f"a certificate is for coaps:// only, and {site.path} says coap://: "
            "change the url, or give the sensor a token",
        )
        return
    # Imported here, so that a site without certificates does not load `cryptography`.
    from bridge.certificates import UnusableFile, now, read_identity

    try:
        identity = read_identity(credential.certificate, credential.key)
    except UnusableFile as error:
        document.mistake(("sensors", name), str(error))
        return
    if expired := identity.expired(now()):
        document.warn(("sensors", name), expired)


def _check_shared(document: Document, site: Site, sensor: Sensor, sharing: list[Sensor]) -> None:
    """Note sensors that share a credential, and so are one device in ThingsBoard.

    They may if no value of one overwrites a value of the other.

    Args:
        sharing: the sensors seen so far with this credential; `sensor` is appended.
    """
    path = ("sensors", sensor.name)
    for neighbour in sharing:
        if common_keys := sorted(_keys(site, sensor) & _keys(site, neighbour)):
            document.mistake(
                path,
                f"has the credential of {key_text(('sensors', neighbour.name))}, and both sensors give "
                f'"{common_keys[0]}": one would overwrite the other; give each its own, or rename the values',
            )
            break
    else:
        if sharing:
            document.warn(
                path,
                f"has the credential of {key_text(('sensors', sharing[0].name))}: one device in ThingsBoard "
                "shows the values of both; if that is not meant, give each its own",
            )
    sharing.append(sensor)


def _keys(site: Site, sensor: Sensor) -> set[str]:
    """Return the names of a sensor's values."""
    return set(sensor.settings.units)


def _from_systemd(path: Path) -> bool:
    """Return whether systemd handed over the file: it guards that folder itself, with files of mode 0440."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.absolute().is_relative_to(Path(folder))
