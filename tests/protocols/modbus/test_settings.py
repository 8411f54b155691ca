"""What an installer writes, and what he is told."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.modbus import models
from protocols.modbus.plan import Span
from protocols.modbus.register_keys import KEYS, REGISTERS_SCHEMA, modicon
from protocols.modbus.registers import Table
from protocols.modbus.settings import odd, parse_settings, sensor_schema
from protocols.toolkit.errors import SettingsError


def mistakes(**table: Any) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(table)
    return {".".join(map(str, path)): message for path, message in caught.value.problems}


def mistakes_in(**register: Any) -> dict[str, str]:
    return mistakes(address=1, registers={"a": register})


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (300, "300 is not a Modbus unit address, use 1–247"),
        (
            248,
            "248 is reserved, use 1–247; if the sensor has it all the same, write reserved_address = true "
            "beside it",
        ),
        (
            0,
            "0 is for broadcasts, which no sensor answers, use 1–247; if this one does and is alone on its "
            "line, write reserved_address = true beside it",
        ),
        (-1, "-1 is not a Modbus unit address, use 1–247"),
        ("1", '"1" is a text: write it without quotes, address = 1'),
        ("007", '"007" is a text: write it without quotes, address = 7'),
        ("300", '"300" is not a Modbus unit address, use 1–247'),
        (True, "true is not a Modbus unit address, use 1–247"),
        (1.0, "1.0 is not a Modbus unit address, use 1–247"),
    ],
)
def test_a_wrong_address_is_told_with_its_rule(address: object, message: str) -> None:
    assert mistakes(address=address, model="eastron-sdm120") == {"address": message}


def test_every_mistake_is_told_at_once() -> None:
    found = mistakes(
        model="sdm630",
        adress=1,
        registers={"a": {"holding": -1, "typ": "uint16"}, "b": 7, "c": {}, "d": {"input": 1, "coil": 2}},
        limits={"max_registers": 126, "forbidden": {"holding": [[5, 4]], "holdin": []}},
    )
    assert found["adress"] == "unknown key; did you mean address?"
    assert found["address"].startswith("is missing")
    assert "eastron-sdm630" in found["model"]
    assert found["registers.a.typ"] == "unknown key; did you mean type?"
    assert found["registers.a.holding"].startswith("-1 is not a register address, use 0–65535")
    assert found["registers.b"].startswith("7 is not a register")
    assert found["registers.c"].endswith("got none")
    assert found["registers.d"].endswith("got coil and input")
    assert found["limits.max_registers"] == "126 is not allowed, use 1–125"
    assert found["limits.forbidden.holding.0"].startswith("[5, 4] is not a range")
    assert found["limits.forbidden.holdin"] == "unknown key; did you mean holding?"


def test_a_sensor_needs_something_to_read() -> None:
    assert list(mistakes(address=1)) == [""]
    assert list(mistakes(address=1, registers={})) == [""]


@pytest.mark.parametrize(
    ("register", "key", "part"),
    [
        ({"holding": 0, "type": "int15"}, "type", '"int15" is not a type'),
        ({"holding": 0, "type": "string:251"}, "type", "string:N"),
        ({"holding": 0, "type": "string:0"}, "type", "string:N"),
        ({"holding": 0, "order": "abcd"}, "order", 'write order = "ABCD"'),
        ({"holding": 0, "divide": 0}, "divide", "0 is not a number other than 0"),
        ({"holding": 0, "divide": "10"}, "divide", "is a text, write it without quotes: 10"),
        ({"holding": 0, "offset": float("nan")}, "offset", "nan is not a number"),
        ({"holding": 0, "bit": 16}, "bit", "16 is beyond uint16, use 0–15"),
        ({"holding": 0, "bit": 64}, "bit", "64 is not a bit"),
        ({"holding": 0, "mask": 0x10000}, "mask", "wider than uint16"),
        ({"holding": 0, "mask": 0}, "mask", "0 is not a mask"),
        ({"holding": 0, "enum": {"x": "y"}}, "enum", "is not an enum"),
        ({"holding": 0, "enum": {}}, "enum", "is not an enum"),
        ({"holding": 0, "invalid": "FFFF"}, "invalid", "is not a raw value"),
        ({"holding": 0, "unit": 5}, "unit", "is not text"),
        ({"holding": 0, "min": 5, "max": 4}, "min", "above max"),
        ({"holding": 0, "type": "float32", "bit": 1}, "bit", "means nothing for float32"),
        ({"holding": 0, "type": "string:4", "divide": 10}, "divide", "means nothing for string:4"),
        ({"holding": 0, "type": "string:4", "order": "CDAB"}, "order", "not an order of text"),
        ({"coil": 0, "type": "uint16"}, "type", "means nothing for coils"),
        ({"holding": 0, "bit": 1, "divide": 10}, "divide", "does not go with bit"),
        ({"holding": 0, "enum": {"0": "a"}, "offset": 1}, "offset", "does not go with enum"),
        ({"holding": 65535, "type": "uint32"}, "holding", "beyond address 65535"),
        ({"modicon": 50001}, "modicon", "50001 is not an address of 5 or 6 digits"),
        ({"modicon": 40000}, "modicon", "40000 is not an address of 5 or 6 digits"),
    ],
)
def test_a_wrong_key_is_told_with_its_place(register: dict[str, Any], key: str, part: str) -> None:
    found = mistakes_in(**register)
    assert part in found[f"registers.a.{key}"]


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        (30012, (Table.INPUT, 11)),
        (40001, (Table.HOLDING, 0)),
        (400001, (Table.HOLDING, 0)),
        ("400001", (Table.HOLDING, 0)),
        (465536, (Table.HOLDING, 65535)),
        (10001, (Table.DISCRETE, 0)),
        (1, (Table.COIL, 0)),
        ("00012", (Table.COIL, 11)),
        ("065536", (Table.COIL, 65535)),
        (465537, None),
        (20001, None),
        (0, None),
        (-30001, None),
        (True, None),
        ("3001", None),
        (4000001, None),
    ],
)
def test_the_datasheets_notation(reference: object, place: object) -> None:
    assert modicon(reference) == place


def test_registers_add_to_a_model_and_override_it() -> None:
    model = models.load("eastron-sdm120")
    plain = parse_settings({"address": 1, "model": "eastron-sdm120"})
    assert plain.registers == model.registers
    more = parse_settings(
        {
            "address": 1,
            "model": "eastron-sdm120",
            "registers": {"voltage": {"input": 0, "type": "float32", "max": 300}, "extra": {"holding": 5}},
        }
    )
    assert [r.name for r in more.registers] == [*(r.name for r in model.registers), "extra"]
    assert next(r for r in more.registers if r.name == "voltage").max == 300


def test_limits_are_inclusive_ranges() -> None:
    settings = parse_settings(
        {
            "address": 1,
            "registers": {"a": {"holding": 20}},
            "limits": {"max_registers": 60, "forbidden": {"holding": [[10, 19]]}},
        }
    )
    assert settings.limits.max_registers == 60
    assert settings.limits.forbidden == {(Table.HOLDING, Span(10, 20))}


def test_a_register_that_no_read_could_bring_is_a_mistake() -> None:
    limits = {"max_registers": 2, "forbidden": {"holding": [[10, 19]]}}
    registers = {"a": {"holding": 0, "type": "string:6"}, "b": {"holding": 9, "type": "uint32"}}
    found = mistakes(address=1, registers=registers, limits=limits)
    assert found["registers.a"] == "takes 3 registers, limits allow 2 in a read"
    assert found["registers.b"] == "holding registers 9–10 touch the forbidden 10–19"


def test_the_schema_knows_the_keys_that_the_parser_knows() -> None:
    assert REGISTERS_SCHEMA["additionalProperties"]["properties"].keys() == KEYS.keys()
    assert sensor_schema(models.SHIPPED)["properties"]["model"]["enum"] == [*models.names(), "sunspec"]
    assert sensor_schema(models.SHIPPED)["required"] == ["address"]


@pytest.mark.parametrize("address", [0, 248, 255])
def test_a_reserved_address_is_allowed_on_request(address: int) -> None:
    table = {"address": address, "reserved_address": True, "model": "eastron-sdm120"}
    assert parse_settings(table).unit == address
    assert odd(table) == []
    assert mistakes(**table | {"address": 256})["address"].startswith("256 is not a Modbus unit address")
    assert mistakes(**table | {"reserved_address": "yes"})["reserved_address"] == (
        '"yes" is neither true nor false'
    )
    assert odd(table | {"address": 7}) == [(("reserved_address",), "is not needed for 7: leave it out")]


def test_a_model_that_rests_on_one_source_is_said_and_no_other() -> None:
    grades = {name: models.load(name).evidence.grade for name in models.names()}
    told = {name: odd({"address": 1, "model": name}) for name in grades}
    assert [name for name, problems in told.items() if problems] == [n for n, g in grades.items() if g == "D"]
    assert told["eastron-sdm54"] == [
        (
            ("model",),
            '"eastron-sdm54" rests on one source: compare a value with the display of the device before you '
            "trust it, its sources: serial-bridge models eastron-sdm54",
        )
    ]


def test_a_sensors_limits_bind_the_registers_of_its_model() -> None:
    table = {"address": 1, "model": "eastron-sdm120", "limits": {"forbidden": {"input": [[6, 13]]}}}
    model = models.load("eastron-sdm120")
    names = [register.name for register in parse_settings(table).registers]
    left = [register.name for register in model.registers if not 5 <= register.start <= 13]
    assert names == left
    assert len(left) < len(model.registers)
    ((path, text),) = odd(table)
    assert path == ("limits", "forbidden")
    assert text.endswith("of eastron-sdm120 lie in a forbidden range: they are not read")
    assert (
        "takes 2 registers, limits allow 1" in mistakes(**table | {"limits": {"max_registers": 1}})["limits"]
    )
    every = {"forbidden": {"input": [[0, 65535]], "holding": [[0, 65535]]}}
    assert "nothing is left to read" in mistakes(**table | {"limits": every})["limits"]


def test_a_sensors_limits_stand_beside_those_of_its_model() -> None:
    own = {
        "title": "x",
        "sources": ["x"],
        "serial": {"gap": "50ms"},
        "limits": {"max_registers": 20, "forbidden": {"holding": [[5, 5]]}},
        "registers": {"a": {"holding": 0}},
    }
    library = models.Library.of({"mine": own})
    settings = parse_settings({"address": 1, "model": "mine", "limits": {"max_registers": 10}}, library)
    assert settings.limits.max_registers == 10
    assert settings.limits.forbidden == {(Table.HOLDING, Span(5, 6))}
    assert settings.gap_s == 0.05
    for gap in ("50", "61s", 3, "-1s"):
        with pytest.raises(SettingsError) as caught:
            models.Library.of({"mine": own | {"serial": {"gap": gap}}})
        assert "is not a gap, write the rest" in str(caught.value)


def test_a_least_quantity_above_the_most_is_a_mistake() -> None:
    found = mistakes(
        address=1, registers={"a": {"holding": 0}}, limits={"min_registers": 9, "max_registers": 8}
    )
    assert found == {"limits.min_registers": "9 is above max_registers = 8: no read could be made"}


@pytest.mark.parametrize(
    ("register", "key", "part"),
    [
        (
            {"holding": 0, "type": "int16", "mask": 0xFF},
            "mask",
            'have no sign, from int16: write type = "uint16"',
        ),
        ({"holding": 0, "type": "int8", "mask": 1}, "mask", 'write type = "uint8"'),
        ({"holding": 0, "type": "uint8", "bit": 8}, "bit", "8 is beyond uint8, use 0–7"),
        ({"holding": 0, "type": "uint8", "mask": 0x100}, "mask", "wider than uint8"),
        ({"holding": 0, "encoding": "latin-1"}, "encoding", "means nothing for uint16"),
        (
            {"holding": 0, "type": "string:4", "encoding": "cp1252"},
            "encoding",
            "use one of utf-8 latin-1 utf-16",
        ),
        ({"holding": 0, "type": "string:126", "encoding": "utf-16"}, "type", "takes 126 registers"),
        ({"holding": 0, "scale": 5}, "scale", "to scale by it, write multiply = 5"),
        ({"holding": 0, "scale": {"coil": 5}}, "scale", "{ coil = 5 } is not a register that holds"),
        ({"holding": 0, "scale": {"holding": 5, "input": 5}}, "scale", "is not a register that holds"),
        ({"holding": 0, "scale": {"holding": 5}, "bit": 1}, "scale", "does not go with bit"),
        ({"holding": 0, "scale": {"holding": 5}, "type": "string:4"}, "scale", "means nothing for string:4"),
        ({"coil": 0, "scale": {"holding": 5}}, "scale", "means nothing for coils"),
    ],
)
def test_a_misuse_of_the_rarer_keys_is_told(register: dict[str, Any], key: str, part: str) -> None:
    assert part in mistakes_in(**register)[f"registers.a.{key}"]
