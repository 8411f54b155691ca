"""`decode`: turn bytes into events, for people and for programs.

This needs no port and no network, and a site file only if a bus is named.

The bytes are one stream of a line, both directions; the end of the input counts as silence. Every byte is in
exactly one event:

    {"offset": 0, "frame": "0104…", "fields": {…}}        {"offset": 9, "noise": "00", "reason": "checksum"}

`-` reads streams from the standard input, one a line, and adds "stream": n. A line that is no hex becomes
{"stream": n, "error": "…"}, and decoding goes on with the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NotRequired, TextIO, TypedDict

from bridge.config import load_site
from bridge.errors import ConfigError
from bridge.plain_text import json_text, one_line
from protocols import load
from protocols.toolkit.framing import Event, Frame, Noise, NoiseReason
from protocols.toolkit.protocol import Fields, Protocol, ProtocolTemplate


class Line(TypedDict):
    """One event: a frame with its fields, noise with its reason, or an error in place of a stream."""

    stream: NotRequired[int]  # from 0, where there are several
    t: NotRequired[float]  # of a capture: when its first octet came, in seconds since 1970
    offset: NotRequired[int]  # of its first octet in the stream
    frame: NotRequired[str]  # hex
    fields: NotRequired[Fields]  # the structure of the frame, and its values in their units
    noise: NotRequired[str]  # hex
    reason: NotRequired[NoiseReason]
    error: NotRequired[str]


def entry_of(name: str | None, bus: str | None, site: Path) -> Protocol:
    """Return the protocol to decode with: the one called `name`, or, if `bus` is not None, that of the bus.

    Raises:
        KeyError: there is no such protocol.
        PackageError: the protocol of a package cannot be used.
        ConfigError: there is no such bus, it speaks another protocol, or the site file has mistakes; or a bus
            declares the frames of this protocol, and `bus` is None.
    """
    if bus is None:
        entry = load(name or "")
        if isinstance(entry, ProtocolTemplate):
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
    entry: Protocol, source: str | Path, model: str | None, as_json: bool, stdin: TextIO, out: TextIO
) -> int:
    """Run the command `decode`.

    Args:
        source: the bytes of one stream in hex, "-" for one stream on each line of `stdin`, or a capture.

    Returns:
        The exit status: 0, or 1 if a line was no hex or there was no frame at all.

    Raises:
        ConfigError: the protocol has no such model.
    """
    try:
        entry.describer_for(model)  # a wrong name fails before the first line is read
    except KeyError:
        raise ConfigError([_no_model(entry, str(model))]) from None
    lines = _lines(entry, source, model, stdin)
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


def _lines(entry: Protocol, source: str | Path, model: str | None, stdin: TextIO) -> Iterator[Line]:
    """Return the events of a source. Arguments as of `run`."""
    if isinstance(source, Path):
        return decode_capture(entry, source, model)
    return decode_lines(entry, stdin, model) if source == "-" else _decode_one(entry, source, model)


def decode_capture(entry: Protocol, path: Path, model: str | None) -> Iterator[Line]:
    """Yield the events of a capture, each with its time in seconds since 1970.

    Raises:
        NotACapture: the file is none, or breaks off.
    """
    from bridge.captures import read
    from bridge.commands.decode.traffic import Traffic

    traffic = Traffic(entry, model)
    offset = 0
    for heard in traffic.all(read(path)):
        common: Line = {"t": heard.start_us / 1e6, "offset": offset}
        if isinstance(heard.event, Frame):
            yield {**common, "frame": heard.event.data.hex(), "fields": heard.fields or {}}
        else:
            yield {**common, "noise": heard.event.data.hex(), "reason": heard.event.reason}
        offset += len(heard.event.data)


def decode_stream(entry: Protocol, data: bytes, model: str | None) -> Iterator[Line]:
    """Yield the events of one stream, in order."""
    framer = entry.framer()
    describe = entry.describer_for(model)
    offset = 0
    for event in _joined([*framer.feed(data), *framer.silence()]):
        if isinstance(event, Frame):
            yield {"offset": offset, "frame": event.data.hex(), "fields": describe(event)}
        else:
            yield {"offset": offset, "noise": event.data.hex(), "reason": event.reason}
        offset += len(event.data)


def decode_lines(entry: Protocol, lines: Iterable[str], model: str | None) -> Iterator[Line]:
    """Yield the events of many streams, one a line of hex, numbered from 0."""
    for number, line in enumerate(lines):
        for event in _decode_one(entry, line, model):
            yield {"stream": number, **event}


def text(line: Line) -> str:
    """Return an event as one line for people."""
    stream = f"{line['stream']}: " if "stream" in line else ""
    if "error" in line:
        return f"{stream}{line['error']}"
    if "noise" in line:
        return f"{stream}{line['offset']:5}  {_spaced_hex(line['noise'])}  — {line['reason']}"
    fields = "  ".join(f"{name}={_value_text(value)}" for name, value in line["fields"].items())
    return f"{stream}{line['offset']:5}  {_spaced_hex(line['frame'])}  {fields}"


def _no_model(entry: Protocol, model: str) -> str:
    """Return the sentence for a model that a protocol does not have."""
    if not entry.model_names:
        return f"{entry.title} has no models, leave --model out"
    close = get_close_matches(model.lower(), entry.model_names, 3)
    suggestion = f", use {' or '.join(close)}" if close else ""
    return (
        f'there is no model "{model}" of {entry.title}{suggestion}; '
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
    """Yield the same events, with neighbouring noise of one reason joined."""
    noise: Noise | None = None
    for event in events:
        if isinstance(event, Noise) and noise is not None and noise.reason == event.reason:
            noise = Noise(noise.data + event.data, noise.reason)
            continue
        if noise is not None:
            yield noise
        noise = event if isinstance(event, Noise) else None
        if isinstance(event, Frame):
            yield event
    if noise is not None:
        yield noise


def _spaced_hex(digits: str) -> str:
    return bytes.fromhex(digits).hex(" ")


def _value_text(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value_text(item)}" for name, item in value.items()) + "}"
    return str(value)
