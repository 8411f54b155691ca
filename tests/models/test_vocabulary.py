"""Every model and every protocol calls the same thing by the same name, in the same unit."""

from __future__ import annotations

from contextlib import suppress

import pytest

from protocols import CATALOGUE, load
from protocols.modbus import models
from protocols.toolkit.errors import SettingsError
from tests.models.vocabulary import EXCEPTIONS, PAGE, SYNONYMS, VOCABULARY, family, meaning, table
from tests.protocols.test_requests import SENSORS

NAMED_BY_THE_SITE = "declared"


@pytest.mark.parametrize("name", models.names())
def test_a_model_takes_its_keys_from_the_vocabulary(name: str) -> None:
    for register in models.load(name).registers:
        words = meaning(register.name)
        assert words, f"{register.name} is not in tests/models/vocabulary.py: take a name of it, or add it"
        unit, _ = words
        assert register.unit == unit or (name, register.name) in EXCEPTIONS, register.name


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - {NAMED_BY_THE_SITE}))
def test_a_protocol_has_a_name_of_the_vocabulary_in_its_unit(name: str) -> None:
    entry = load(name)
    for table_of_sensor in (SENSORS.get(name, {}), {}, {"address": 1}, {"id": "0a01"}):
        with suppress(SettingsError):
            for key, unit in entry.settings(table_of_sensor).units.items():
                if key in VOCABULARY and VOCABULARY[key][0] and (name, key) not in EXCEPTIONS:
                    assert unit == VOCABULARY[key][0], key


def test_no_name_of_the_vocabulary_is_the_synonym_of_another() -> None:
    assert SYNONYMS.keys().isdisjoint(VOCABULARY)
    assert set(SYNONYMS.values()) <= VOCABULARY.keys()


def test_a_key_is_known_with_its_phases_tariffs_numbers_and_parts() -> None:
    keys = ("import_energy_l2_t1", "line_voltage_l31", "pv2_power", "max_cell_voltage", "alarms_4")
    assert [family(key) for key in keys[:3]] == ["import_energy", "line_voltage", "pv_power"]
    assert all(meaning(key) for key in keys)
    assert meaning("energy_import") is None


def test_the_page_has_the_vocabulary() -> None:
    assert PAGE.read_text("utf-8").endswith(table() + "\n")
