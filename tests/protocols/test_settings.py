"""A sensor's keys, however they are written, are settings or mistakes that are told."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from protocols import CATALOGUE, load
from protocols.toolkit.errors import SettingsError

STRANGE: list[Any] = [
    *(True, -1, 2**70, 1.5, float("nan"), float("inf"), "", "\0", "ä" * 300),
    *([], ["x"], [["x"]], [{}], [True], [1, 1], [float("nan")]),
    *({}, {"": {}}, {"a": 1}, {"a": []}, {"a": {}}, {"a": {"b": {"c": 1}}}),
]
BESIDE: list[dict[str, Any]] = [{}, {"model": "sps30"}, {"address": 1}, {"id": "0a01"}]
DECLARED_ON_A_BUS = "declared"


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - {DECLARED_ON_A_BUS}))
def test_keys_of_any_kind_are_settings_or_mistakes_that_are_told(name: str) -> None:
    entry = load(name)
    for key in [*entry.schema["properties"], "unheard_of"]:
        for value in STRANGE:
            for beside in BESIDE:
                with suppress(SettingsError):
                    settings = entry.settings({**beside, key: value})
                    assert isinstance(settings.address, str)
                    assert all(isinstance(unit, str) for unit in settings.units.values())
