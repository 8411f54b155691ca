"""Honeywell HPM series: what each version's reports mean, and the datasheet's examples."""

from __future__ import annotations

import pytest

from protocols.hpma import HPMA115C0, HPMA115S0, StreamFramer
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.protocol import Protocol
from protocols.toolkit.pushing import Telegram
from tests.protocols.vectors import good_frames

both = pytest.mark.parametrize("entry", [HPMA115S0, HPMA115C0], ids=["standard", "compact"])


def found(digits: str) -> Frame:
    (frame,) = StreamFramer().feed(bytes.fromhex(digits))
    assert isinstance(frame, Frame)
    return frame


def report(words: list[int]) -> Frame:
    octets = bytes.fromhex("424d001c") + b"".join(
        word.to_bytes(2, "big") for word in words + [0] * (13 - len(words))
    )
    return found((octets + sum(octets).to_bytes(2, "big")).hex())


def heard(entry: Protocol, frame: Frame) -> list[Telegram]:
    return list(entry.listener().telegrams(frame))


def test_a_report_means_what_its_version_says() -> None:
    masses = {"pm2_5": 300, "pm10": 400}
    assert heard(HPMA115S0, report([0, 300, 400])) == [Telegram("", masses)]
    masses = {"pm1_0": 200, "pm2_5": 300, "pm4_0": 350, "pm10": 400}
    assert heard(HPMA115C0, report([200, 300, 350, 400])) == [Telegram("", masses)]


@both
@pytest.mark.parametrize(
    ("digits", "masses"),
    [  # examples of the datasheet, tables 4 and 6
        ("4005040030003156", {"pm2_5": 48, "pm10": 49}),
        ("400d04003000310032003300000000e9", {"pm1_0": 48, "pm2_5": 49, "pm4_0": 50, "pm10": 51}),
    ],
)
def test_a_reply_tells_its_version_itself(entry: Protocol, digits: str, masses: dict[str, int]) -> None:
    assert heard(entry, found(digits)) == [Telegram("", masses)]


@both
def test_a_sensor_that_is_starting_up_tells_nothing(entry: Protocol) -> None:
    assert heard(entry, report([])) == [Telegram("", {})]


@both
@pytest.mark.parametrize("digits", ["68010493", "680208642a", "68012077", "68014057", "400210644a"])
def test_commands_bring_no_values(entry: Protocol, digits: str) -> None:
    frame = found(digits)
    assert (frame.direction is Direction.REQUEST) == digits.startswith("68")
    assert heard(entry, frame) == []


@both
def test_what_is_described_is_what_is_heard(entry: Protocol) -> None:
    describe = entry.describer()
    for data in good_frames("honeywell-hpma"):
        for telegram in heard(entry, found(data.hex())):
            assert telegram.values.items() <= describe(found(data.hex())).items()


def test_each_version_has_its_values() -> None:
    standard_keys, compact_keys = (each.settings({}) for each in (HPMA115S0, HPMA115C0))
    assert list(standard_keys.units) == ["pm2_5", "pm10"]
    assert list(compact_keys.units) == ["pm1_0", "pm2_5", "pm4_0", "pm10"]
