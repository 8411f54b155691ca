"""Readings of a JBD battery from a line that belongs to a foreign master."""

from __future__ import annotations

import pytest

from protocols.jbd_bms import PROTOCOL
from protocols.jbd_bms import frame as frames
from protocols.jbd_bms.device import SimulatedBms
from protocols.jbd_bms.overhearing import BmsOverhearer
from tests.protocols.foreign_line import ForeignLine, heard, overheard

READ_BASIC = frames.build(frames.Request(frames.READ, 3))
READ_CELLS = frames.build(frames.Request(frames.READ, 4))
CELLS = frames.build(frames.Reply(4, frames.DONE, bytes.fromhex("0CE4 0CE5 FFFF")))
CELL_VALUES = {"cell_voltage_1": 3.3, "cell_voltage_2": 3.301}


def overhearer(*values: str) -> BmsOverhearer:
    return BmsOverhearer([PROTOCOL.settings({"values": list(values)})])


def test_a_register_and_its_reply_are_a_reading() -> None:
    own = overhearer("cell_voltages", "voltage")
    (one,) = heard(own, frames.StreamFramer(), (0.0, READ_CELLS), (0.1, CELLS))
    assert (one.sensor, one.values) == (0, CELL_VALUES)
    assert own.unread() == [{"voltage": "register 03"}]


@pytest.mark.parametrize(
    "octets",
    [
        [(0.0, CELLS)],
        [(0.0, READ_BASIC), (0.1, CELLS)],
        [(0.0, READ_CELLS), (5.2, CELLS)],
        [(0.0, READ_CELLS), (0.1, frames.build(frames.Reply(4, frames.REFUSED))), (0.2, CELLS)],
        [(0.0, frames.build(frames.Request(frames.WRITE, 4, b"\0\1"))), (0.1, CELLS)],
    ],
    ids=["alone", "another register", "too late", "refused", "written"],
)
def test_a_reply_without_its_request_is_nothing(octets: list[tuple[float, bytes]]) -> None:
    own = overhearer("cell_voltages")
    assert heard(own, frames.StreamFramer(), *octets) == []
    assert own.unread() == [{"cell_voltages": "register 04"}]


@pytest.mark.parametrize("seed", range(4))
def test_no_value_is_wrong(seed: int) -> None:
    words = b"".join((3000 + at).to_bytes(2, "big") for at in range(8))
    bms = SimulatedBms({4: words, 5: b"NAME"})
    name = frames.build(frames.Request(frames.READ, 5))
    line = ForeignLine(frames.StreamFramer, bms.answer, [[READ_CELLS, name], [READ_BASIC]], seed)
    right = {f"cell_voltage_{at + 1}": 3 + at / 1000 for at in range(8)}
    values = [one.values for one in overheard(overhearer("cell_voltages", "hardware"), line, 1000)]
    assert all(each in (right, {"hardware": "NAME"}) for each in values)
    assert len(values) > 800
