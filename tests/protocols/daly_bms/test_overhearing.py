"""Readings of a Daly battery from a line that belongs to a foreign master."""

from __future__ import annotations

import pytest

from protocols.daly_bms import PROTOCOL
from protocols.daly_bms import frame as frames
from protocols.daly_bms.device import SimulatedBms
from protocols.daly_bms.overhearing import BmsOverhearer
from tests.protocols.foreign_line import ForeignLine, heard, overheard

SUMMARY = bytes.fromhex("0203 0000 7530 0339")


def overhearer(*values: str) -> BmsOverhearer:
    return BmsOverhearer([PROTOCOL.settings({"values": list(values)})])


def asked(command: int) -> bytes:
    return frames.build(frames.COMPUTER, command)


def replied(command: int, data: bytes) -> bytes:
    return frames.build(frames.BMS, command, data)


def cells(number: int) -> bytes:
    """Return the frame of a block with this number from 1; each cell holds its own number."""
    first = 3 * number - 2
    words = b"".join(at.to_bytes(2, "big") for at in range(first, first + 3))
    return replied(0x95, bytes((number,)) + words + b"\0")


NUMBERS = (asked(0x94), replied(0x94, bytes((7, 2, 0, 0, 0, 0, 9, 0))))


def listen(own: BmsOverhearer, *messages: bytes) -> list[dict[str, object]]:
    octets = [(0.1 * at, data) for at, data in enumerate(messages)]
    return [dict(one.values) for one in heard(own, frames.StreamFramer(), *octets)]


def test_values_come_with_their_command() -> None:
    own = overhearer("voltage", "cell_voltages", "operation")
    assert listen(own, asked(0x90), replied(0x90, SUMMARY)) == [{"voltage": 51.5}]
    assert own.unread() == [{"cell_voltages": "command 95", "operation": "command 93"}]
    assert listen(own, replied(0x90, SUMMARY)) == []
    assert listen(own, asked(0x91), replied(0x90, SUMMARY)) == []


def test_a_block_is_a_reading_when_it_is_whole() -> None:
    values = listen(overhearer("cell_voltages"), *NUMBERS, asked(0x95), cells(1), cells(2), cells(3))
    assert values == [{f"cell_voltage_{at}": at / 1000 for at in range(1, 8)}]


@pytest.mark.parametrize(
    "messages",
    [
        [asked(0x95), cells(1), cells(2), cells(3)],
        [*NUMBERS, asked(0x95), cells(1), cells(3), cells(3)],
        [*NUMBERS, asked(0x95), cells(2), cells(3), cells(4)],
        [*NUMBERS, asked(0x95), cells(1), b"\xa5", cells(2), cells(3)],
        [*NUMBERS, asked(0x95), cells(1)[:5], cells(1), cells(2), cells(3)],
        [*NUMBERS, asked(0x95), asked(0x95), cells(1), cells(2), cells(3)],
        [*NUMBERS, asked(0x95), cells(1), asked(0x90), cells(2), cells(3)],
    ],
    ids=["numbers unknown", "one left out", "the first left out", "noise", "cut", "retry", "interrupted"],
)
def test_a_block_that_may_be_torn_is_nothing(messages: list[bytes]) -> None:
    assert listen(overhearer("cell_voltages"), *messages) == []


def test_the_block_after_a_doubtful_one_is_a_reading() -> None:
    own = overhearer("cell_voltages")
    block = (asked(0x95), cells(1), cells(2), cells(3))
    assert listen(own, *block) == [], "the numbers are not known yet"
    assert len(listen(own, *NUMBERS, *block, *block)) == 2


@pytest.mark.parametrize("seed", range(4))
def test_no_value_is_wrong(seed: int) -> None:
    replies = {0x94: [bytes((7, 2, 0, 0, 0, 0, 9, 0))], 0x90: [SUMMARY]}
    replies[0x95] = [cells(number)[4:12] for number in range(1, 17)]
    dialogues = [[asked(0x94), asked(0x95)], [asked(0x90)]]
    line = ForeignLine(frames.StreamFramer, SimulatedBms(replies).answer, dialogues, seed)
    right = {"voltage": 51.5, "cycles": 9} | {f"cell_voltage_{at}": at / 1000 for at in range(1, 8)}
    values = [one.values for one in overheard(overhearer("voltage", "cycles", "cell_voltages"), line, 1000)]
    assert all(each.items() <= right.items() for each in values)
    assert sum("cell_voltage_7" in each for each in values) > 250
    assert len(values) > 1000
