"""The vectors of a protocol, and what its framer and describer make of bytes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest

from protocols import CATALOGUE, load
from protocols.toolkit.framing import Event, Frame, Noise
from protocols.toolkit.protocol import Protocol, ProtocolTemplate
from tests.protocols.vector_file import Vector, file_of

SPOKEN = [name for name in CATALOGUE if not isinstance(load(name), ProtocolTemplate)]
"""The protocols that need no declaration to be spoken."""


def vectors(name: str) -> list[Vector]:
    """Return the vectors of a protocol."""
    return file_of(name).vectors


def good_frames(name: str) -> list[bytes]:
    """Those that are found wherever they stand."""
    found = [
        bytes.fromhex(vector["hex"])
        for vector in vectors(name)
        if vector["valid"] and vector["direction"] != "stream" and "optional" not in vector
    ]
    return [frame for frame in found if frame != file_of(name).alone]


def hear(entry: Protocol, pieces: Iterable[bytes]) -> list[Event]:
    """Return all events of a stream that arrives in these pieces and then falls silent."""
    framer = entry.framer()
    events = [event for piece in pieces for event in framer.feed(piece)]
    return merge_noise(events + framer.silence())


def merge_noise(events: Iterable[Event]) -> list[Event]:
    """Return the same events with neighbouring noise joined; the first reason stays."""
    merged: list[Event] = []
    for is_noise, run in groupby(events, lambda event: isinstance(event, Noise)):
        if is_noise:
            pieces = [event for event in run if isinstance(event, Noise)]
            merged.append(Noise(b"".join(piece.data for piece in pieces), pieces[0].reason))
        else:
            merged.extend(run)
    return merged


def frames(events: Iterable[Event]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Frame)]


def last_frame(entry: Protocol, events: Iterable[Event]) -> bytes:
    """Return the last frame, without the idle octets before it."""
    return without_idle(entry, frames(events)[-1])


def without_idle(entry: Protocol, frame: bytes) -> bytes:
    return frame.lstrip(file_of(entry.name).idle)


def placed(events: Iterable[Event]) -> dict[int, bytes]:
    """Offset → frame."""
    found = {}
    offset = 0
    for event in events:
        if isinstance(event, Frame):
            found[offset] = event.data
        offset += len(event.data)
    return found


def described(entry: Protocol, events: Iterable[Event]) -> list[dict[str, Any]]:
    describe = entry.describer()
    return [describe(event) for event in events if isinstance(event, Frame)]


def expected_of(entry: Protocol, vector: Vector, stated: dict[str, Any]) -> dict[str, Any]:
    """Return what a vector states of a frame, under our names; where its source rounded, about that."""
    names, tolerance = file_of(entry.name).names, vector.get("tolerance", {})
    return {
        names.get(key, key): pytest.approx(value, abs=tolerance[key]) if key in tolerance else value
        for key, value in stated.items()
        if key != "decoded"
    }


def holds_a_good_one(vector: Vector) -> bool:
    """Return whether a vector that is wrong as one frame has a good one in it: delivering that is right."""
    inside = "also read as a good request", "in a stream it is two good frames"
    return any(text in vector["note"] for text in inside)


def octets(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events)


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]
