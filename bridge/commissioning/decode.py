"""Bytes into events, for the eye and for other programs: no port, no network, and a site file only where its
bus is named.

The bytes are one stream of a line, both directions; the end of the input counts as silence. Every byte is in
exactly one event:

    {"offset": 0, "frame": "0104…", "fields": {…}}        {"offset": 9, "noise": "00", "reason": "checksum"}

`-` reads streams from the standard input, one a line, and adds "stream": n; a line that is no hex is answered
with {"stream": n, "error": "…"}, and the next one is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TextIO

from bridge.config import load_site
from bridge.errors import ConfigError
from bridge.plain_text import json_text, one_line
from protocols import Protocol, protocol
from protocols.framing import Event, Frame, Noise

Line = dict[str, Any]


def entry_of(name: str | None, bus: str | None, site: Path) -> Protocol:
    """The protocol to decode with: the one of that name, or, where a bus is named, what that bus speaks.

    Raises:
        KeyError: no such protocol.
        PackageError: a package's protocol cannot be used.
        ConfigError: there is no such bus, it speaks another protocol, the site file has mistakes; or the
            frames are declared by a bus and none is named.
    """
    if bus is None:
        entry = protocol(name or "")
        if entry.declared_by:
            raise ConfigError([f"{entry.title}: name the bus that declares them, --site {site} --bus NAME"])
        return entry
    buses = load_site(site).buses
    if bus not in buses:
        raise ConfigError([f'{site}: there is no bus "{bus}"; the buses are: {", ".join(buses)}'])
    entry = buses[bus].protocol
    if name not in (None, entry.name):
        raise ConfigError(
            [f'{site}: bus "{bus}" speaks {entry.name}, not {name}; leave the one or the other out']
        )
    return entry


def run(
    entry: Protocol, hex_or_dash: str, model: str | None, as_json: bool, stdin: TextIO, out: TextIO
) -> int:
    """The command `decode`.

    Returns:
        0; 1 if a line was no hex, or there was not one frame.

    Raises:
        ConfigError: the protocol has no such model.
    """
    try:
        entry.describer(model)  # a wrong name is told before the first line is read
    except KeyError:
        raise ConfigError([_no_model(entry, str(model))]) from None
    lines = (
        decode_lines(entry, stdin, model) if hex_or_dash == "-" else _decode_one(entry, hex_or_dash, model)
    )
    failed, frames, noises = False, 0, 0
    for line in lines:
        failed |= "error" in line
        frames += "frame" in line
        noises += "noise" in line
        out.write((json_text(line) if as_json else one_line(text(line))) + "\n")
    if noises and not frames and not as_json:
        out.write(
            f"no frame of {entry.name} was found: compare the protocol's name, the baud rate and parity of "
            "the line, and whether the capture was cut\n"
        )
    return int(failed or not frames)


def decode_stream(entry: Protocol, data: bytes, model: str | None) -> Iterator[Line]:
    """The events of one stream, in order."""
    framer = entry.framer()
    describe = entry.describer(model)
    offset = 0
    for event in _joined([*framer.feed(data), *framer.silence()]):
        if isinstance(event, Frame):
            yield {"offset": offset, "frame": event.data.hex(), "fields": describe(event)}
        else:
            yield {"offset": offset, "noise": event.data.hex(), "reason": event.reason}
        offset += len(event.data)


def decode_lines(entry: Protocol, lines: Iterable[str], model: str | None) -> Iterator[Line]:
    """The events of many streams, one a line of hex, numbered from 0."""
    for number, line in enumerate(lines):
        for event in _decode_one(entry, line, model):
            yield {"stream": number} | event


def text(line: Line) -> str:
    """An event as one line for people."""
    stream = f"{line['stream']}: " if "stream" in line else ""
    if "error" in line:
        return f"{stream}{line['error']}"
    if "noise" in line:
        return f"{stream}{line['offset']:5}  {_spaced(line['noise'])}  — {line['reason']}"
    fields = "  ".join(f"{name}={_shown(value)}" for name, value in line["fields"].items())
    return f"{stream}{line['offset']:5}  {_spaced(line['frame'])}  {fields}"


def _no_model(entry: Protocol, model: str) -> str:
    """What to say of a model that a protocol does not have."""
    if not entry.models():
        return f"{entry.title} has no models, leave --model out"
    close = get_close_matches(model.lower(), entry.models(), 3)
    told = f", use {' or '.join(close)}" if close else ""
    return (
        f'there is no model "{model}" of {entry.title}{told}; '
        f"`serial-bridge protocols {entry.name}` lists all"
    )


def _decode_one(entry: Protocol, digits: str, model: str | None) -> Iterator[Line]:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        yield {"error": f"not hex: {digits.strip()[:60]!r}; write pairs of hex digits, for example 01 04 02"}
        return
    if not data:
        yield {"error": "empty: no bytes to decode"}
        return
    yield from decode_stream(entry, data, model)


def _joined(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, neighbouring noise of one reason joined."""
    held: Noise | None = None
    for event in events:
        if isinstance(event, Noise) and held is not None and held.reason == event.reason:
            held = Noise(held.data + event.data, held.reason)
            continue
        if held is not None:
            yield held
        held = event if isinstance(event, Noise) else None
        if isinstance(event, Frame):
            yield event
    if held is not None:
        yield held


def _spaced(digits: str) -> str:
    return bytes.fromhex(digits).hex(" ")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(item)}" for name, item in value.items()) + "}"
    return str(value)
