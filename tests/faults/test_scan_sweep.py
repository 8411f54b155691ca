"""A sample of the sweep over random buses: nothing missed, nothing claimed wrongly, in time."""

from __future__ import annotations

import statistics

from tests.faults.scan_sweep import UNKNOWN_LINE_S, buses, scan


def test_on_healthy_buses_everything_is_found_and_no_claim_is_wrong() -> None:
    outcomes = [scan(bus) for bus in buses(500, 10, None, faulty=False)]
    assert len({device.protocol for outcome in outcomes for device in outcome.bus.devices}) >= 4
    assert [outcome.missed for outcome in outcomes if outcome.missed] == []
    assert [outcome.unnamed for outcome in outcomes if outcome.unnamed] == []
    assert [outcome.wrong for outcome in outcomes if outcome.wrong] == []
    assert statistics.median(outcome.last_s for outcome in outcomes) <= UNKNOWN_LINE_S


def test_on_faulty_buses_no_claim_is_wrong_and_another_master_is_left_in_peace() -> None:
    outcomes = [scan(bus) for bus in buses(500, 12, None, faulty=True)]
    assert [outcome.wrong for outcome in outcomes if outcome.wrong] == []
    mastered = [outcome.result for outcome in outcomes if outcome.bus.has_foreign_master]
    assert mastered
    assert [result.octets_sent for result in mastered if result.octets_sent] == []
