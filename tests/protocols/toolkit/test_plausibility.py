"""What a value can be, by its unit: tables of both kinds, and no doubt about any value of any vector."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bridge.simulator.field.waveform import Waveform
from protocols import load
from protocols.modbus import models
from protocols.toolkit.framing import Frame
from protocols.toolkit.plausibility import is_likely, is_possible
from protocols.toolkit.polling import Value
from protocols.toolkit.protocol import PolledProtocol, PushingProtocol
from tests.protocols.modbus.test_device_frames import FRAMES
from tests.protocols.test_captures import CAPTURES
from tests.protocols.vectors import SPOKEN, hear, vectors

IMPOSSIBLE: list[tuple[Value, str]] = [
    (1.596e-23, "V"),  # 230.1 with its words swapped
    (4.6e-41, "A"),  # a denormal: the mark of "not a number", with its words swapped
    (-3.2e30, "kWh"),
    (1.0e13, ""),
    (2.0e-10, ""),
    (6554.0, "°C"),
    (6552.3, "°C"),  # -1.3 °C read as unsigned
    (3276.7, "°C"),  # the greatest signed number: no sensor connected
    (-300.0, "°C"),
    (3276800.0, "Hz"),  # 50 Hz with its words swapped
    (3.3, "MHz"),
    (6553.5, "%"),
    (655.35, "%"),
    (1_130_758_553, "V"),  # 230.1 as a float, read as a whole number
    (4_294_967_295, "kWh"),
    (4_294_967.295, "MWh"),
    (2e6, "ppm"),
    (65_535.0, "kbar"),
    (-5.0, "bar"),
    (655.35, "pH"),
]
POSSIBLE: list[tuple[Value, str]] = [
    (0, "V"),
    (0.0, "°C"),
    (-0.0, "W"),
    (230.1, "V"),
    (400_000.0, "V"),
    (-3.2e-8, "A"),  # what a meter reckons without a load
    (1e-9, ""),
    (9.99e11, "Wh"),
    (999_999_999.9, "kWh"),
    (-273.15, "°C"),
    (2315.0, "°C"),
    (-12.5, "K"),
    (101325, "Pa"),
    (400.0, "Hz"),
    (400.0, "%"),  # harmonic distortion
    (18_446_744_073_709_551_615, ""),  # a serial number
    ("text", "V"),
    (True, "V"),
]


@pytest.mark.parametrize(("value", "unit"), IMPOSSIBLE)
def test_what_cannot_be_is_doubted(value: Value, unit: str) -> None:
    assert not is_possible(value, unit)
    assert not is_likely(value, unit)


@pytest.mark.parametrize(("value", "unit"), POSSIBLE)
def test_what_can_be_is_not_doubted(value: Value, unit: str) -> None:
    assert is_possible(value, unit)


@pytest.mark.parametrize("name", models.names())
def test_no_value_that_a_model_may_have_is_doubted(name: str) -> None:
    """Those of its real exchanges, and those that are played; frames made up from facts have any octets."""
    model = models.load(name)
    units = {register.name: register.unit for register in model.registers}
    real_vectors = [vector for vector in model.vectors if not vector.facts]
    values = [(key, value) for vector in real_vectors for key, value in vector.values.items()]
    values += [
        (register.name, Waveform.of(register, name).at(age_s))
        for register in model.registers
        for age_s in (0.0, 60.0, 3600.0)
    ]
    assert [(key, value) for key, value in values if not is_possible(value, units[key])] == []


def test_no_value_of_a_device_frame_is_doubted() -> None:
    replies = FRAMES[1::2]
    told = [(reply["expected"]["value"], reply["map"].get("unit") or "") for reply in replies]
    assert len(told) == len(replies)
    assert [one for one in told if not is_possible(*one)] == []


@pytest.mark.parametrize("name", SPOKEN)
def test_no_value_of_a_protocols_vectors_is_doubted(name: str) -> None:
    entry = load(name)
    streams = [bytes.fromhex(vector["hex"]) for vector in vectors(name) if vector["valid"]]
    doubted = []
    for stream in streams:
        frames = [event for event in hear(entry, [stream]) if isinstance(event, Frame)]
        doubted += [one for one in _told(entry, frames) if not is_possible(one[1], one[2])]
    assert doubted == []


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture["device"])
def test_no_value_of_a_capture_is_doubted(capture: dict[str, Any]) -> None:
    entry = load(capture["protocol"])
    units = _units_of(entry, capture.get("model"))
    told = [(key, value, units.get(key, "")) for key, value in capture["expected"].items()]
    assert [one for one in told if isinstance(one[1], (int, float)) and not is_possible(one[1], one[2])] == []


def _told(entry: Any, frames: list[Frame]) -> list[tuple[str, Value, str]]:
    """Return the values with a unit that frames tell, however the protocol describes them."""
    describe = entry.describer()
    units = _units_of(entry, None)
    return [one for frame in frames for one in _with_units(describe(frame), units)]


def _with_units(fields: Any, units: Mapping[str, str]) -> Iterator[tuple[str, Value, str]]:
    """Yield the numbers in a description whose unit stands beside them, or is known by their name."""
    if isinstance(fields, list):
        for item in fields:
            yield from _with_units(item, units)
    if not isinstance(fields, dict):
        return
    if isinstance(fields.get("unit"), str) and isinstance(fields.get("value"), (int, float)):
        yield str(fields.get("name")), fields["value"], fields["unit"]
    beside = fields["units"] if isinstance(fields.get("units"), dict) else {}
    for key, value in fields.items():
        if key in units and isinstance(value, (int, float)):
            yield key, value, units[key]
        yield from _with_units(value, units | beside)


def _units_of(entry: Any, model: str | None) -> dict[str, str]:
    """Return the units of every value of a protocol, from whichever keys its settings need."""
    assert isinstance(entry, (PolledProtocol, PushingProtocol))
    properties = entry.schema["properties"]
    values = properties.get("values", {}).get("items", {}).get("enum")
    all_values = {"values": list(values)} if values else {}
    found: dict[str, str] = {}
    for name in [model] if model else properties.get("model", {}).get("enum", [None]):
        for address in ({}, {"address": 1}):
            keys = all_values | address | ({"model": name} if name else {})
            with contextlib.suppress(ValueError):
                found |= entry.settings(keys).units
    return found
