"""The register maps that ship with the bridge say what their sources say, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols.errors import SettingsError
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


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\nsources = ["its manual"]\nregisters.a = { holding = 1 }\n'
    )
    (tmp_path / "wrong.toml").write_text(
        'tittle = "Wrong"\nserial.line = "9600"\nregisters.a = { holding = -1 }\n'
    )
    assert models.names(tmp_path) == ["mine", "wrong"]
    assert [register.name for register in models.load("mine", tmp_path).registers] == ["a"]
    with pytest.raises(SettingsError) as caught:
        models.load("wrong", tmp_path)
    paths = [".".join(map(str, path)) for path, _ in caught.value.problems]
    assert paths == ["tittle", "title", "sources", "serial.line", "registers.a.holding"]
