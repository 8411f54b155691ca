"""A wrong address, order, type or scale in a model is caught by its vectors."""

from __future__ import annotations

from tests.models.facts import all_models, facts_of
from tests.models.mutations import survivors

LEAST_CAUGHT = 0.99
_SAMPLE = 5  # each fifth model; `python -m tests.models.mutations` tries them all


def test_nearly_every_change_is_caught() -> None:
    models = [model for model in all_models() if facts_of(model.name).by_source][::_SAMPLE]
    results = [survivors(model) for model in models]
    tried = sum(count for count, _ in results)
    alive = [entry for _, entries in results for entry in entries]
    assert tried > 0
    assert 1 - len(alive) / tried >= LEAST_CAUGHT, alive
