"""Which values go on after an exchange, and with which offset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.commands.replace.counters import continuations, counters, is_counter

SINCE = datetime(2026, 11, 29, 16, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("import_energy", "kWh"),
        ("reactive_total_energy_l1", "kvarh"),
        ("volume", "m³"),
        ("energy", "GJ"),
        ("1-0:1.8.0", "Wh"),
        ("pulses", ""),
        ("door_count", ""),
        ("operating_time", "h"),
        ("total_charge", "Ah"),
        ("yield_total", "kWh"),
    ],
)
def test_what_is_counted_for_ever_goes_on(key: str, unit: str) -> None:
    assert is_counter(key, unit)


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("voltage", "V"),
        ("power", "kW"),
        ("total_power", "kW"),
        ("flow", "m³/h"),
        ("energy_today", "kWh"),
        ("yield_yesterday", "kWh"),
        ("energy_last_month", "kWh"),
        ("remaining_capacity", "Ah"),
        ("charge", "Ah"),
        ("tank_volume", "l"),
        ("max_demand", "kWh"),
        ("total_harmonic_distortion", ""),
        ("cycles", ""),
        ("status", ""),
    ],
)
def test_what_is_measured_or_begins_with_the_day_does_not(key: str, unit: str) -> None:
    assert not is_counter(key, unit)


def test_a_person_chooses_otherwise_and_a_text_never_counts() -> None:
    values = {"energy": 1.5, "voltage": 230.0, "total": "none", "pulses": True}
    assert counters(values, {"energy": "kWh"}) == ["energy"]
    assert counters(values, {"energy": "kWh"}, ["voltage", "total"]) == ["voltage"]


@pytest.mark.parametrize(
    ("last", "first", "add"),
    [(8123.4, 0.3, 8123.1), (100, 7, 93), (5, 900, -895), (0.3, 0.1, 0.2), (2**60 + 1, 1, 2**60)],
)
def test_an_offset_is_exact(last: float, first: float, add: float) -> None:
    (entry,) = continuations({"e": last}, {"e": first}, {"e": "kWh"}, ["e"], SINCE)
    assert entry.offset.add == add
    assert isinstance(entry.offset.add, int) == (isinstance(last, int) and isinstance(first, int))


def test_only_what_both_gave_a_number_for_can_go_on() -> None:
    values = continuations({"a": 1, "b": "text"}, {"a": 2, "b": 3, "c": 4}, {}, ["a", "b", "c"], SINCE)
    assert [entry.key for entry in values] == ["a"]
