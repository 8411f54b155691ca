"""The JSON Schema accepts what the bridge accepts, and marks in an editor what it can know of mistakes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bridge.config import site_schema
from tests.bridge.config.conftest import GOOD, SITES, Mistakes

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def holds(kind: str, value: object) -> bool:
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


class Validator:
    """The keywords of JSON Schema that ours uses; any other is an error of the test."""

    SILENT = frozenset({"$schema", "$defs", "title", "description", "default", "examples"})

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def valid(self, value: Any, schema: Mapping[str, Any] | bool | None = None) -> bool:
        return not list(self.errors(value, self.root if schema is None else schema, "site"))

    def errors(self, value: Any, schema: Mapping[str, Any] | bool, at: str) -> Iterator[str]:
        if isinstance(schema, bool):
            if not schema:
                yield f"{at}: not allowed"
            return
        for keyword, rule in schema.items():
            if keyword not in self.SILENT and keyword not in ("then", "else"):
                yield from self._keyword(keyword, rule, value, schema, at)

    def _keyword(
        self, keyword: str, rule: Any, value: Any, schema: Mapping[str, Any], at: str
    ) -> Iterator[str]:
        passes = True
        match keyword:
            case "$ref":
                yield from self.errors(value, self.root["$defs"][rule.removeprefix("#/$defs/")], at)
            case "type":
                passes = any(holds(kind, value) for kind in ([rule] if isinstance(rule, str) else rule))
            case "enum":
                passes = value in rule
            case "const":
                passes = value == rule
            case "pattern":
                passes = not isinstance(value, str) or re.search(rule, value) is not None
            case "minimum":
                passes = not holds("number", value) or value >= rule
            case "maximum":
                passes = not holds("number", value) or value <= rule
            case "required":
                passes = not isinstance(value, dict) or set(rule) <= set(value)
            case "properties" if isinstance(value, dict):
                for key in rule.keys() & value.keys():
                    yield from self.errors(value[key], rule[key], f"{at}.{key}")
            case "additionalProperties" if isinstance(value, dict):
                for key in value.keys() - schema.get("properties", {}).keys():
                    yield from self.errors(value[key], rule, f"{at}.{key}")
            case "propertyNames" if isinstance(value, dict):
                for key in value:
                    yield from self.errors(key, rule, f"{at}.{key}")
            case "items" if isinstance(value, list):
                for index, item in enumerate(value):
                    yield from self.errors(item, rule, f"{at}[{index}]")
            case "minItems":
                passes = not isinstance(value, list) or len(value) >= rule
            case "maxItems":
                passes = not isinstance(value, list) or len(value) <= rule
            case "uniqueItems":
                passes = not isinstance(value, list) or not rule or len(set(map(repr, value))) == len(value)
            case "allOf":
                for each in rule:
                    yield from self.errors(value, each, at)
            case "anyOf":
                passes = any(self.valid(value, each) for each in rule)
            case "oneOf":
                passes = sum(self.valid(value, each) for each in rule) == 1
            case "not":
                passes = not self.valid(value, rule)
            case "if":
                yield from self.errors(value, schema["then"] if self.valid(value, rule) else True, at)
            case "properties" | "additionalProperties" | "propertyNames" | "items":
                pass
            case _:
                raise AssertionError(f"the schema uses {keyword}, which this test does not know")
        if not passes:
            yield f"{at}: {keyword}"


@pytest.fixture
def validator() -> Validator:
    return Validator(site_schema())


@pytest.mark.parametrize("name", ["good.toml", "example.toml", "meters.toml"])
def test_what_the_bridge_accepts_is_valid(name: str, validator: Validator) -> None:
    site = tomllib.loads((SITES / name).read_text())
    assert list(validator.errors(site, validator.root, "site")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('site = "barn-7"\n', ""),
        ("coap://tb", "http://tb"),
        ("coap://tb.example.com", "coap://tb.example.com/api"),
        ("serial:AB0JPQ7X", "AB0JPQ7X"),
        ("lanes = 2", "lanes = 9"),
        ("lanes = 2", 'lanes = "2"'),
        ("lanes = 2", "lines = 2"),
        ('"500MB"', '"500"'),
        ('"500MB"', "500"),
        ('trust = "system"', 'trust = "ntp"'),
        ("[bus.roof]", '[bus."roof-1"]\n[bus.roof]'),
        ('protocol = "made-up"\n', 'protocol = "mode-up"\n'),
        ('line = "9600 8N1"\n', ""),
        ('line = "9600 8N1"', 'line = "9600"'),
        ("rts_on_send", "rts_on"),
        ("[[bus.roof.sensor]]", "[bus.roof.sensor]"),
        ('name = "soil"\n', ""),
        ("address = 2\n", ""),
        ("address = 2", "address = 300"),
        ("address = 2", "adress = 2"),
        ('every = "10s"', "every = 10"),
        ('every = "10s"', 'every = "10 sec"'),
        ("deadband = 0.5", "deadband = -0.5"),
    ],
)
def test_a_mistake_is_marked_while_one_writes(old: str, new: str, validator: Validator) -> None:
    assert old in GOOD
    assert not validator.valid(tomllib.loads(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("holding = 0,", "holding = -1,"),
        ("holding = 0,", "holding = 0, coil = 1,"),
        ("holding = 0,", ""),
        ('"int16"', '"int17"'),
        ("divide = 10", "divided = 10"),
        ('model = "eastron-sdm630"', ""),
        ('model = "eastron-sdm630"', 'model = "eastron"'),
    ],
)
def test_a_mistake_in_the_protocols_own_keys_is_marked_too(old: str, new: str, validator: Validator) -> None:
    text = (SITES / "example.toml").read_text()
    assert old in text
    assert not validator.valid(tomllib.loads(text.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"002311905387"', "2311905387"),
        ('"002311905387"', '"999999999999"'),
        ('"AAAAAAAA5388"', '"5387AAAAAAAA"'),
        ('"AAAAAAAA5388"', '"AA5387"'),
        ('"voltage_a"', '"voltage"'),
        ("_t63", "_t0"),
        ('"energy_import",', '"energy_import", "energy_import",'),
        ('values = ["frequency"]\n', ""),
        ('"02900100"', '"0290"'),
        ('"X.XXX"', '"XX.XXX"'),
        (', format = "X.XXX"', ""),
        ("signed = true", 'signed = "yes"'),
        ('unit = "A"', 'units = "A"'),
        ('protocol = "modbus-ascii"\nline = "9600 7E1"', 'protocol = "modbus-ascii"'),
    ],
)
def test_a_mistake_in_a_meters_keys_is_marked_and_refused(
    old: str, new: str, validator: Validator, mistakes: Mistakes
) -> None:
    text = (SITES / "meters.toml").read_text()
    assert old in text
    assert mistakes(text) == []
    assert not validator.valid(tomllib.loads(text.replace(old, new)))
    assert len(mistakes(text.replace(old, new))) == 1


def test_defaults_are_valid_where_they_stand(validator: Validator) -> None:
    def walk(schema: object) -> Iterator[Mapping[str, Any]]:
        if isinstance(schema, dict):
            if "default" in schema and "description" in schema:
                yield schema
            for inner in schema.values():
                yield from walk(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from walk(inner)

    found = list(walk(validator.root))
    assert len(found) > 10
    for schema in found:
        assert validator.valid(schema["default"], schema), schema


def test_every_key_is_explained(validator: Validator) -> None:
    for name, table in {**validator.root["$defs"], "site": validator.root}.items():
        for key, schema in table["properties"].items():
            assert "description" in schema or "$ref" in schema or name.startswith("Sensor-"), f"{name}.{key}"


def test_it_is_json_of_the_draft_that_it_names(validator: Validator) -> None:
    assert json.loads(json.dumps(validator.root)) == validator.root
    assert validator.root["$schema"] == "https://json-schema.org/draft/2020-12/schema"
