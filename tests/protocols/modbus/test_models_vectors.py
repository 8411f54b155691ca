"""Every model that ships proves itself: its vectors are replayed, and they leave no register out."""

from __future__ import annotations

import pytest

from protocols import load
from protocols.modbus import models
from protocols.modbus.models.vectors import Vector
from protocols.modbus.registers import Register, Table
from protocols.toolkit.framing import Direction, Frame
from tests.protocols.vectors import hear, single

MODBUS = load("modbus-rtu")
VECTORS = [
    pytest.param(name, vector, id=f"{name}-{number}")
    for name in models.names()
    for number, vector in enumerate(models.load(name).vectors, 1)
]
WITH_INVALID = [
    name for name in models.names() if any(register.invalid for register in models.load(name).registers)
]
SEEN = [  # models with a frame that somebody else wrote down
    "daly-bms",
    "dfrobot-sen0492",
    "dfrobot-sen0601",
    "dfrobot-sen0604",
    "eastron-sdm120",
    "eastron-sdm630",
    "peacefair-pzem017",
    "rs485-th",
    "seeed-soil-ec02",
    "waveshare-analog-8ch",
    "xy-md02",
]


@pytest.mark.parametrize(("name", "vector"), VECTORS)
def test_a_vector_reads_what_it_says(name: str, vector: Vector) -> None:
    describe = MODBUS.describer(name)
    for pieces in ([vector.request, vector.reply], single(vector.request + vector.reply)):
        frames = hear(MODBUS, pieces)
        assert frames == [Frame(vector.request, Direction.REQUEST), Frame(vector.reply, Direction.REPLY)]
        assert [describe(frame).get("values") for frame in frames if isinstance(frame, Frame)] == [
            None,
            vector.values,
        ]
    assert vector.differences(models.load(name).registers) == []


@pytest.mark.parametrize("name", models.names())
def test_the_vectors_of_a_model_leave_no_register_out(name: str) -> None:
    model = models.load(name)
    proven = {key for vector in model.vectors for key in vector.values}
    assert proven == {register.name for register in model.registers}


@pytest.mark.parametrize("name", WITH_INVALID)
def test_what_means_no_value_is_shown_by_a_vector(name: str) -> None:
    model = models.load(name)
    assert any(_left_out(vector, register) for vector in model.vectors for register in model.registers)


def test_frames_that_somebody_else_wrote_down_are_used_where_they_are_known() -> None:
    names = {
        name for name in models.names() if any(not vector.synthesised for vector in models.load(name).vectors)
    }
    assert names >= set(SEEN)


def test_a_difference_is_told_in_either_direction() -> None:
    registers = [
        Register(name="a", table=Table.INPUT, start=1),
        Register(name="b", table=Table.INPUT, start=2),
    ]
    request, reply = bytes.fromhex("010400010002200b"), bytes.fromhex("010404013102222ace")
    assert Vector("", request, reply, {"a": 305, "b": 546}).differences(registers) == []
    assert Vector("", request, reply, {"a": 306, "c": 1}).differences(registers) == [
        "a reads 305, the vector says 306",
        "c reads no value, the vector says 1",
        "b reads 546, the vector says no value",
    ]


def _left_out(vector: Vector, register: Register) -> bool:
    """Return whether the vector's request asks for this register and its reply has no value of it."""
    start, quantity = (int.from_bytes(vector.request[at : at + 2]) for at in (2, 4))
    return (
        bool(register.invalid)
        and register.table.function == vector.request[1]
        and start <= register.start < start + quantity
        and register.name not in vector.values
    )
