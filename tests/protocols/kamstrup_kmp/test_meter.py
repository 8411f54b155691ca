"""Kamstrup KMP: the registers of a meter asked, eight at a time, their units, stuffing and keys."""

from __future__ import annotations

import pytest

from protocols.kamstrup_kmp import KEYS, PROTOCOL
from protocols.kamstrup_kmp.frame import MAX_LENGTH, StreamFramer, build
from protocols.kamstrup_kmp.meter import Meter, SimulatedMeter, describe
from protocols.kamstrup_kmp.quantities import QUANTITIES
from protocols.kamstrup_kmp.registers import Register
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Values

LINE = LineSettings(1200, 8, "N", 2)
REGISTERS = {
    60: Register(3, 12345, -3),  # MWh
    68: Register(40, 5821, -2),  # m³
    74: Register(41, 128, 0),  # l/h
    80: Register(22, 64, -1),  # kW
    86: Register(37, 6413, -2),
    87: Register(37, -250, -2),
    89: Register(38, 6663, -2),
    99: Register(51, 0, 0),
}
VALUES: Values = {
    "energy": 12345000,
    "volume": 58.21,
    "volume_flow": 0.128,
    "power": 6400,
    "flow_temperature": 64.13,
    "return_temperature": -2.5,
    "temperature_difference": 66.63,
    "info_code": 0,
}


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def polled(registers: dict[int, Register], **keys: object) -> Values:
    poll = Meter([KEYS.parse(keys)], LINE).poll()
    meter = SimulatedMeter(registers)
    request = next(poll)
    while True:
        reply = meter.answer(heard(request.data))
        assert reply is not None
        assert request.accepts(heard(reply))
        assert not request.accepts(heard(request.data))
        try:
            request = poll.send(heard(reply))
        except StopIteration as over:
            values: Values = over.value.values[0]
            return values


def test_a_heat_meter_is_read_in_one_request() -> None:
    assert len(Meter([KEYS.parse({})], LINE).planned()) == 1
    assert polled(REGISTERS) == VALUES


def test_each_unit_of_a_quantity_is_brought_to_one() -> None:
    assert polled({60: Register(2, 71, 0)}, values=["energy"]) == {"energy": 71000}
    assert polled({60: Register(8, 4218, -2)}, values=["energy"]) == {"energy_joule": 42180000000}
    assert polled({68: Register(55, 7, 0)}, values=["volume"]) == {"volume": 70}
    assert polled({68: Register(37, 7, 0)}, values=["volume"]) == {}, "a volume in °C"
    assert polled({68: Register(200, 7, 0)}, values=["volume"]) == {}, "a unit that nobody knows"
    units = PROTOCOL.settings({"values": ["energy", "power"]}).units
    assert units == {"energy": "Wh", "energy_joule": "J", "power": "W"}


def test_registers_that_a_meter_does_not_have_are_left_out() -> None:
    assert polled({74: REGISTERS[74]}) == {"volume_flow": 0.128}
    assert polled({}) == {}


def test_more_than_eight_registers_take_several_requests() -> None:
    requests = Meter([KEYS.parse({"values": list(QUANTITIES)})], LINE).planned()
    registers = [describe(heard(request.data))["registers"] for request in requests]
    assert [len(numbers) for numbers in registers] == [8, 8, 3]
    assert polled(REGISTERS, values=list(QUANTITIES)) == VALUES


def test_a_request_left_unanswered_costs_only_its_registers() -> None:
    poll = Meter([KEYS.parse({"values": list(QUANTITIES)})], LINE).poll()
    request = next(poll)
    reply = SimulatedMeter(REGISTERS).answer(heard(request.data))
    assert reply is not None
    poll.send(heard(reply))
    poll.send(None)
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert (over.value.value.values, over.value.value.complete) == ((VALUES,), False)


def test_a_reply_of_other_registers_is_not_taken() -> None:
    (request,) = Meter([KEYS.parse({"values": ["volume"]})], LINE).planned()
    (other,) = Meter([KEYS.parse({"values": ["power"]})], LINE).planned()
    reply = SimulatedMeter(REGISTERS).answer(heard(other.data))
    assert reply is not None
    assert not request.accepts(heard(reply))


@pytest.mark.parametrize("content", ["0044", "0044280042", "00442809420102030405060708 09", "004428044200"])
def test_registers_that_are_cut_or_too_long_answer_nothing(content: str) -> None:
    (request,) = Meter([KEYS.parse({"values": ["volume"]})], LINE).planned()
    frame = heard(build(0x40, b"\x3f\x10" + bytes.fromhex(content)))
    assert not request.accepts(frame)
    assert "values" not in describe(frame)


def test_every_octet_that_marks_a_frame_is_stuffed() -> None:
    content = b"\x3f\x10\x06\x0d\x1b\x40\x80"
    data = build(0x40, content)
    assert data.startswith(bytes.fromhex("40 3f10 1bf9 1bf2 1be4 1bbf 1b7f"))
    assert describe(heard(data))["data"] == "060d1b4080"


def test_what_never_ends_is_given_up_at_the_longest_frame() -> None:
    framer = StreamFramer()
    framer.feed(b"\x40" + b"\x01" * 2 * MAX_LENGTH)
    assert len(framer.pending) <= MAX_LENGTH
    good = build(0x40, b"\x3f\x01")
    assert Frame(good, heard(good).direction) in framer.feed(good)


def test_the_keys_of_a_meter() -> None:
    with pytest.raises(SettingsError, match=r'values\.0: unknown value "enrgy"; did you mean "energy"'):
        KEYS.parse({"values": ["enrgy"]})
    with pytest.raises(SettingsError, match=r'values\.1: "power" stands here twice'):
        KEYS.parse({"values": ["power", "power"]})
    with pytest.raises(SettingsError, match="values: the list is empty"):
        KEYS.parse({"values": []})
    with pytest.raises(SettingsError, match="value: unknown key; did you mean values"):
        KEYS.parse({"value": ["power"]})
