"""Readings of IEC 62056-21 meters from a line that belongs to a foreign master."""

from __future__ import annotations

import pytest

from protocols.iec62056_21.frame import Identification, StreamFramer, acknowledgement, block, opening
from protocols.iec62056_21.overhearing import MeterOverhearer
from protocols.iec62056_21.settings import parse_settings
from protocols.iec62056_21.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from tests.protocols.foreign_line import ForeignLine, heard, overheard

MODES = pytest.mark.parametrize("baud_char", ["0", "A", "9"], ids=["mode C", "mode B", "mode A"])
OPENING = opening("1")
IDENTIFIED = Identification("ESY", "0", "Q3D").encoded
AGREED = acknowledgement("0")
READOUT = block("1.8.0(012345.67*kWh)\r\n32.7.0(230.5*V)\r\n")
SECOND = block("1.8.0(000002.00*kWh)\r\n")


def overhearer(*addresses: str) -> MeterOverhearer:
    keys = {"values": ["1.8.0", "voltage_l1", "C.1.0"]}
    return MeterOverhearer([parse_settings({"address": each} | keys) for each in addresses or ("1",)])


def listen(own: MeterOverhearer, *messages: bytes) -> list[Overheard]:
    return heard(own, StreamFramer(), *((float(at), data) for at, data in enumerate(messages)))


@pytest.mark.parametrize("address", ["1", ""], ids=["by its address", "alone"])
def test_a_readout_is_that_of_the_opening_before_it(address: str) -> None:
    own = overhearer(address)
    (one,) = listen(own, OPENING, IDENTIFIED, AGREED, READOUT)
    assert one == Overheard(0, {"1.8.0": 12345.67, "voltage_l1": 230.5})
    assert own.unread() == [{"C.1.0": f"meter {address}".strip()}]


def test_in_modes_a_and_b_nothing_is_acknowledged() -> None:
    for baud_char in "A9":
        identified = Identification("ESY", baud_char, "Q3D").encoded
        assert len(listen(overhearer(), OPENING, identified, READOUT)) == 1
        assert len(listen(overhearer(), OPENING, identified + READOUT)) == 1


def test_a_readout_behind_a_blank_line_is_one() -> None:
    telegram = Identification("ESY", "9", "Q3D").encoded + b"\r\n1.8.0(000002.00*kWh)\r\n!\r\n"
    (one,) = listen(overhearer(), OPENING, telegram)
    assert one.values == {"1.8.0": 2.0}
    assert listen(overhearer(), telegram) == []


@pytest.mark.parametrize(
    "messages",
    [
        [READOUT],
        [IDENTIFIED, AGREED, READOUT],
        [OPENING, READOUT],
        [OPENING, IDENTIFIED, READOUT],
        [OPENING, AGREED, READOUT],
        [OPENING, IDENTIFIED, b"\x06001\r\n", READOUT],
        [OPENING, IDENTIFIED, b"\x06001\r\n", b"\x01R1\x021.8.0()\x03\x5a", READOUT],
        [opening("2"), IDENTIFIED, AGREED, READOUT],
        [OPENING, opening("2"), IDENTIFIED, AGREED, READOUT],
        [OPENING, IDENTIFIED, AGREED, opening("2"), READOUT],
        [OPENING, b"/?2!", IDENTIFIED, AGREED, READOUT],
        [OPENING, IDENTIFIED, b"\xff", AGREED, READOUT],
        [OPENING, IDENTIFIED, AGREED, READOUT[:-1] + b"\0"],
        [OPENING, IDENTIFIED, AGREED, b"", b"", b"", b"", b"", b"", READOUT],
    ],
    ids=[
        "alone",
        "without opening",
        "without identification",
        "without acknowledgement",
        "acknowledged without identification",
        "programming",
        "a register",
        "another meter",
        "opened twice",
        "another opening",
        "broken opening",
        "noise",
        "wrong check",
        "too late",
    ],
)
def test_what_is_out_of_its_place_is_nothing(messages: list[bytes]) -> None:
    assert listen(overhearer(), *messages) == []


def test_a_late_identification_is_not_that_of_another_meter() -> None:
    own = overhearer("1", "2")
    listen(own, OPENING, IDENTIFIED, AGREED, READOUT)
    assert listen(own, OPENING, opening("2"), IDENTIFIED, AGREED, SECOND) == []


@MODES
@pytest.mark.parametrize("seed", range(3))
def test_no_value_is_wrong(baud_char: str, seed: int) -> None:
    meters = [
        SimulatedMeter(Identification("ESY", baud_char, "Q3D"), {"1.8.0": f"{number:08}.00*kWh"}, str(number))
        for number in (1, 2, 3)
    ]
    for meter in meters:
        meter.fastest = 19200

    def answer(frame: Frame) -> bytes | None:
        return b"".join(data for meter in meters for _, data in meter.answer(frame)) or None

    agreed = [AGREED] if baud_char == "0" else []
    dialogues = [[opening(str(number)), *agreed] for number in (1, 2, 3)]
    line = ForeignLine(StreamFramer, answer, dialogues, seed, pause_s=5.0)
    count = 0
    for one in overheard(overhearer("1", "2", "3"), line, 600):
        assert one.values == {"1.8.0": float(one.sensor + 1)}
        count += 1
    assert count > 350
