"""Every model in the three ways it is used: polled, overheard on the line of a foreign master, and decoded.

The device is one whose registers hold what the model's vectors say; it refuses what its limits forbid.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import pytest

from bridge.commands.decode.streams import run as decode
from protocols import load
from protocols.modbus import models
from protocols.modbus.device import ModbusDevice
from protocols.modbus.models import Model
from protocols.modbus.models.vectors import Vector
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.modbus.pdu import reply_data
from protocols.modbus.registers import Table, octets_of
from protocols.modbus.rtu import RequestFramer, SimulatedUnit
from protocols.modbus.serial_line import StreamFramer, body
from protocols.modbus.settings import ModbusSettings
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.polling import LineSettings, PollResult, Values
from tests.protocols.vectors import frames

NAMES = models.names()
LINE = LineSettings(9600)
UNIT = 1
BETWEEN_S = 60.0  # so that no exchange can be mistaken for the one before


@pytest.mark.parametrize("name", NAMES)
def test_a_device_with_the_content_of_the_vectors_is_read_whole(name: str) -> None:
    model = models.load(name)
    unit, expected = device(model)
    result = poll(ModbusDevice([ModbusSettings(UNIT, model.registers, model.limits)], LINE), unit)
    (values,) = result.values
    assert expected
    assert {key: values.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", NAMES)
def test_its_exchanges_are_overheard_on_the_line_of_a_foreign_master(name: str) -> None:
    model = models.load(name)
    for number, vector in enumerate(model.vectors):
        settings = ModbusSettings(vector.request[0], model.registers, model.limits)
        assert overheard(settings, vector, number * BETWEEN_S) == vector.values


@pytest.mark.parametrize("name", NAMES)
def test_decode_reads_its_exchanges(name: str) -> None:
    vectors = models.load(name).vectors
    text = " ".join((vector.request + vector.reply).hex(" ") for vector in vectors)
    out = io.StringIO()
    assert decode(load("modbus-rtu"), text, name, True, io.StringIO(), out) == 0
    _, *replies = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [reply["fields"].get("values", {}) for reply in replies[::2]] == [
        dict(vector.values) for vector in vectors
    ]


def device(model: Model) -> tuple[SimulatedUnit, Values]:
    """Return a device with the content of the vectors, and the values that it then has."""
    unit = SimulatedUnit(UNIT, max_registers=model.limits.max_registers)
    expected: Values = {}
    for vector in model.vectors:
        table, content = _content(vector)
        held = _held(unit, table)
        if not content.keys() & held.keys():
            held.update(content)
            expected |= vector.values
    for register in model.registers:
        places = [(register.table, register.start, register.words)]
        places += [(*register.scale, 1)] if register.scale else []
        for table, start, words in places:
            for at in range(start, start + words):
                _held(unit, table).setdefault(at, 0)
    for table in Table:
        held = _held(unit, table)
        for at in range(min(held, default=0), max(held, default=-1) + 1):
            held.setdefault(at, 0)
    for table, span in model.limits.forbidden:
        unit.refuse |= {(table.key, at) for at in range(span.start, span.end)}
    return unit, expected


def poll(polled: ModbusDevice, unit: SimulatedUnit) -> PollResult:
    """Return the result of one poll of a device that answers everything it has."""
    dialogue = polled.poll(0.0)
    try:
        request = next(dialogue)
        while True:
            (asked,) = RequestFramer().feed(request.data)
            assert isinstance(asked, Frame)
            reply = unit.answer(asked)
            assert reply is not None
            (answer,) = frames(request.framer().feed(reply))
            request = dialogue.send(Frame(answer))
    except StopIteration as stop:
        result: PollResult = stop.value
        return result


def overheard(settings: ModbusSettings, vector: Vector, at_s: float) -> Values:
    """Return the values that a listener has of one exchange."""
    listener, framer = ModbusOverhearer([settings]), StreamFramer()
    values: list[Overheard] = []
    for delay_s, octets in ((0.0, vector.request), (0.1, vector.reply)):
        for event in (*framer.feed(octets), *framer.silence()):
            values += listener.hear(event, at_s + delay_s, at_s + delay_s)
    return {key: value for one in values for key, value in one.values.items()}


def _held(unit: SimulatedUnit, table: Table) -> dict[int, int]:
    contents: Mapping[Table, dict[int, int]] = {
        Table.HOLDING: unit.holding,
        Table.INPUT: unit.input,
        Table.COIL: unit.coils,
        Table.DISCRETE: unit.discretes,
    }
    return contents[table]


def _content(vector: Vector) -> tuple[Table, dict[int, int]]:
    """Return the table of an exchange, and what each of its addresses holds."""
    table = next(table for table in Table if table.function == vector.request[1])
    start, quantity = (int.from_bytes(vector.request[at : at + 2]) for at in (2, 4))
    data = reply_data(body(Frame(vector.reply)))
    octets = (octets_of(table, data, at, 1) for at in range(quantity))
    return table, {start + at: int.from_bytes(word) for at, word in enumerate(octets)}
