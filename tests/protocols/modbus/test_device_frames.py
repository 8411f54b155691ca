"""A request and its reply for registers of twelve devices, decoded by a register made of the vector's map."""

from __future__ import annotations

import pytest

from protocols import load
from protocols.modbus.register_keys import parse_registers
from protocols.modbus.registers import Register
from protocols.modbus.rtu import body
from protocols.toolkit.errors import Problem
from protocols.toolkit.framing import Direction, Frame
from tests.protocols.vector_file import Vector, files
from tests.protocols.vectors import hear, single

MODBUS = load("modbus-rtu")
FRAMES = files()["modbus_device_frames"].vectors
PAIRS = [pytest.param(a, b, id=b["id"]) for a, b in zip(FRAMES[::2], FRAMES[1::2], strict=True)]


def register_of(described: Vector, function: int) -> Register:
    entry = {{3: "holding", 4: "input"}[function]: described["start"], "type": described["type"]}
    if described["word_order"].startswith("little"):
        entry["order"] = "CDAB"
    scale = described["scale"]
    if scale < 1 and 1 / scale == round(1 / scale):
        entry["divide"] = round(1 / scale)
    elif scale != 1:
        entry["multiply"] = scale
    problems: list[Problem] = []
    (register,) = parse_registers({described["name"]: entry}, (), problems)
    assert problems == []
    return register


@pytest.mark.parametrize(("asked", "answered"), PAIRS)
def test_a_device_frame_is_decoded_as_its_map_says(asked: Vector, answered: Vector) -> None:
    request, reply = bytes.fromhex(asked["hex"]), bytes.fromhex(answered["hex"])
    for pieces in ([request, reply], single(request + reply)):
        heard = hear(MODBUS, pieces)
        assert heard == [Frame(request, Direction.REQUEST), Frame(reply, Direction.REPLY)]
    describe = MODBUS.describer()
    expected = asked["expected"]
    assert describe(Frame(request, Direction.REQUEST)) == expected
    register = register_of(answered["map"], expected["function"])
    assert register.words == expected["quantity"]
    value = register.value(body(Frame(reply))[2:])
    assert value == pytest.approx(answered["expected"]["value"], rel=1e-6)
