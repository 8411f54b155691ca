"""The grades and the sources of a model file: what is allowed, and what is said otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.modbus import models
from protocols.modbus.models.variants import index_text, parse_index, variant_of
from protocols.toolkit.errors import SettingsError

MAKER = {"id": "m", "kind": "maker", "title": "Acme, list", "version": "V1", "page": "3"}
PUBLIC = {"id": "p", "kind": "public", "title": "somebody's program"}


def model_file(**keys: Any) -> dict[str, Any]:
    registers = {"a": {"holding": 0}, "b": {"holding": 1}}
    return {"title": "T", "source": [MAKER, PUBLIC], "registers": registers} | keys


def test_a_register_has_the_grade_of_the_map_or_its_own() -> None:
    model = models.read("m", model_file(evidence="B", graded={"D": ["b"]}))
    assert (model.evidence.of("a"), model.evidence.of("b")) == ("B", "D")
    assert str(model.sources[0]) == "Acme, list, V1, page 3"


def test_without_a_grade_it_is_the_least_and_a_text_is_a_source() -> None:
    table = model_file(sources=["its manual"])
    del table["source"]
    model = models.read("m", table)
    assert model.evidence.of("a") == "D"
    assert model.sources[0].title == "its manual"


@pytest.mark.parametrize(
    ("keys", "path", "message"),
    [
        ({"evidence": "E"}, ("evidence",), '"E" is no grade'),
        ({"evidence": "B", "source": [PUBLIC]}, ("evidence",), "B needs a [[source]] of the kind maker"),
        ({"evidence": "C", "source": [PUBLIC]}, ("evidence",), "C needs two sources"),
        ({"graded": {"A": ["c"]}}, ("graded", "A"), '"c" is not a register'),
        ({"graded": {"X": ["a"]}}, ("graded", "X"), "is no grade"),
        ({"graded": ["a"]}, ("graded",), "is not a table"),
        ({"kind": "toaster"}, ("kind",), "is no kind of device"),
        ({"source": [{"title": "x", "kind": "friend"}]}, ("source", 0, "kind"), "is no kind of source"),
        ({"source": [{"kind": "maker"}]}, ("source", 0, "title"), "is missing"),
        ({"source": [7]}, ("source", 0), "7 is not a source"),
        ({"sources": ["x"]}, ("sources",), "beside [[source]]"),
        ({"serial": {"line": "9600 8N1", "evidence": 1}}, ("serial", "evidence"), "1 is no grade"),
        ({"confirmed": "yes"}, ("confirmed",), "is neither true nor false"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, Any], path: tuple[object, ...], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        models.read("m", model_file(**keys))
    assert [(where, message in text) for where, text in raised.value.problems] == [(path, True)]


FAMILY = model_file(
    evidence="B",
    graded={"D": ["a", "b"]},
    limits={"max_registers": 10},
    variant={
        "m-1": {"title": "T 1", "without": ["a"], "registers": {"c": {"holding": 7}}},
        "m-2": {"limits": {"max_registers": 5, "min_registers": 2}, "registers": {"a": {"input": 3}}},
    },
)


def test_a_variant_has_what_the_family_has_but_for_its_own_keys() -> None:
    first = models.read("m-1", variant_of(FAMILY, "m-1"))
    assert first.title == "T 1"
    assert [register.name for register in first.registers] == ["b", "c"]
    assert first.limits.max_registers == 10
    assert (first.evidence.of("b"), first.evidence.of("c")) == ("D", "B")
    second = models.read("m-2", variant_of(FAMILY, "m-2"))
    assert second.title == "T"
    assert [(register.name, register.table.key) for register in second.registers] == [
        ("a", "input"),
        ("b", "holding"),
    ]
    assert (second.limits.max_registers, second.limits.min_registers) == (5, 2)


def test_a_variant_cannot_leave_out_what_is_not_there() -> None:
    table = model_file(variant={"m-1": {"without": ["x"]}})
    with pytest.raises(SettingsError, match='"x" is not a register of this family'):
        variant_of(table, "m-1")


def test_the_index_names_the_file_of_each_variant() -> None:
    text = index_text({"m": FAMILY})
    assert text == "m-1 m\nm-2 m\n"
    assert parse_index(text) == {"m-1": "m", "m-2": "m"}
