"""The audit itself: a value under a wrong key, sensor or time does not pass, and a lost reply is seen."""

from __future__ import annotations

import pytest

from bridge.simulator.field.transmission import Served
from tests.faults.tagged import STAMP_ERROR, Audit, Findings, Source, tagged

KEYS = {("a", "x"): Source(1, (0,)), ("a", "y"): Source(1, (5, 6)), ("b", "x"): Source(2, (0,))}


def served(unit: int, start: int, answer: int, at: float, count: int = 1) -> Served:
    words = b"".join(tagged(unit, start + place, answer).to_bytes(2, "big") for place in range(count))
    request = bytes((3,)) + start.to_bytes(2, "big") + count.to_bytes(2, "big")
    return Served(unit, at, request, bytes((3, len(words))) + words)


@pytest.fixture
def audit() -> Audit:
    audit = Audit(KEYS)
    audit.serve([served(1, 0, 1, 10.0), served(1, 5, 2, 11.0, count=2), served(2, 0, 1, 12.0)])
    return audit


def pair(first: int, second: int) -> int:
    return first << 16 | second


def test_what_was_served_then_passes(audit: Audit) -> None:
    audit.judge("a", {"x": tagged(1, 0, 1), "y": pair(tagged(1, 5, 2), tagged(1, 6, 2))}, 10.0, 11.5)
    assert audit.findings == Findings(served=3, read=2, values=2)
    assert [reply.unit for reply in audit.unread()] == [2]


@pytest.mark.parametrize(
    ("value", "key", "at", "wrong"),
    [
        (tagged(1, 5, 2), "x", 11.0, "wrong_key"),
        (pair(tagged(1, 5, 2), tagged(1, 6, 3)), "y", 11.0, "wrong_key"),
        (tagged(2, 0, 1), "x", 12.0, "wrong_sensor"),
        (tagged(1, 0, 1), "x", 10.5, "stale"),
        (tagged(1, 0, 9), "x", 10.0, "stale"),
    ],
    ids=["another address", "two answers in one", "another unit", "an older answer", "never served"],
)
def test_what_was_not_served_then_is_found(audit: Audit, value: int, key: str, at: float, wrong: str) -> None:
    audit.judge("a", {key: value}, at, at + 1)
    assert getattr(audit.findings, wrong) == 1
    assert not audit.findings.are_clean
    assert len(audit.examples) == 1


def test_a_stamp_that_says_how_wrong_it_is_is_believed(audit: Audit) -> None:
    audit.judge("a", {"x": tagged(1, 0, 1), STAMP_ERROR: 500.0}, 10.4, 11.0)
    assert audit.findings.are_clean


def test_an_example_says_how_far_the_stamp_is_from_the_wire(audit: Audit) -> None:
    audit.judge("a", {"x": tagged(1, 0, 1)}, 10.5, 11.5)
    assert "served -500.0 ms from the stamp" in audit.examples[0]
