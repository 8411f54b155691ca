"""Run Construct declarations; the one place where Construct's errors become this package's.

A declaration is interpreted, never compiled: a compiled one accepts truncated input. Construct ignores
what follows the last field, so the length is checked here.
"""

from __future__ import annotations

import math
import struct
from functools import cache
from io import BytesIO
from typing import Any

from construct import Construct, ConstructError, Container, SizeofError, StreamError

from protocols.toolkit.errors import DecodeError, FrameError


def parse(layout: Construct[Any, Any], data: bytes) -> dict[str, Any]:
    """Return the fields of `data`, exactly one such layout; constants and padding included.

    Raises:
        FrameError: `data` is shorter or longer than the layout.
        DecodeError: a field holds what the layout forbids.
    """
    stream = BytesIO(data)
    try:
        container = layout.parse_stream(stream)
    except StreamError as error:
        raise FrameError(f"{layout.name}: {len(data)} bytes are too few: {data.hex(' ')}") from error
    except ConstructError as error:
        place = (error.path or "").rpartition(" -> ")[2]
        message = str(error).splitlines()[-1]
        raise DecodeError(message, field=place, value=data.hex(" "), data=data) from error
    if stream.tell() != len(data):
        raise FrameError(f"{layout.name}: {len(data) - stream.tell()} bytes too many: {data.hex(' ')}")
    return _plain(container)


def build(layout: Construct[Any, Any], **fields: Any) -> bytes:
    """Return the octets of one such layout.

    Raises:
        ValueError: a field is missing or does not fit.
    """
    try:
        return layout.build(fields)
    except (ConstructError, KeyError) as error:
        raise ValueError(f"{layout.name}: {error}") from error


@cache
def size(layout: Construct[Any, Any]) -> int | None:
    """Return the length of the layout, in octets; None if it depends on the content."""
    try:
        return layout.sizeof()
    except SizeofError:
        return None


@cache
def plan(code: str) -> struct.Struct:
    """Return the compiled `struct` of a payload, high byte first as on nearly every bus.

    Args:
        code: the format characters of its fields, such as "f".
    """
    return struct.Struct(">" + code)


def shortest_float32(octets: bytes) -> float:
    """Return the float with the shortest text that still is this float32 (big endian); NaN and Inf stay."""
    (exact,) = plan("f").unpack(octets)
    if not math.isfinite(exact):
        return float(exact)
    for digits in (6, 7, 8):  # every decimal of 6 digits survives a float32; 9 tell all float32 apart
        short = float(f"{exact:.{digits}g}")
        if struct.pack(">f", short) == octets:
            return short
    return float(f"{exact:.9g}")


def _plain(container: Container[Any]) -> dict[str, Any]:
    return {
        name: [_plain(item) if isinstance(item, Container) else item for item in value]
        if isinstance(value, list)
        else value
        for name, value in container.items()
        if not name.startswith("_")
    }
