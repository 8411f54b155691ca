"""Who is on an M-Bus line that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bridge.simulator.field.wire import Wire
from bridge.simulator.training.drawing import random_bus
from bridge.simulator.training.playing import wire_of
from protocols.mbus import PROTOCOL, secondary
from protocols.mbus.link import Message
from protocols.mbus.records import Record
from protocols.mbus.scanning import SCANNING, addressed, search
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import DIALECT, SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Scope
from tests.support.searching import Outcome, searched

LINE = LineSettings(2400, 8, "E", 1)
ENERGY = Record((0x06,), 0xC, bytes.fromhex("91370000"))
METER = Secondary("06855817", "KAM", 8, 4)


def meter(number: int, address: Secondary, **others: int) -> SimulatedMeter:
    return SimulatedMeter(number, [[ENERGY]], secondary=address, **others)


class Old(SimulatedMeter):
    """A meter that knows no selection."""

    def _select(self, message: object) -> bytes | None:
        return None


def wire_with(*meters: SimulatedMeter) -> Wire:
    """A wire with these meters, of which several may have one primary address."""
    concerns: Callable[[Frame, int | str], bool] = lambda request, key: DIALECT.concerns(  # noqa: E731
        request, meters[int(key)].address
    )
    units = dict(enumerate(meters))
    return Wire(units, LINE, dialect=replace(DIALECT, concerns=concerns), turn_around_s=0.03)


def found(wire: Wire, addresses: Sequence[str] = ()) -> Outcome:
    return searched(wire, search(Scope(LINE, tuple(addresses))), LINE)


def test_a_line_without_meters_costs_two_requests() -> None:
    outcome = found(wire_with())
    assert (outcome.finds, len(outcome.probes)) == ([], 2)
    assert outcome.seconds < 1.0


def test_a_meter_says_who_it_is_and_confirms_it() -> None:
    outcome = found(wire_with(meter(5, METER)))
    first, find = outcome.finds
    assert (first.address, first.evidence, first.confidence) == ("06855817", Evidence.ANSWERS, None)
    assert (find.protocol, find.address, find.evidence) == ("mbus", "06855817", Evidence.IDENTIFIED)
    assert find.identity == {
        "maker": "KAM",
        "serial": "06855817",
        "version": "8",
        "type": "Heat: Outlet",
    }
    assert PROTOCOL.settings(find.keys).secondary == Secondary("06855817")
    assert [probe.request.summary for probe in outcome.probes] == [
        "selection of ffffffff",
        "meter 253: data",
        "selection of 06855817.KAM.8.4",
    ]


def test_a_meter_that_is_selected_by_its_digits_alone_is_read_again() -> None:
    class DigitsAlone(SimulatedMeter):
        def _select(self, message: Message) -> bytes | None:
            is_whole = secondary.parse(message.data).manufacturer != ""
            return None if is_whole else super()._select(message)

    (find,) = found(wire_with(DigitsAlone(5, [[ENERGY]], secondary=METER))).last_finds
    assert (find.address, find.evidence) == ("06855817", Evidence.IDENTIFIED)


def test_a_meter_that_falls_silent_after_one_telegram_is_told_of_and_not_claimed() -> None:
    class Once(SimulatedMeter):
        def answer(self, request: Frame) -> bytes | None:
            reply = None if self.is_done else super().answer(request)
            self.is_done = self.is_done or len(reply or b"") > 1
            return reply

        is_done = False

    outcome = found(wire_with(Once(5, [[ENERGY]], secondary=METER), meter(6, replace(METER, id="11111111"))))
    assert [(find.address, find.evidence) for find in outcome.finds] == [
        ("06855817", Evidence.ANSWERS),
        ("11111111", Evidence.ANSWERS),
        ("06855817", Evidence.ANSWERS),
        ("11111111", Evidence.IDENTIFIED),
    ]


def test_all_meters_are_told_of_before_any_is_asked_to_confirm_itself() -> None:
    addresses = [replace(METER, id=f"{number:08}") for number in (1, 2, 3)]
    outcome = found(wire_with(*(meter(number, address) for number, address in enumerate(addresses))))
    assert [find.evidence for find in outcome.finds] == [Evidence.ANSWERS] * 3 + [Evidence.IDENTIFIED] * 3


def test_meters_of_one_primary_address_are_all_found_by_their_numbers() -> None:
    addresses = [replace(METER, id=f"{number:08}") for number in (123, 124, 125, 70000000)]
    outcome = found(wire_with(*(meter(0, address) for address in addresses)))
    assert {find.address for find in outcome.finds} == {address.id for address in addresses}
    assert all(find.evidence is Evidence.IDENTIFIED for find in outcome.last_finds)
    assert sum("only by its id" in find.reasons[1] for find in outcome.last_finds) == 4


def test_meters_with_one_number_get_keys_that_tell_them_apart() -> None:
    outcome = found(wire_with(meter(1, METER), meter(2, replace(METER, medium=7))))
    settings = [PROTOCOL.settings(find.keys) for find in outcome.last_finds]
    assert {each.address for each in settings} == {"06855817.KAM.8.4", "06855817.KAM.8.7"}
    assert {find.address for find in outcome.finds} == {each.address for each in settings}


def test_two_meters_with_one_secondary_address_are_told_as_such() -> None:
    (find,) = found(wire_with(meter(1, METER), meter(2, METER))).finds
    assert find.evidence is Evidence.GARBLED
    assert "two meters" in find.reasons[0]


def test_two_meters_on_one_primary_address_are_told_as_such() -> None:
    other = replace(METER, id="11111111")
    finds = found(wire_with(meter(7, METER), meter(7, other), meter(9, METER)), addressed("5-9")).finds
    assert [(find.address, find.evidence) for find in finds] == [
        ("7", Evidence.GARBLED),
        ("9", Evidence.IDENTIFIED),
    ]
    assert "labels" in finds[0].reasons[0]


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_noise_is_no_meter_at_any_address(share: float) -> None:
    """At a host that listens four times too fast, an octet of noise is many."""
    fast_line = replace(LINE, baudrate=4 * LINE.baudrate)
    for seed in range(5):
        wire = Wire({}, LINE, dialect=DIALECT, seed=seed)
        wire.line_faults.noise = share
        assert searched(wire, search(Scope(fast_line, addressed("0-250"))), fast_line).finds == []


def test_old_meters_without_selection_are_found_by_their_primary_addresses() -> None:
    outcome = found(wire_with(Old(3, [[ENERGY]], secondary=METER), Old(140, [[ENERGY]], secondary=METER)))
    assert [(find.address, find.keys) for find in outcome.finds] == [
        ("3", {"address": 3}),
        ("140", {"address": 140}),
    ]


def test_a_refusal_is_no_claim() -> None:
    (find,) = found(wire_with(meter(3, METER, refuses=8)), ("3",)).finds
    assert (find.evidence, find.reasons) == (Evidence.REFUSES, ("it refuses: Application busy",))


def test_every_meter_of_random_buses_is_found_and_none_that_is_not_there() -> None:
    buses = [random_bus(seed, protocol="mbus") for seed in range(40)]
    for bus in (bus for bus in buses if bus.is_healthy):
        outcome = searched(wire_of(bus, lambda: 0.0), search(Scope(bus.line)), bus.line)
        serials = {device.serial.partition(".")[0] for device in bus.devices}
        assert {find.address for find in outcome.finds} == serials
        assert all(find.evidence is Evidence.IDENTIFIED for find in outcome.last_finds)


def test_wiring_faults_lead_to_no_claim_of_a_meter_that_is_not_there() -> None:
    buses = [random_bus(seed, protocol="mbus") for seed in range(120)]
    for bus in (bus for bus in buses if not bus.is_healthy and not bus.has_foreign_master):
        outcome = searched(wire_of(bus, lambda: 0.0), search(Scope(bus.line)), bus.line)
        serials = {device.serial.partition(".")[0] for device in bus.devices}
        claimed = {find.address for find in outcome.finds if find.evidence is Evidence.IDENTIFIED}
        assert claimed <= serials, bus


def test_the_likeliest_line_comes_first() -> None:
    assert SCANNING.lines[0] == LINE
    assert addressed("1-3,7") == ("1", "2", "3", "7")
    with pytest.raises(ValueError, match="0–250"):
        addressed("251")
