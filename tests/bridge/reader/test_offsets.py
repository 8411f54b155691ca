"""A counter goes on where another one ended, exact to the last digit."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from bridge.config import Offset
from bridge.reader.offsets import continued, offset_between, since_text
from protocols.toolkit.polling import Value

SINCE = datetime(2026, 11, 29, 16, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "add", "total"),
    [
        (0.1, 0.2, 0.3),
        (5, 7, 12),
        (2**62, 1, 2**62 + 1),
        (1e-7, 8123.4, 8123.4000001),
        (3, 0.5, 3.5),
        (10, -3, 7),
    ],
)
def test_an_offset_is_added_exactly(value: Value, add: float, total: Value) -> None:
    after = continued({"e": value, "v": 230.0}, {"e": Offset(add, SINCE)})
    assert after == {"e": total, "v": 230.0}
    assert type(after["e"]) is type(total)


@pytest.mark.parametrize("value", ["text", True, math.inf, -math.inf])
def test_what_is_no_number_stays(value: Value) -> None:
    assert continued({"e": value}, {"e": Offset(5, SINCE)}) == {"e": value}


def test_what_is_no_number_at_all_stays_so() -> None:
    after = continued({"e": math.nan}, {"e": Offset(5, SINCE)})["e"]
    assert isinstance(after, float)
    assert math.isnan(after)


def test_the_offset_of_an_absent_value_adds_no_value() -> None:
    assert continued({"v": 1}, {"e": Offset(5, SINCE)}) == {"v": 1}


def test_the_first_value_of_the_new_one_is_the_last_of_the_old() -> None:
    for last, first in ((8123.4, 0.3), (0.3, 0.1), (100, 7), (3.0, 10)):
        offset = offset_between(last, first)
        assert continued({"e": first}, {"e": Offset(offset, SINCE)}) == {"e": last}


def test_since_when_is_said_in_utc() -> None:
    assert since_text(Offset(1, SINCE)) == "since 2026-11-29 16:40 UTC"
