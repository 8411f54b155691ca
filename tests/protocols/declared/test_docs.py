"""The declarations that README shows, taken from its text: they read what the sensors' own protocols read."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from protocols import load
from protocols.declared import declaration, declared_by
from protocols.declared.field_keys import KEYS
from protocols.declared.simulation import SimulatedSensor, dialect
from protocols.declared.types import TYPES
from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import Protocol
from protocols.toolkit.pushing import PushingSettings
from tests.protocols.vectors import Vector, hear, vectors
from tests.support.pages import BLOCKS, PAGES

SHOWN: dict[str, Any] = {
    name: bus
    for block in BLOCKS
    for name, bus in tomllib.loads(block).get("bus", {}).items()
    if bus.get("protocol") == "declared"
}


def keys(bus: dict[str, Any]) -> dict[str, Any]:
    return {key: bus[key] for key in ("frame", "request") if key in bus}


def told(entry: Protocol, settings: PushingSettings, data: bytes) -> list[Values]:
    """Return what a sensor with these settings tells in a stream, frame by frame."""
    listener = entry.listener()
    return [
        settings.choose(telegram.values)
        for event in hear(entry, [data])
        if isinstance(event, Frame)
        for telegram in listener.telegrams(event)
    ]


@pytest.mark.parametrize("vector", vectors("plantower"), ids=lambda vector: vector["id"])
def test_the_dust_sensor_shown_reads_what_the_built_in_protocol_reads(vector: Vector) -> None:
    built_in, declared = load("plantower"), declared_by(keys(SHOWN["dust"]))
    expected = told(built_in, built_in.settings({"model": "pms5003"}), bytes.fromhex(vector["hex"]))
    assert told(declared, declared.settings({}), bytes.fromhex(vector["hex"])) == expected
    if vector["valid"] and vector["direction"] == "response":
        assert len(expected) == 1


def test_the_dust_sensor_shown_has_the_units_of_the_built_in_protocol() -> None:
    built_in, declared = load("plantower"), declared_by(keys(SHOWN["dust"]))
    assert declared.settings({}).units == built_in.settings({}).units


def test_the_tank_shown_is_asked_and_answers() -> None:
    declared = declaration(keys(SHOWN["tanks"]))
    entry = declared_by(keys(SHOWN["tanks"]))
    poll = entry.device([entry.settings({"id": "2"})], LineSettings(19200)).poll()
    request = next(poll)
    (asked,) = dialect(declared).framer().feed(request.data)
    assert isinstance(asked, Frame)
    well = SimulatedSensor(declared, "2", level=1234, temperature=-5, pump=0x81, leak=0x81)
    reply = well.answer(asked)
    assert reply is not None
    (frame,) = request.framer().feed(reply)
    assert isinstance(frame, Frame)
    assert request.accepts(frame)
    with pytest.raises(StopIteration) as stopped:
        poll.send(frame)
    values = {"level": 1.234, "temperature": -0.5, "pump": "on", "leak": True}
    assert stopped.value.value.values == (values,)


def test_the_table_names_every_key_type_and_checksum() -> None:
    section = PAGES["protocols"].partition("## A sensor that nobody has met")[2].partition("\n## ")[0]
    for name in (*KEYS, *TYPES):
        assert f"`{name}`" in section or f"`{name} = " in section, name
    listed = re.findall(r"`([a-z0-9-]+)`", section.partition("Checksums:")[2].partition("\n\n")[0])
    assert listed == list(CHECKSUMS)
