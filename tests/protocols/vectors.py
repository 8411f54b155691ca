"""The vectors of a protocol, and what its framer and describer make of bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from protocols import CATALOGUE, load
from protocols.toolkit.framing import Event, Frame, Noise
from protocols.toolkit.protocol import Protocol, ProtocolTemplate

FOLDER = Path(__file__).parent.parent / "vectors"

IDLE = {"dlt645": b"\xfe", "dlt645-1997": b"\xfe"}
"""Octets that may stand before a frame in any number, as part of it: those that end a noise join it."""

ALONE = {"mbus": b"\xe5"}
"""A frame without head or check: one only where nothing but good frames stands between it and a silence."""

FILES = {
    "iec62056-21-d": "iec62056-21",
    "winsen-active": "winsen",
    "honeywell-hpma-compact": "honeywell-hpma",
}
"""Name of a protocol → whose vectors it shares, where that is another's."""

NAMES: dict[str, dict[str, str]] = {
    "shdlc": {
        "pm01": "pm1_0",
        "pm25": "pm2_5",
        "pm04": "pm4_0",
        "n0_5": "particles_0_5",
        "n1_0": "particles_1_0",
        "n2_5": "particles_2_5",
        "n4_0": "particles_4_0",
        "n10_0": "particles_10",
        "diam": "typical_particle_size",
    },
    "plantower": {
        "pm01_cf1": "pm1_0_cf1",
        "pm25_cf1": "pm2_5_cf1",
        "pm01": "pm1_0",
        "pm25": "pm2_5",
        "n0_3_raw": "particles_0_3",
        "n0_5_raw": "particles_0_5",
        "n1_0_raw": "particles_1_0",
        "n2_5_raw": "particles_2_5",
        "n5_0_raw": "particles_5_0",
        "n10_0_raw": "particles_10",
    },
    "sds011": {
        "pm25": "pm2_5",
    },
    "daly-bms": {
        "soc": "state_of_charge",
        "max_cell_v": "max_cell_voltage",
        "min_cell_v": "min_cell_voltage",
        "max_temp": "max_temperature",
        "max_temp_cell": "max_thermometer",
        "min_temp": "min_temperature",
        "min_temp_cell": "min_thermometer",
        "charge_mos": "charge_enabled",
        "discharge_mos": "discharge_enabled",
        "temp_sensors": "thermometers",
        "charger": "charger_connected",
        "load": "load_connected",
    },
    "jbd-bms": {
        "remaining_ah": "remaining_capacity",
        "nominal_ah": "nominal_capacity",
        "balance": "balancing",
        "soc": "state_of_charge",
    },
    "honeywell-hpma": {
        "pm01": "pm1_0",
        "pm25": "pm2_5",
        "pm04": "pm4_0",
    },
    "honeywell-hpma-compact": {
        "pm01": "pm1_0",
        "pm25": "pm2_5",
        "pm04": "pm4_0",
    },
}
"""Name of a protocol → what its vectors call a field → what we call it, where that differs."""

SPOKEN = [name for name in CATALOGUE if not isinstance(load(name), ProtocolTemplate)]
"""The protocols that need no declaration to be spoken."""

Vector = dict[str, Any]


def path_of(name: str) -> Path:
    name = FILES.get(name, name)
    return FOLDER / f"{name.replace('-', '_')}.json"


def vectors(name: str) -> list[Vector]:
    found: list[Vector] = json.loads(path_of(name).read_text("utf-8"))
    return found


def good_frames(name: str) -> list[bytes]:
    """Those that are found wherever they stand."""
    found = [
        bytes.fromhex(vector["hex"])
        for vector in vectors(name)
        if vector["valid"] and vector["direction"] != "stream" and "optional" not in vector
    ]
    return [frame for frame in found if frame != ALONE.get(name)]


def hear(entry: Protocol, pieces: Iterable[bytes]) -> list[Event]:
    """All events of a stream that arrives in these pieces and then falls silent."""
    framer = entry.framer()
    events = [event for piece in pieces for event in framer.feed(piece)]
    return merge_noise(events + framer.silence())


def merge_noise(events: Iterable[Event]) -> list[Event]:
    """The same events with neighbouring noise joined; the first reason stays."""
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
    """The last frame, without the idle octets before it."""
    return without_idle(entry, frames(events)[-1])


def without_idle(entry: Protocol, frame: bytes) -> bytes:
    return frame.lstrip(IDLE.get(entry.name, b""))


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
    """What a vector states of a frame, under our names; where its source rounded, about that."""
    names, tolerance = NAMES.get(entry.name, {}), vector.get("tolerance", {})
    return {
        names.get(key, key): pytest.approx(value, abs=tolerance[key]) if key in tolerance else value
        for key, value in stated.items()
        if key != "decoded"
    }


def holds_a_good_one(vector: Vector) -> bool:
    """Whether a vector that is wrong as one frame has a good one in it: delivering that is right."""
    inside = "also read as a good request", "in a stream it is two good frames"
    return any(text in vector["note"] for text in inside)


def octets(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events)


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]
