"""What a simulated line knows of each protocol: whom a request concerns, and how its faults spoil a reply."""

from __future__ import annotations

import pytest

from bridge.simulator.field.bus import Unit
from protocols.dlt645 import frame as dlt645
from protocols.dlt645.simulation import DIALECT as DLT645
from protocols.dlt645.simulation import SimulatedMeter
from protocols.mbus import link as mbus
from protocols.mbus.records import Record
from protocols.mbus.simulation import DIALECT as MBUS
from protocols.mbus.simulation import SimulatedMeter as SimulatedMbusMeter
from protocols.modbus import ascii as modbus_ascii
from protocols.modbus import serial_line
from protocols.modbus.simulation import MODBUS_ASCII, MODBUS_RTU, SimulatedUnit
from protocols.shdlc import frame as shdlc
from protocols.shdlc.models import MODELS
from protocols.shdlc.simulation import DIALECT as SHDLC
from protocols.shdlc.simulation import SimulatedSensor
from protocols.toolkit.framing import Frame, Framer, Noise
from protocols.toolkit.simulation import Address, Dialect

METER = "002311905387"
READ = bytes.fromhex("0300000001")
DIALECTS = [
    pytest.param(
        MODBUS_RTU,
        SimulatedUnit(7, holding={0: 5}),
        7,
        serial_line.adu(7, READ),
        serial_line.StreamFramer,
        id="modbus-rtu",
    ),
    pytest.param(
        MODBUS_ASCII,
        SimulatedUnit(7, holding={0: 5}, carrier=modbus_ascii.ASCII),
        7,
        modbus_ascii.adu(7, READ),
        modbus_ascii.StreamFramer,
        id="modbus-ascii",
    ),
    pytest.param(
        DLT645,
        SimulatedMeter(METER, {"02010100": b"\x05\x23"}),
        METER,
        dlt645.build(dlt645.Message(METER, dlt645.READ_DATA, b"\x00\x01\x01\x02")),
        dlt645.StreamFramer,
        id="dlt645",
    ),
    pytest.param(
        MBUS,
        SimulatedMbusMeter(7, [[Record((0x03,), 1, b"\x05")]]),
        7,
        mbus.build(mbus.Message(mbus.REQ_UD2, 7)),
        mbus.StreamFramer,
        id="mbus",
    ),
    pytest.param(
        SHDLC,
        SimulatedSensor(MODELS["sps30"], address=7),
        7,
        shdlc.build(shdlc.Mosi(7, 0xD0, b"\x03")),
        shdlc.StreamFramer,
        id="shdlc",
    ),
]


def heard(framer: Framer, data: bytes) -> Frame:
    (frame,) = [*framer.feed(data), *framer.silence()]
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(("dialect", "unit", "address", "question", "replies"), DIALECTS)
def test_a_dialect_plays_its_protocol(
    dialect: Dialect, unit: Unit, address: Address, question: bytes, replies: type[Framer]
) -> None:
    asked = heard(dialect.framer(), question)
    assert dialect.address(asked) == address
    assert dialect.concerns(asked, address)
    assert not dialect.concerns(asked, 8 if isinstance(address, int) else "123456789012")
    data = unit.answer(asked)
    assert data is not None
    reply = heard(replies(), data)
    assert dialect.address(heard(replies(), dialect.misaddressed(reply))) != address
    assert dialect.address(heard(replies(), dialect.refused(asked, 2))) == address
    framer = replies()
    spoiled = dialect.damaged(data)
    events = [*framer.feed(spoiled), *framer.silence()]
    assert all(isinstance(event, Noise) for event in events)
    assert "checksum" in {event.reason for event in events if isinstance(event, Noise)}


def test_a_broadcast_and_an_address_of_any_digits_concern_every_sensor() -> None:
    assert MODBUS_RTU.concerns(Frame(serial_line.adu(0, READ)), 7)
    asked = dlt645.build(dlt645.Message(dlt645.ANY_ADDRESS, dlt645.READ_ADDRESS))
    assert DLT645.concerns(Frame(asked), METER)
