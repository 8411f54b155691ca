"""A sample of the sweep over random buses: what a scan finds where nobody knows anything."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.result import Ending
from bridge.simulator.training.description import RandomBus, RandomDevice
from bridge.simulator.training.drawing import SLOW, random_bus
from protocols.toolkit.polling import LineSettings
from tests.faults.scan_sweep import FOUND, KNOWN_LINE_S, RIGHT, UNKNOWN_LINE_S, Outcome, buses, scan


@cache
def outcomes(*, faulty: bool = False, known_line: bool = False) -> Sequence[Outcome]:
    return [
        scan(bus, Limits(line=bus.line) if known_line else None) for bus in buses(40, 24, None, faulty=faulty)
    ]


def share(found: Sequence[Outcome], missing: int) -> float:
    return 1 - missing / sum(len(outcome.bus.devices) for outcome in found)


def test_devices_of_eight_protocols_are_found_for_what_they_are() -> None:
    found = outcomes()
    protocols = {device.protocol for outcome in found for device in outcome.bus.devices}
    assert len(protocols) >= 8
    missed = sum(len(outcome.missed) for outcome in found)
    unnamed = sum(len(outcome.unnamed) for outcome in found)
    assert share(found, missed) >= FOUND
    assert share(found, missed + unnamed) >= RIGHT


def test_nothing_is_claimed_that_is_not_true() -> None:
    assert [outcome.wrong for outcome in (*outcomes(), *outcomes(faulty=True)) if outcome.wrong] == []


def test_a_bus_is_known_within_minutes_and_at_a_known_line_within_seconds() -> None:
    assert statistics.median(outcome.last_s for outcome in outcomes()) <= UNKNOWN_LINE_S
    known = outcomes(known_line=True)
    assert sum(len(outcome.missed) for outcome in known) == 0
    asked = [outcome.last_s for outcome in known if outcome.result.octets_sent]
    assert statistics.median(asked) <= 2 * KNOWN_LINE_S
    assert statistics.median(outcome.last_s for outcome in known) <= KNOWN_LINE_S


def test_on_faulty_buses_nearly_everybody_is_found_who_can_be() -> None:
    found = outcomes(faulty=True)
    devices = sum(len(outcome.bus.devices) - outcome.out_of_reach for outcome in found)
    missed = sum(len(outcome.missed) - outcome.out_of_reach for outcome in found)
    assert 1 - missed / devices >= FOUND


@pytest.mark.parametrize("text", ["9600 8N1", "19200 8E1", "115200 8N1"])
def test_a_small_bus_of_unknown_settings_is_done_within_a_minute(text: str) -> None:
    """With every other setting that was looked for, since `setup` waits for the end."""
    line = LineSettings.parse(text)
    models = {"3": "eastron-sdm120", "4": "abb-b23", "7": "eastron-sdm630"}
    devices = [RandomDevice("modbus-rtu", address, line, address, models[address]) for address in models]
    outcome = scan(RandomBus(1, line, tuple(devices)))
    assert (outcome.missed, outcome.wrong) == ((), ())
    assert outcome.result.bus_s <= 60


@pytest.mark.parametrize(
    "protocol", ["modbus-rtu", "modbus-ascii", "mbus", "dlt645", "dlt645-1997", "pylontech"]
)
def test_a_device_that_answers_after_the_time_of_the_search_is_found_too(protocol: str) -> None:
    """Among quick ones, 0.3 to 0.9 s after its question."""
    for bus in buses(40, 4, protocol, faulty=False):
        *quick_devices, last = bus.devices
        late_bus = replace(bus, devices=(*quick_devices, replace(last, fault=SLOW)))
        outcome = scan(late_bus, Limits(line=bus.line), [protocol])
        assert (outcome.missed, outcome.unnamed, outcome.wrong) == ((), (), ()), bus


def test_another_master_is_known_at_the_slowest_speed_too() -> None:
    bus = random_bus(6056, devices=5, protocol="mbus")
    assert (str(bus.line), bus.has_foreign_master) == ("300 8E1", True)
    result = scan(bus).result
    assert result.octets_sent == 0
    assert "another master is at work at 300 baud" in result.remark


def test_a_late_acknowledgement_behind_several_at_once_is_waited_for() -> None:
    """Two that overlap make no E5 before the line is silent; the late one comes 0.8 s afterwards."""
    bus = random_bus(6067, devices=5, protocol="mbus")
    assert [device.fault for device in bus.devices if device.fault] == [SLOW]
    assert scan(bus, Limits(line=bus.line), ["mbus"]).missed == ()


def test_five_meters_of_m_bus_on_a_known_line_are_found_within_ten_seconds() -> None:
    """A selection that nobody answers costs a third of a second at 2400 baud, and most are such."""
    outcomes = [scan(bus, Limits(line=bus.line), ["mbus"]) for bus in buses(0, 40, "mbus", faulty=False)]
    assert [outcome.missed for outcome in outcomes if outcome.missed] == []
    assert statistics.median(outcome.last_s for outcome in outcomes) <= KNOWN_LINE_S


@pytest.mark.parametrize("protocol", ["dlt645", "dlt645-1997"])
def test_an_empty_part_of_the_numbers_costs_no_more_than_the_quickest_meter_needs(protocol: str) -> None:
    """A hundred parts are asked, whoever answers in them."""
    outcomes = [scan(bus, Limits(line=bus.line), [protocol]) for bus in buses(40, 9, protocol, faulty=False)]
    assert statistics.median(outcome.last_s for outcome in outcomes) <= 35.0


def test_nothing_is_sent_on_the_line_of_another_master() -> None:
    mastered = [outcome for outcome in outcomes(faulty=True) if outcome.bus.has_foreign_master]
    assert mastered
    for outcome in mastered:
        assert outcome.result.octets_sent == 0
        assert outcome.result.ending is Ending.NOT_OURS
