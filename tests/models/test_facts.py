"""No model claims more than its sources say, and where they disagree there is a reason."""

from __future__ import annotations

import pytest

from protocols.modbus import models
from protocols.modbus.models.evidence import LEAST
from protocols.modbus.models.variants import INDEX, KEY, index_text
from protocols.modbus.registers import Register, Table
from tests.models.facts import FOLDER, Facts, derived_grades, deviation, disagreements, facts_of

NAMES = models.names()


@pytest.mark.parametrize("name", NAMES)
def test_no_register_has_a_better_grade_than_its_sources_allow(name: str) -> None:
    model = models.load(name)
    derived = derived_grades(model)
    assert {key: model.evidence.of(key) for key in derived if model.evidence.of(key) < derived[key]} == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_grade_of_a_model_is_that_of_most_of_its_registers(name: str) -> None:
    model = models.load(name)
    grades = [model.evidence.of(register.name) for register in model.registers]
    assert 2 * grades.count(model.evidence.grade) >= len(grades)


@pytest.mark.parametrize("name", NAMES)
def test_every_disagreement_of_the_sources_is_settled_with_a_reason(name: str) -> None:
    model = models.load(name)
    facts = facts_of(name)
    open_disagreements = [entry for entry in disagreements(model) if not facts.settled.get(entry[0])]
    assert open_disagreements == []
    assert facts.settled.keys() <= {key for key, _, _ in disagreements(model)}


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.toml"))])
def test_facts_are_of_sources_and_registers_that_the_model_has(name: str) -> None:
    model = models.load(name)
    facts = facts_of(name)
    assert facts.by_source.keys() <= {source.id for source in model.sources}
    keys = {register.name for register in model.registers}
    assert {key for registers in facts.by_source.values() for key in registers} <= keys


def test_a_model_without_facts_claims_nothing_but_its_exchanges() -> None:
    assert facts_of("no such model") == Facts()
    for name in NAMES:
        if not facts_of(name).by_source:
            model = models.load(name)
            assert {model.evidence.of(register.name) for register in model.registers} <= {"A", LEAST}


def test_the_index_of_the_variants_is_that_of_the_files() -> None:
    tables = {name: models.table_of(name) for name in models.file_names()}
    index = index_text({name: table for name, table in tables.items() if KEY in table})
    assert (models.FOLDER / INDEX).read_text("utf-8") == index


def test_a_deviation_names_what_differs_and_a_prefix_is_none() -> None:
    ours = Register(name="p", table=Table.INPUT, start=12, type="uint32", words=2, unit="W")
    same = Register(name="p", table=Table.INPUT, start=12, type="uint32", words=2, unit="kW", divide=1000)
    assert deviation(ours, same) == ""
    moved = Register(name="p", table=Table.HOLDING, start=13, type="uint32", words=2, order="CDAB", unit="W")
    assert deviation(ours, moved) == (
        "table holding instead of input; address 13 instead of 12; order CDAB instead of ABCD"
    )
    larger = Register(name="p", table=Table.INPUT, start=12, type="uint32", words=2, unit="kW")
    assert deviation(ours, larger) == "scale 1000 instead of 1"
