"""The sweep over stalls, a small part of it: no value arrives under another's key, sensor or time."""

from __future__ import annotations

import pytest

from bridge.simulator.field.device_faults import Stall
from tests.faults.line_sweep import RHYTHMS, STALL_SHARE, Case, cases, outcome

LONG_STALL = Stall(STALL_SHARE, 2.5, 2.5, depth=4)


@pytest.mark.parametrize("has_converter", [False, True], ids=["device", "converter"])
@pytest.mark.parametrize("shape", ["five reads of one length", "reads of all lengths"])
def test_a_late_reply_is_under_no_other_key(shape: str, has_converter: bool) -> None:
    findings = outcome(Case(shape, RHYTHMS[0], LONG_STALL, has_converter), 3000, seed=1)
    assert findings.values >= 3000
    assert findings.are_clean, findings


def test_every_combination_is_swept_once() -> None:
    grid = list(cases())
    assert len(set(grid)) == len(grid) == 1152
