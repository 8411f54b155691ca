"""The tables of site.toml: one class each, with every key, its unit, its default and its purpose.

Editors show the texts below the keys, too (`serial-bridge schema`). Loading is `site.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from bridge import spool_file
from bridge.config.keys import NOT_WRITTEN, Table, Written
from bridge.config.kinds import Check, File, Number, OnlyBeside, Parsed, Text, Whole
from bridge.config.offsets import Offset, Offsets
from bridge.config.places import Scheme, check_adapter, check_bus_name, check_plain_name, check_url, parse_url
from bridge.config.quantities import Duration, Size
from bridge.config.wording import value_text
from protocols import load, names
from protocols.toolkit.errors import PackageError
from protocols.toolkit.keys import nearest
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, Settings

_ALIASES = {"p1": "dsmr", "obis": "iec62056-21"}  # people write these; no comparison of spellings finds them
_DAY_S = 86_400
_DISTINCTIVE_LENGTH = 3  # letters: fewer are part of too many protocols' names
_ENCRYPTED_ONLY = OnlyBeside(
    "url",
    lambda url: not url.lower().startswith("coap:"),
    "this is for coaps:// only, and the url says coap://: nothing is encrypted or verified",
)
_CHANGE_ONLY = OnlyBeside(
    "publish",
    lambda publish: publish == "change",
    'this needs publish = "change", without it every reading is published',
)
_ON_THE_CLOCK = OnlyBeside(
    "every_s",
    lambda every_s: every_s >= 1 and _DAY_S % every_s == 0,
    'this needs an `every` of whole seconds that divides a day, for example "15m" or "1h"',
)


def readable(path: Path) -> Path:
    """Return `path`, the path of a file.

    Raises:
        ValueError: the file is missing or may not be read.
    """
    if os.path.isdir(path):  # noqa: PTH112 — Path.is_dir raises where this user may not look
        raise ValueError(f"{path} is a folder, name the file in it")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} is missing or may not be read")
    return path


def _place_for_a_spool(path: Path) -> Path:
    if why := spool_file.refusal(path):
        raise ValueError(why)
    return path


def _catalogue_entry(value: object) -> object:
    try:
        return load(str(value))
    except PackageError as error:
        raise ValueError(str(error)) from None
    except KeyError:
        suggestion = " or ".join(f'"{name}"' for name in suggestions(str(value).lower()))
        hint = f"did you mean {suggestion}?" if suggestion else f"known are {', '.join(names())}"
        raise ValueError(f"{value_text(value)} is not a protocol; {hint}") from None


def suggestions(word: str) -> list[str]:
    """Return the protocols that `word`, in small letters, probably stands for."""
    if word in _ALIASES:
        return [_ALIASES[word]]
    longer = [name for name in names() if word in name] if len(word) >= _DISTINCTIVE_LENGTH else []
    near = nearest(word, names())
    return longer or ([near] if near else [])


def _line_settings(value: object) -> object:
    if isinstance(value, LineSettings):
        return value
    try:
        return LineSettings.parse(str(value))
    except ValueError:
        from bridge.config.foreign_words import line_text  # here, because a right file has no use for it

        if (text := line_text(str(value))) is None:
            raise
        raise ValueError(f'{value_text(value)} is not a line setting, write line = "{text}"') from None


PlainName = Annotated[str, Check(check_plain_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingsBoard(Table):
    """[thingsboard]: the server."""

    url: Annotated[
        str,
        Text(r"^(coap|coaps)://[^/?#@]+/?$"),
        Check(check_url),
        Written(example="coap://tb.example.com"),
    ]
    """coap://HOST[:PORT] (5683) or, encrypted, coaps://HOST[:PORT] (5684). No path: ThingsBoard's own."""
    ca: Annotated[Path | None, File(), _ENCRYPTED_ONLY, Check(readable)] = None
    """coaps: file of the trust anchors, PEM. Default: the system's."""
    server_name: Annotated[str | None, Check(check_plain_name), _ENCRYPTED_ONLY] = None
    """coaps: the name to find in the server's certificate. Default: the host of the url."""
    lanes: Annotated[int, Whole(1, 8)] = 4
    """CoAP exchanges in flight; 1 is strict RFC 7252 NSTART, more drain a backlog sooner on slow networks."""
    gateway: Annotated[str | None, Check(check_plain_name), Written(example="barn-gateway")] = None
    """Name of the gateway's own device, the key into credentials.toml. Default: it has none."""
    diagnostics: bool = False
    """Send the state of its line to each sensor's device, on change; with `gateway` this is always done."""
    timestamps: Literal["gateway", "server"] = "gateway"
    """Who dates live readings: the gateway when it reads them, or the server when they arrive."""

    @property
    def scheme(self) -> Scheme:
        """Return "coap" (plain) or "coaps" (encrypted)."""
        return parse_url(self.url).scheme

    @property
    def host(self) -> str:
        """Return the name or address of the server, without brackets."""
        return parse_url(self.url).host

    @property
    def port(self) -> int:
        """Return the UDP port of the server."""
        return parse_url(self.url).port


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings(Table):
    """[spool]: where readings wait."""

    path: Annotated[Path, File(), Check(_place_for_a_spool)] = Path("/var/lib/serial-bridge/spool.db")
    """The database file; relative to site.toml. It must survive a reboot."""
    limit: Annotated[int, Size("1MB", "8TB")] = 1_000_000_000
    """Bytes of the database; beyond it the oldest readings expire, counted and logged. Default 1GB."""
    commit_every_s: Annotated[float, Duration("100ms", "1m"), Written("commit_every")] = 2.0
    """The most that a power cut can lose, and what live data lags; rarer spares the SD card. Default 2s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSettings(Table):
    """[clock]: when the system's time is believed."""

    trust: Literal["auto", "system"] = "auto"
    """auto: when it is synchronized, or set by an RTC, or the server confirms it; system: always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings(Table):
    """[web]: the page for the phone."""

    listen: Literal["off", "local", "lan"] = "off"
    """local: on this machine alone, for a tunnel; lan: to everybody in the network, over HTTPS."""
    port: Annotated[int, Whole(1024, 65535)] = 8470
    """The TCP port of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RS485(Table):
    """rs485 of a bus: the adapter turns its driver on with RTS, for a UART with a bare transceiver."""

    rts_on_send: bool = True
    """Level of RTS while sending."""
    rts_after_send: bool = False
    """Level of RTS otherwise."""
    delay_before_send_s: Annotated[float, Duration("0ms", "100ms"), Written("delay_before_send")] = 0.0
    """From RTS to the first bit. Default 0ms; the kernel knows whole milliseconds up to 100."""
    delay_after_send_s: Annotated[float, Duration("0ms", "100ms"), Written("delay_after_send")] = 0.0
    """From the last bit to RTS. Default 0ms; likewise."""


INHERITED: Final = (
    "reply_timeout",
    "retries",
    "gap",
    "pause_within_reply",
)  # keys of a bus that hold for each of its sensors without its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor(Table):
    """[[bus.NAME.sensor]]: one sensor, one device in ThingsBoard. Its protocol adds keys of its own."""

    name: Annotated[PlainName, Written(example="main-meter")]
    """Unique on the site: the key into credentials.toml, and what every listing shows."""
    every_s: Annotated[float, Duration("0s", "168h"), Written("every", example="10s")]
    """From one reading to the next; "0s": as often as the line allows. No default: it fits the purpose."""
    aligned: Annotated[bool, _ON_THE_CLOCK] = False
    """Read at the begin of each `every` of the clock, in UTC: with every = "15m" at :00, :15, :30 and :45."""
    publish: Literal["always", "change"] = "always"
    """Keep every reading, or only those that differ from the last one kept."""
    deadband: Annotated[float, Number(least=0), _CHANGE_ONLY] = 0.0
    """publish = "change": a value has changed when it moved by more than this, in its own unit."""
    at_least_s: Annotated[float | None, Duration("1s", "168h"), _CHANGE_ONLY, Written("at_least")] = None
    """publish = "change": a reading is kept at least this often even so. Default: never."""
    reply_timeout_s: Annotated[float, Duration("1ms", "1m"), Written("reply_timeout")] = 0.5
    """From the end of the request to the first byte of the reply. Default: the bus's."""
    retries: Annotated[int, Whole(0, 10)] = 1
    """How often a request is repeated that got no good reply. Default: the bus's."""
    gap_s: Annotated[float, Duration("0s", "1m"), Written("gap")] = 0.0
    """Least quiet time on the line before this device is asked. Default: the bus's."""
    pause_within_reply_s: Annotated[float, Duration("0s", "10s"), Written("pause_within_reply")] = 0.0
    """How long the device may fall silent inside a reply. Default: the bus's."""
    offsets: Annotated[dict[str, Offset], Offsets()] = field(default_factory=dict)
    """What is added to a counter, to go on where that of a replaced device ended; `replace` writes it."""
    bus: Annotated[str, NOT_WRITTEN]
    """The bus it is connected to."""
    settings: Annotated[Settings, NOT_WRITTEN]
    """The settings that its protocol parsed from the protocol's own keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus(Table):
    """[bus.NAME]: a port with its sensors."""

    name: Annotated[str, Check(check_bus_name), NOT_WRITTEN]
    """Its name in the header; becomes serial-bridge@NAME.service."""
    adapter: Annotated[
        str, Text("^(serial:|path:|/)."), Check(check_adapter), Written(example="serial:AB0JPQ7X")
    ]
    """serial:NUMBER[:INTERFACE] the USB serial number, path:ID_PATH the USB socket, or an absolute path."""
    protocol: Annotated[Protocol, Parsed(_catalogue_entry, "^.+$"), Written(example="modbus-rtu")]
    """What its sensors speak; all of one bus speak the same."""
    line: Annotated[
        LineSettings, Parsed(_line_settings, r"^\d+\s+[78][NEO][12]$"), Written(example="9600 8N1")
    ]
    """Baud rate, data bits, parity, stop bits. No default: the sensor's manual decides."""
    reply_timeout_s: Annotated[float, Duration("1ms", "1m"), Written("reply_timeout")] = 0.5
    """From the end of a request to the first byte of the reply. Default 500ms; learned from replies."""
    retries: Annotated[int, Whole(0, 10)] = 1
    """How often a request is repeated that got no good reply."""
    gap_s: Annotated[float, Duration("0s", "1m"), Written("gap")] = 0.0
    """Least quiet time before any request, for a device that needs a rest after others' replies too."""
    pause_within_reply_s: Annotated[float, Duration("0s", "10s"), Written("pause_within_reply")] = 0.0
    """How long a device may fall silent inside a reply. Default 0s: no longer than a USB adapter may."""
    settle_s: Annotated[float, Duration("0s", "1m"), Written("settle")] = 0.0
    """Rest after the port was opened, for a device or converter that is deaf while it starts. Default 0s."""
    listen: bool = False
    """Only listen: another master polls these sensors, and nothing is ever sent on this line."""
    rs485: RS485 | None = None
    """For a UART that must switch its transceiver; USB adapters do it themselves."""
    sensors: Annotated[tuple[Sensor, ...], Written("sensor")] = ()
    """Its sensors, in the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Table):
    """site.toml."""

    name: Annotated[PlainName, Written("site", example="barn-7")]
    """What the site is called, in listings and logs."""
    path: Annotated[Path, NOT_WRITTEN]
    """The file."""
    thingsboard: ThingsBoard
    """The server."""
    spool: SpoolSettings = SpoolSettings()
    """Where readings wait."""
    clock: ClockSettings = ClockSettings()
    """When the time is believed."""
    web: WebSettings = WebSettings()
    """The page for the phone."""
    buses: Annotated[dict[str, Bus], Written("bus")] = field(default_factory=dict)
    """The buses by name, in the order of the file."""
    fingerprints: Annotated[Mapping[str, str], NOT_WRITTEN] = field(default_factory=dict)
    """What each service depends on, in a few characters that differ when that does: bus-NAME, uplink."""
    warnings: Annotated[tuple[str, ...], NOT_WRITTEN] = ()
    """What is odd but allowed, one line each, with file and line."""

    @property
    def sensors(self) -> dict[str, Sensor]:
        """Return every sensor of the site, by name."""
        return {sensor.name: sensor for bus in self.buses.values() for sensor in bus.sensors}

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the names that have a credential each: the sensors', and the gateway's own device's."""
        gateway = self.thingsboard.gateway
        return (*self.sensors, *([gateway] if gateway is not None else []))
