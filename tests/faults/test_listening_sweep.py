"""The sweep over the lines of foreign masters, a small part of it: no value is under a wrong key."""

from __future__ import annotations

import pytest

from tests.faults.listening_sweep import FAULTS, Case, cases, outcome


@pytest.mark.parametrize("faults", FAULTS)
def test_a_value_is_under_no_other_key(faults: str) -> None:
    findings = outcome(Case("usual", faults, 12, 9600), 1200, seed=2)
    assert findings.wrong == 0
    assert findings.values > 1000
    assert findings.pairs <= findings.replies


def test_every_combination_is_swept_once() -> None:
    grid = list(cases())
    assert len(set(grid)) == len(grid) == 240
