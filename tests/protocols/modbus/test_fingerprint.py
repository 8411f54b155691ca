"""The fingerprint of a model: its keys, and what it proves."""

from __future__ import annotations

import pytest

from protocols.modbus import models
from protocols.modbus.models.fingerprint import Fingerprint, parse_fingerprint
from protocols.toolkit.errors import Problem, SettingsError


def fingerprint(**entries: object) -> Fingerprint:
    problems: list[Problem] = []
    parsed = parse_fingerprint(entries, problems)
    assert not problems
    return parsed


def test_a_model_file_may_have_a_fingerprint() -> None:
    table = {
        "title": "T",
        "sources": ["s"],
        "registers": {"a": {"holding": 0}},
        "fingerprint": {"code": {"holding": 9, "is": 4711}},
    }
    (trait,) = models.read("t", table).fingerprint.traits
    assert (trait.register.start, trait.holds(4711), trait.holds(4712)) == (9, True, False)


def test_each_test_holds_for_what_it_says_and_for_nothing_else() -> None:
    traits = fingerprint(
        code={"holding": 0, "is": [112, 113]},
        text={"holding": 1, "type": "string:8", "matches": "B2[134].*"},
        baud={"holding": 5, "within": [0, 4]},
    ).traits
    assert [trait.holds(value) for trait, value in zip(traits, (113, "B23 112", 4), strict=True)] == [
        True
    ] * 3
    assert not any(trait.holds(value) for trait, value in zip(traits, (111, "XB23", 5), strict=True))


def test_only_what_few_devices_have_is_strong() -> None:
    strong = fingerprint(
        code={"holding": 0, "is": 4711}, text={"holding": 1, "type": "string:8", "is": "PAC"}
    )
    assert strong.strength == 3
    assert fingerprint(identity="Schneider").strength == 2
    weak = fingerprint(
        number={"holding": 0, "is": [1, 255]},  # stand everywhere
        text={"holding": 1, "type": "string:8", "matches": "[A-Z]{3}.*"},
        baud={"holding": 5, "within": [0, 4]},
    )
    assert weak.strength == 0


def test_of_a_list_only_the_rare_constant_proves_something() -> None:
    (trait,) = fingerprint(device_type={"holding": 0, "is": [0x0500, 5]}).traits
    assert trait.holds(5)
    assert (trait.weight_of(0x0500), trait.weight_of(5)) == (1, 0)


def test_an_example_is_what_a_simulated_device_says() -> None:
    known = fingerprint(
        identity={"matches": "Vaisala GMP25", "example": ["Vaisala", "GMP252", "1.2.3"]},
        name={"holding": 1, "type": "string:8", "matches": "ALD1.*", "example": "ALD1B5FD"},
    )
    assert known.identity is not None
    assert known.identity.search(" ".join(known.example))
    assert known.traits[0].holds(known.traits[0].example)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"holding": 0}, "needs a register and one of is, matches, within"),
        ({"holding": 0, "is": 1, "within": [0, 1]}, "needs a register and one of"),
        ({"is": 1}, "holding"),
        ({"holding": 0, "matches": "("}, "is no pattern"),
        ({"holding": 0, "within": [4, 0]}, "is no range"),
        ({"holding": 0, "is": 7, "example": "x"}, "example"),
        ({"holding": 0, "is": []}, "neither a number, a text nor a list"),
        (7, "needs a register"),
    ],
)
def test_a_mistake_is_said_with_its_place(entry: object, message: str) -> None:
    table = {"title": "T", "sources": ["s"], "registers": {"a": {"holding": 0}}, "fingerprint": {"x": entry}}
    with pytest.raises(SettingsError, match=message) as raised:
        models.read("t", table)
    assert raised.value.problems[0][0][:2] == ("fingerprint", "x")


def test_an_example_of_the_identity_is_a_list_of_texts() -> None:
    table = {
        "title": "T",
        "sources": ["s"],
        "registers": {"a": {"holding": 0}},
        "fingerprint": {"identity": {"matches": "Maker", "example": "Maker"}},
    }
    with pytest.raises(SettingsError, match="is no list of texts"):
        models.read("t", table)
