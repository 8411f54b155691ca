"""Readings from a line that belongs to a foreign master."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from protocols.modbus import pdu
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.modbus.serial_line import StreamFramer, adu
from protocols.modbus.settings import parse_settings
from protocols.toolkit.framing import Event
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.polling import LineSettings
from tests.protocols.modbus.foreign_master import Line, content

REGISTERS = [*range(10), *range(20, 30), *range(40, 44), *range(60, 67)]


def overhearer(units: int = 1, registers: list[int] = REGISTERS) -> ModbusOverhearer:
    """Return an overhearer of so many units, whose registers are named r0, r1 …"""
    sensors = [
        parse_settings({"address": unit, "registers": {f"r{at}": {"holding": at} for at in registers}})
        for unit in range(1, units + 1)
    ]
    return ModbusOverhearer(sensors)


def read(unit: int, start: int, quantity: int) -> bytes:
    return adu(unit, pdu.REQUESTS[3].build(function=3, start=start, quantity=quantity))


def answer(unit: int, start: int, quantity: int) -> bytes:
    data = b"".join(content(unit, start + at).to_bytes(2, "big") for at in range(quantity))
    return adu(unit, pdu.REPLIES[3].build(function=3, data=data))


def heard(own: ModbusOverhearer, *octets: tuple[float, bytes]) -> list[Overheard]:
    """Return what is overheard of octets with their times."""
    framer, values = StreamFramer(), []
    for at_s, data in octets:
        for event in (*framer.feed(data), *framer.silence()):
            values += own.hear(event, at_s, at_s)
    return values


def names(values: list[Overheard]) -> list[list[str]]:
    return [list(one.values) for one in values]


def test_a_request_and_its_reply_are_a_reading() -> None:
    (one,) = heard(overhearer(), (0.0, read(1, 0, 3)), (0.1, answer(1, 0, 3)))
    assert one == Overheard(0, {"r0": content(1, 0), "r1": content(1, 1), "r2": content(1, 2)})


def test_a_reply_without_its_request_is_nothing() -> None:
    own = overhearer()
    assert heard(own, (0.0, answer(1, 0, 3))) == []
    assert own.pairing.unpaired["without its request"] == 1


def test_a_refusal_ends_the_pair() -> None:
    own = overhearer()
    heard(own, (0.0, read(1, 0, 3)), (0.1, adu(1, bytes((0x83, 2)))))
    assert heard(own, (0.2, answer(1, 0, 3))) == []


def test_a_late_reply_is_not_taken_for_that_to_another_request_of_its_length() -> None:
    own = overhearer()
    late = heard(own, (0.0, read(1, 0, 3)), (1.0, read(1, 20, 3)), (1.1, answer(1, 0, 3)))
    assert late == []
    assert heard(own, (1.2, answer(1, 20, 3))) == []


def test_a_late_reply_is_one_if_the_master_asks_for_one_thing_of_that_length() -> None:
    own = overhearer()
    late = heard(own, (0.0, read(1, 0, 3)), (1.0, read(1, 0, 3)), (1.1, answer(1, 0, 3)))
    assert names(late) == [["r0", "r1", "r2"]]


def test_a_reply_that_is_owed_is_forgotten_with_time() -> None:
    own = overhearer()
    heard(own, (0.0, read(1, 0, 3)), (1.0, read(1, 20, 3)))
    assert names(heard(own, (7.0, read(1, 20, 3)), (7.1, answer(1, 20, 3)))) == [["r20", "r21", "r22"]]


def test_a_reply_that_came_broken_is_owed_no_more() -> None:
    own = overhearer()
    cut = answer(1, 0, 3)[:7]
    values = heard(own, (0.0, read(1, 0, 3)), (0.1, cut), (0.5, read(1, 20, 3)), (0.6, answer(1, 20, 3)))
    assert names(values) == [["r20", "r21", "r22"]]


def test_after_noise_a_reply_may_be_that_to_a_request_that_broke() -> None:
    own = overhearer()
    broken = read(1, 20, 3)[:-1] + b"\0"
    heard(own, (0.0, read(1, 20, 3)), (0.1, answer(1, 20, 3)))
    assert heard(own, (1.0, read(1, 0, 3)), (2.0, broken), (2.1, answer(1, 20, 3))) == []


def test_noise_is_no_doubt_where_the_master_asks_for_one_thing() -> None:
    own = overhearer()
    values = heard(own, (0.0, read(1, 0, 3)), (0.05, b"\xff\x00"), (0.1, answer(1, 0, 3)))
    assert names(values) == [["r0", "r1", "r2"]]


def test_what_comes_long_after_its_request_is_nothing() -> None:
    assert heard(overhearer(), (0.0, read(1, 0, 3)), (5.1, answer(1, 0, 3))) == []


@pytest.mark.parametrize(
    ("body", "reply", "values"),
    [
        ("06 0003 1234", "06 0003 1234", {"r3": 0x1234}),
        ("10 0002 0002 04 0001 0002", "10 0002 0002", {"r2": 1, "r3": 2}),
    ],
)
def test_what_the_master_writes_is_a_value(body: str, reply: str, values: dict[str, int]) -> None:
    request = adu(1, bytes.fromhex(body))
    confirmed = heard(overhearer(), (0.0, request), (0.1, adu(1, bytes.fromhex(reply))))
    assert [one.values for one in confirmed] == [values]


def test_what_is_written_and_not_confirmed_is_no_value() -> None:
    assert heard(overhearer(), (0.0, adu(1, bytes.fromhex("06 0003 1234"))), (1.0, read(1, 0, 3))) == []


def test_what_is_written_to_all_is_no_value_of_one() -> None:
    written = adu(0, bytes.fromhex("06 0003 1234"))
    assert heard(overhearer(), (0.0, written), (0.1, written)) == []


def test_coils_that_are_written_are_values() -> None:
    own = ModbusOverhearer(
        [parse_settings({"address": 1, "registers": {f"c{at}": {"coil": at} for at in range(4)}})]
    )
    one = adu(1, bytes.fromhex("05 0001 FF00"))
    several = adu(1, bytes.fromhex("0F 0000 0004 01 05"))
    values = heard(own, (0.0, one), (0.1, one), (0.2, several), (0.3, adu(1, bytes.fromhex("0F 0000 0004"))))
    assert [each.values for each in values] == [
        {"c1": True},
        {"c0": True, "c1": False, "c2": True, "c3": False},
    ]


def test_a_scale_that_is_read_apart_is_applied() -> None:
    keys = {"power": {"holding": 0, "scale": {"holding": 5}}}
    own = ModbusOverhearer([parse_settings({"address": 1, "registers": keys})])
    scale = adu(1, pdu.REPLIES[3].build(function=3, data=b"\xff\xff"))
    value = adu(1, pdu.REPLIES[3].build(function=3, data=b"\x08\xfd\0\0"))
    first = heard(own, (0.0, read(1, 0, 2)), (0.1, value))
    assert first == [], "its scale is not known yet"
    values = heard(own, (0.2, read(1, 5, 1)), (0.3, scale), (0.4, read(1, 0, 2)), (0.5, value))
    assert [each.values for each in values] == [{"power": 230.1}]


def test_what_the_master_never_reads_is_listed() -> None:
    own = overhearer(registers=[0, 1, 50])
    heard(own, (0.0, read(1, 0, 3)), (0.1, answer(1, 0, 3)))
    assert own.unread() == [{"r50": "holding 50"}]


def events(line: Line, frames: int, seed: int) -> Iterator[tuple[Event, float, float]]:
    """Yield what a framer finds in pieces of any length, with the times of first and last octet."""
    framer, draw = StreamFramer(), random.Random(seed)
    settled = count = 0
    times: list[float] = []
    for at_s, data in line.heard(frames):
        per_octet = line.settings.duration_s(1)
        times += [at_s + per_octet * at for at in range(len(data))]
        found: list[Event] = []
        at = 0
        while at < len(data):
            size = draw.randrange(1, 40)
            found += framer.feed(data[at : at + size])
            at += size
        if draw.random() < 0.9:  # a busy machine does not see every silence
            found += framer.silence()
        for event in found:
            yield event, times[settled - count], times[settled - count + len(event.data) - 1]
            settled += len(event.data)
        if settled - count > 100_000:
            del times[: settled - count]
            count = settled


@pytest.mark.parametrize("baudrate", [9600, 115200])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_ever_under_a_wrong_key(baudrate: int, seed: int) -> None:
    line = Line(LineSettings(baudrate), seed)
    own = overhearer(line.units)
    values = 0
    for event, start_s, end_s in events(line, 5000, seed):
        for one in own.hear(event, start_s, end_s):
            values += 1
            assert all(
                value == content(one.sensor + 1, int(name.removeprefix("r")))
                for name, value in one.values.items()
            )
    assert values > line.replies * 0.6


def played(
    own: ModbusOverhearer, rounds: int, lost: int, cycle: list[bytes | float], shift: bool = False
) -> int:
    """A master that polls without end; one reply is lost, or comes late and shifts all that follow.

    Args:
        own: what listens.
        rounds: how often the cycle is played.
        lost: the round in which the first reply does not come.
        cycle: requests, each answered, and pauses in seconds.
        shift: it comes late, and from then on each reply is that to the request before.

    Returns:
        How many replies brought values, of the last half of the rounds; each value is checked.
    """
    framer, now, paired = StreamFramer(), 0.0, 0
    behind: bytes | None = None

    def hear(data: bytes) -> int:
        nonlocal now
        brought = 0
        for event in (*framer.feed(data), *framer.silence()):
            for one in own.hear(event, now, now + len(data) / 960):
                assert all(value == content(1, int(name[1:])) for name, value in one.values.items())
                brought += 1
        now += len(data) / 960
        return brought

    for number in range(rounds):
        is_lost = number == lost
        for step in cycle:
            if isinstance(step, float):
                now += step
                continue
            hear(step)
            reply = answer(1, step[3], step[5])
            if is_lost:
                is_lost, behind = False, reply if shift else None
                now += 0.5
                continue
            now += 0.02
            if behind is not None:
                behind, reply = reply, behind
            paired += hear(reply) * (number >= rounds // 2)
            now += 0.004
    return paired


TWO_ALIKE: list[bytes | float] = [read(1, 0, 10), read(1, 20, 10)]


@pytest.mark.parametrize(
    "cycle",
    [TWO_ALIKE, [*TWO_ALIKE, 0.5], [*TWO_ALIKE, read(1, 40, 4)]],
    ids=["nothing else", "a pause", "another kind"],
)
def test_a_lost_reply_costs_some_seconds_and_no_more(cycle: list[bytes | float]) -> None:
    own = overhearer()
    assert played(own, 200, 20, cycle) == 100 * sum(isinstance(step, bytes) for step in cycle)


@pytest.mark.parametrize(
    "cycle", [TWO_ALIKE, [read(1, 0, 5), read(1, 5, 5), read(1, 20, 5)]], ids=["two", "three"]
)
def test_a_unit_that_stays_one_reply_behind_is_never_believed(cycle: list[bytes | float]) -> None:
    own = overhearer()
    assert played(own, 400, 20, cycle, shift=True) == 0
    assert own.pairing.unpaired["may be another's"] > 300
