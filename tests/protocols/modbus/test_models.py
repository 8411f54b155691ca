"""The register maps that ship with the bridge say what their sources say, and no more."""

from __future__ import annotations

import json

import pytest

from protocols.modbus import models
from tests.protocols.vectors import FOLDER

SOURCES = {
    device["device"]: device for device in json.loads((FOLDER / "modbus_devices.json").read_text("utf-8"))
}


@pytest.mark.parametrize("name", models.names())
def test_a_map_is_the_map_of_its_source(name: str) -> None:
    model = models.load(name)
    source = SOURCES[model.title]
    assert list(model.sources) == source["sources"]
    assert model.line_confirmed == source["serial_confirmed"]
    serial = source["serial"]
    assert str(model.line) == f"{serial['baud']} 8{serial['parity']}{serial['stop']}"
    found = [
        (register.table.function, register.start, register.type, register.multiply / register.divide)
        for register in model.registers
    ]
    expected = [
        (source["function"], register["address"], register["type"], pytest.approx(register["scale"]))
        for register in source["registers"]
    ]
    assert found == expected
    assert {register.order for register in model.registers} == {"ABCD"}
    assert not model.confirmed


@pytest.mark.parametrize("name", models.names())
def test_no_map_claims_more_than_was_seen(name: str) -> None:
    model = models.load(name)
    assert model.sources
    assert all(register.name == register.name.lower() for register in model.registers)
    assert all(register.unit or "factor" in register.name for register in model.registers)


def test_an_unknown_model_is_no_model() -> None:
    with pytest.raises(KeyError):
        models.load("eastron-sdm9999")
