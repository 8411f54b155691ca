"""A few of the random buses: no value arrives under another's key, sensor or time."""

from __future__ import annotations

import pytest

from tests.faults.line_adversary import bus, outcome


@pytest.mark.parametrize("seed", [3, 38, 47, 187])
def test_no_value_of_a_random_bus_is_under_another_key(seed: int) -> None:
    findings, examples = outcome(bus(seed), 120.0)
    assert findings.are_clean, examples
    assert findings.values > 0
