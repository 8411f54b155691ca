"""Readings of DL/T 645 meters from a line that belongs to a foreign master."""

from __future__ import annotations

import pytest

from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.dlt645.frame import MORE_FOLLOW, REFUSED, REPLY, Message, StreamFramer, build
from protocols.dlt645.overhearing import MeterOverhearer
from protocols.dlt645.settings import parse_settings
from protocols.dlt645.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from tests.protocols.foreign_line import ForeignLine, heard, overheard

METER, OTHER = "002311905387", "002311905388"
NAMES = ["voltage_a", "current_a", "energy_import"]
EDITIONS = pytest.mark.parametrize("edition", [DLT645_2007, DLT645_1997], ids=["2007", "1997"])


def overhearer(edition: Edition = DLT645_2007, *addresses: str) -> MeterOverhearer:
    keys = [{"address": each, "values": NAMES} for each in addresses or (METER,)]
    return MeterOverhearer([parse_settings(each, edition) for each in keys], edition)


def read(name: str, edition: Edition = DLT645_2007, address: str = METER) -> bytes:
    return build(Message(address, edition.read, edition.items[name].identifier))


def follow(name: str, part: int, edition: Edition = DLT645_2007, address: str = METER) -> bytes:
    number = bytes((part,)) if edition.has_part_numbers else b""
    return build(Message(address, edition.read_following, edition.items[name].identifier + number))


def reply(name: str, value: float, edition: Edition = DLT645_2007, address: str = METER) -> bytes:
    item = edition.items[name]
    return build(Message(address, edition.read | REPLY, item.identifier + item.encode(value)))


def part(name: str, octets: bytes, number: int, edition: Edition, *, more: bool = False) -> bytes:
    """A part of a value, from 0."""
    function = edition.read_following if number else edition.read
    tail = bytes((number,)) if number and edition.has_part_numbers else b""
    control = function | REPLY | (MORE_FOLLOW if more else 0)
    return build(Message(METER, control, edition.items[name].identifier + octets + tail))


def listen(own: MeterOverhearer, *frames: bytes) -> list[Overheard]:
    return heard(own, StreamFramer(), *((0.1 * at, data) for at, data in enumerate(frames)))


@EDITIONS
def test_a_request_and_its_reply_are_a_reading(edition: Edition) -> None:
    own = overhearer(edition)
    (one,) = listen(own, read("current_a", edition), reply("current_a", 2.5, edition))
    assert one == Overheard(0, {"current_a": 2.5})
    assert [set(each) for each in own.unread()] == [{"voltage_a", "energy_import"}]


def test_what_was_never_asked_is_named_by_its_identifier() -> None:
    assert overhearer().unread()[0]["voltage_a"] == "identifier 02010100"


def test_the_only_meter_may_be_asked_without_its_address() -> None:
    own = overhearer(DLT645_2007, METER, OTHER)
    request = read("current_a", address="A" * 12)
    assert listen(own, request, reply("current_a", 2.5, address=OTHER)) == [Overheard(1, {"current_a": 2.5})]
    (one,) = listen(overhearer(DLT645_2007, "A" * 12), read("current_a"), reply("current_a", 2.5))
    assert one.values == {"current_a": 2.5}


@pytest.mark.parametrize(
    "frames",
    [
        [reply("current_a", 2.5)],
        [read("voltage_a"), reply("current_a", 2.5)],
        [read("current_a"), reply("current_a", 2.5, address=OTHER)],
        [read("current_a"), build(Message(METER, 0x11 | REPLY | REFUSED, b"\2")), reply("current_a", 2.5)],
        [read("current_a", address="9" * 12), reply("current_a", 2.5)],
    ],
    ids=["alone", "another identifier", "another meter", "refused", "to all"],
)
def test_a_reply_without_its_request_is_nothing(frames: list[bytes]) -> None:
    own = overhearer(DLT645_2007, METER, OTHER)
    assert listen(own, *frames) == []
    assert all(len(each) == len(NAMES) for each in own.unread())


@EDITIONS
def test_the_parts_of_a_value_are_joined(edition: Edition) -> None:
    name = "energy_import"
    frames = [
        read(name, edition),
        part(name, b"\x78\x56", 0, edition, more=True),
        follow(name, 1, edition),
        part(name, b"\x34\x12", 1, edition),
    ]
    assert listen(overhearer(edition), *frames) == [Overheard(0, {name: 123456.78})]


@EDITIONS
@pytest.mark.parametrize("fault", ["noise", "retry", "other request", "first part asked twice"])
def test_a_value_whose_parts_may_be_of_two_readings_is_nothing(edition: Edition, fault: str) -> None:
    name = "energy_import"
    frames = [
        read(name, edition),
        part(name, b"\x78\x56", 0, edition, more=True),
        follow(name, 1, edition),
        part(name, b"\x34\x12", 1, edition),
    ]
    inserted = {
        "noise": (2, b"\x68\x00"),
        "retry": (3, follow(name, 1, edition)),
        "other request": (2, read("current_a", edition)),
        "first part asked twice": (0, read(name, edition)),
    }
    frames.insert(*inserted[fault])
    assert listen(overhearer(edition), *frames) == []


@EDITIONS
@pytest.mark.parametrize("seed", range(3))
def test_no_value_is_wrong(edition: Edition, seed: int) -> None:
    meters, right = [], []
    for number, address in enumerate((METER, OTHER), start=1):
        values = {"voltage_a": 220 + number, "current_a": 1.25 * number, "energy_import": 111111.11 * number}
        meter = SimulatedMeter(address, edition=edition, most=3)
        for name, value in values.items():
            meter.put(name, value)
        meters.append(meter)
        right.append(values)

    def answer(request: Frame) -> bytes | None:
        return next((octets for meter in meters if (octets := meter.answer(request))), None)

    dialogues = [
        [
            read("voltage_a", edition, address),
            read("current_a", edition, address),
            read("energy_import", edition, address),
            follow("energy_import", 1, edition, address),
        ]
        for address in (METER, OTHER)
    ]
    line = ForeignLine(StreamFramer, answer, dialogues, seed)
    count = 0
    for one in overheard(overhearer(edition, METER, OTHER), line, 1000):
        assert one.values.items() <= right[one.sensor].items()
        count += 1
    assert count > 2000
