"""Modbus ASCII: what is particular to it, and the same frames as pymodbus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii
from pymodbus.pdu import DecodePDU

from protocols import load
from protocols.modbus.ascii import ASCII, RequestFramer, StreamFramer, adu, body, lrc, unit
from protocols.modbus.device import ModbusDevice
from protocols.modbus.settings import parse_settings
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Direction, Frame, Noise
from protocols.toolkit.polling import LineSettings, PollResult
from tests.protocols.vectors import good_frames

LINE = LineSettings.parse("9600 7E1")
REQUEST = adu(7, bytes.fromhex("0310000001"))
REPLY = adu(7, bytes.fromhex("0302fdde"))
units = st.integers(0, 255)
reads = st.tuples(st.sampled_from([1, 2, 3, 4]), st.integers(0, 0xFFFF), st.integers(1, 125))


@given(units, st.binary(min_size=1, max_size=253))
def test_frames_are_built_as_pymodbus_builds_them(address: int, pdu: bytes) -> None:
    foreign = FramerAscii(DecodePDU(False))
    assert adu(address, pdu) == foreign.encode(pdu, address, 0)
    assert lrc(bytes((address,)) + pdu) == FramerAscii.compute_LRC(bytes((address,)) + pdu)


@given(units, reads)
def test_frames_are_read_as_pymodbus_reads_them(address: int, read: tuple[int, int, int]) -> None:
    function, start, quantity = read
    asked = bytes((function,)) + start.to_bytes(2, "big") + quantity.to_bytes(2, "big")
    foreign = FramerAscii(DecodePDU(True))
    sent = foreign.encode(asked, address, 0)
    (heard,) = RequestFramer().feed(sent)
    assert isinstance(heard, Frame)
    assert (unit(heard), body(heard)) == (address, asked)
    assert foreign.decode(adu(address, asked)) == (len(sent), address, 0, asked)


@pytest.mark.parametrize("good", good_frames("modbus-ascii"))
def test_lower_case_digits_are_read(good: bytes) -> None:
    (heard,) = StreamFramer().feed(good.lower())
    assert isinstance(heard, Frame)
    assert heard.data == good.lower()
    assert load("modbus-ascii").describer()(heard)["address"] == int(good[1:3], 16)


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        (REPLY[:-4] + b"00\r\n", "checksum"),
        (REPLY.replace(b"FD", b"F"), "checksum"),
        (REPLY.replace(b"FD", b"FX"), "checksum"),
        (REPLY.replace(b"\r", b""), "checksum"),
        (adu(7, bytes.fromhex("0306fdde00ff")), "length"),
        (adu(7, bytes.fromhex("6402fdde")), "length"),
        (b"\x00\xff", "noise"),
        (REPLY[:-2], "cut"),
    ],
)
def test_what_is_no_frame_is_told_by_its_fault(heard: bytes, reason: str) -> None:
    framer = StreamFramer()
    assert [*framer.feed(heard), *framer.silence()] == [Noise(heard, reason)]


def test_a_colon_begins_a_frame_wherever_it_stands() -> None:
    assert StreamFramer().feed(REPLY[:-3] + REPLY) == [
        Noise(REPLY[:-3], "noise"),
        Frame(REPLY, Direction.REPLY),
    ]


def test_a_request_read_again_is_not_taken_for_its_reply() -> None:
    asked = adu(1, bytes.fromhex("0103000013"))  # 19 coils: the reply is as long as the next request
    events = StreamFramer().feed(asked + asked + adu(1, bytes.fromhex("0103050607")))
    assert [event.direction for event in events if isinstance(event, Frame)] == [
        Direction.REQUEST,
        Direction.REQUEST,
        Direction.REPLY,
    ]


def answered(device: ModbusDevice, simulated: SimulatedUnit) -> PollResult:
    """Return one poll of the device, all its requests answered."""
    poll = device.poll(0.0)
    request = next(poll)
    while True:
        (heard,) = ASCII.request_framer().feed(request.data)
        assert isinstance(heard, Frame)
        reply = simulated.answer(heard)
        assert reply is not None
        assert len(reply) == request.reply_length
        (frame,) = request.framer().feed(reply)
        assert isinstance(frame, Frame)
        assert request.accepts(frame)
        try:
            request = poll.send(frame)
        except StopIteration as over:
            assert isinstance(over.value, PollResult)  # noqa: PT017 - how a dialogue ends
            return over.value


def test_a_device_reads_a_simulated_unit() -> None:
    registers = {"low": {"holding": 3}, "high": {"holding": 4, "type": "int16"}, "bit": {"discrete": 9}}
    device = ModbusDevice([parse_settings({"address": 3, "registers": registers})], LINE, ASCII)
    simulated = SimulatedUnit(3, holding={3: 7, 4: 0xFFFF}, discretes={9: True}, carrier=ASCII)
    assert answered(device, simulated) == PollResult(({"low": 7, "high": -1, "bit": True},))
