"""The register maps that ship with the bridge say what their sources say, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols import load
from protocols.modbus import models
from protocols.modbus.models.evidence import LEAST
from protocols.modbus.registers import Register
from protocols.toolkit.polling import LineSettings
from tests.protocols.vector_file import FOLDER, MAPS

SOURCES = {device["device"]: device for device in json.loads((FOLDER / f"{MAPS}.json").read_text("utf-8"))}
OF_A_SOURCE = [name for name in models.names() if models.load(name).title in SOURCES]
MODBUS = load("modbus-rtu")
WITHOUT_UNIT = (
    "factor",
    "ratio",
    "status",
    "alarm",
    "sector",
    "ph",
    "uv_index",
    "permittivity",
    "water_activity",
    "input_",
    "device_address",
    "baud_code",
    "cells",
    "thermometers",
    "cycles",
    "balancing",
    "_enabled",
)


def test_at_least_twenty_models_ship_those_of_the_device_list_among_them() -> None:
    assert len(models.names()) >= 20
    assert len(OF_A_SOURCE) == len(SOURCES) == 12


@pytest.mark.parametrize("name", OF_A_SOURCE)
def test_a_map_is_the_map_of_its_source(name: str) -> None:
    model = models.load(name)
    source = SOURCES[model.title]
    assert [each.title for each in model.sources][: len(source["sources"])] == source["sources"]
    serial = source["serial"]
    baudrate = str(serial["baud"]).split()[0]  # where papers disagree, the first of them
    assert str(model.line) == f"{baudrate} 8{serial['parity']}{serial['stop']}"
    assert [_described(register) for register in model.registers] == [
        _expected(register, source["function"]) for register in source["registers"]
    ]


@pytest.mark.parametrize("name", models.names())
def test_no_map_claims_more_than_was_seen(name: str) -> None:
    model = models.load(name)
    assert model.sources
    assert model.kind
    assert model.line or model.line_grade == LEAST
    assert all(register.name == register.name.lower() for register in model.registers)
    for register in model.registers:
        has_no_unit = register.table.of_bits or register.enum
        assert register.unit or has_no_unit or any(word in register.name for word in WITHOUT_UNIT)


def test_a_daly_of_the_modbus_variant_is_asked_once_for_all_it_has() -> None:
    settings = MODBUS.settings({"address": 210, "model": "daly-bms"})
    (request,) = MODBUS.device([settings], LineSettings(9600)).planned()
    assert request.data == bytes.fromhex("d2030000003ed7b9")


def test_an_unknown_model_is_no_model() -> None:
    with pytest.raises(KeyError):
        models.load("eastron-sdm9999")


def _described(register: Register) -> tuple[Any, ...]:
    if register.table.of_bits:
        return register.table.key, register.start
    scale = register.multiply / register.divide
    return register.table.function, register.start, register.type, register.order, scale, register.offset


def _expected(register: dict[str, Any], function: int) -> tuple[Any, ...]:
    if register["type"] == "coil":
        return "coil", register["address"]
    order = "CDAB" if register["word_order"].startswith("little") else "ABCD"
    scale = register["scale"]
    if scale == "(raw-400)/10":
        return function, register["address"], register["type"], order, 0.1, -40
    return function, register["address"], register["type"], order, pytest.approx(scale), 0
