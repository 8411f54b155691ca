"""Every protocol tells the same mistakes in the keys of its sensors in the same words."""

from __future__ import annotations

from typing import Any

import pytest

from protocols import load
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.protocol import Protocol, ProtocolTemplate
from protocols.toolkit.pushing import ALIAS
from tests.protocols.vectors import SPOKEN


def spoken(name: str) -> Protocol:
    entry = load(name)
    assert not isinstance(entry, ProtocolTemplate)
    return entry


WITH_VALUES = [name for name in SPOKEN if "values" in spoken(name).schema["properties"]]


def problems(name: str, table: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(SettingsError) as caught:
        spoken(name).settings(table)
    return dict(caught.value.problems)


@pytest.mark.parametrize("name", SPOKEN)
def test_an_unknown_key_is_told_with_the_key_that_it_resembles(name: str) -> None:
    key = next(iter(spoken(name).schema["properties"]))
    assert problems(name, {f"{key}x": 1})[(f"{key}x",)] == f"unknown key; did you mean {key}?"


@pytest.mark.parametrize("name", SPOKEN)
def test_a_key_that_resembles_none_is_told_with_those_that_there_are(name: str) -> None:
    message = problems(name, {"zzzz": 1})[("zzzz",)]
    named = message.removeprefix("unknown key; use ").split(", ")
    assert set(named) == set(spoken(name).schema["properties"]) - {ALIAS}


@pytest.mark.parametrize("name", WITH_VALUES)
def test_an_unknown_value_is_told_with_those_that_it_resembles_or_some(name: str) -> None:
    model = {"model": spoken(name).model_names[0]} if spoken(name).model_names else {}
    message = problems(name, {**model, "values": ["?", 7]})
    assert message["values", 0].startswith('unknown value "?"')
    assert "; use " in message["values", 0]
    assert message["values", 1].startswith("unknown value 7")


@pytest.mark.parametrize("name", WITH_VALUES)
def test_values_that_are_no_list_are_told_with_an_example(name: str) -> None:
    model = {"model": spoken(name).model_names[0]} if spoken(name).model_names else {}
    message = problems(name, {**model, "values": "?"})["values",]
    assert message.startswith('"?" is not a list of values, write for example ["')
