"""JBD BMS: registers polled, values flattened, refusals and silence."""

from __future__ import annotations

import pytest

from protocols.jbd_bms import PROTOCOL
from protocols.jbd_bms.device import KEYS, Bms, SimulatedBms
from protocols.jbd_bms.frame import Reply, Request, StreamFramer, build
from protocols.jbd_bms.registers import UNITS, describe
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Dialogue, PollResult
from tests.protocols.vectors import vectors

LINE = PROTOCOL.line
assert LINE is not None
# Registers of the JBD-SP04S034 whose frames are in the vectors.
REGISTERS = {
    3: bytes.fromhex("0618000001f201f400002c7c00000000000080640304030b8b0b8a0b84"),
    4: bytes.fromhex("0f450f3d0f370f3d"),
    5: b"JBD-SP04S034-L4S-200A-B-U",
}
PACK = {
    "voltage": 15.6,
    "current": 0.0,
    "remaining_capacity": 4.98,
    "nominal_capacity": 5.0,
    "cycles": 0,
    "balancing": 0,
    "protection": 0,
    "state_of_charge": 100,
    "charge_enabled": True,
    "discharge_enabled": True,
    "temperature_1": 22.4,
    "temperature_2": 22.3,
    "temperature_3": 21.7,
}
CELLS = {"cell_voltage_1": 3.909, "cell_voltage_2": 3.901, "cell_voltage_3": 3.895, "cell_voltage_4": 3.901}


def bms(*names: str) -> Bms:
    return Bms([KEYS.parse({"values": list(names)} if names else {})], LINE)


def found(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def answered(poll: Dialogue, simulated: SimulatedBms) -> tuple[PollResult, list[str]]:
    asked = []
    request = next(poll)
    while True:
        asked.append(request.summary)
        reply = found(simulated.answer(found(request.data)) or b"")
        assert request.accepts(reply)
        assert request.reply_length <= len(reply.data) <= request.longest_reply
        try:
            request = poll.send(reply)
        except StopIteration as over:
            return over.value, asked


def test_a_poll_reads_the_pack_and_its_cells() -> None:
    result, asked = answered(bms().poll(0.0), SimulatedBms(REGISTERS))
    assert asked == ["bms: register 03", "bms: register 04"]
    assert result == PollResult((PACK | CELLS,))


def test_only_the_registers_that_are_needed_are_read() -> None:
    device = bms("hardware", "cell_voltages")
    result, asked = answered(device.poll(0.0), SimulatedBms(REGISTERS))
    assert asked == ["bms: register 04", "bms: register 05"]
    assert result == PollResult((CELLS | {"hardware": "JBD-SP04S034-L4S-200A-B-U"},))
    assert [request.data for request in device.planned()] == [
        build(Request(0xA5, 4)),
        build(Request(0xA5, 5)),
    ]


def test_two_sensors_of_the_site_share_the_reading() -> None:
    device = Bms([KEYS.parse({"values": [name]}) for name in ("voltage", "production_date")], LINE)
    result, asked = answered(device.poll(0.0), SimulatedBms(REGISTERS))
    assert asked == ["bms: register 03"]
    assert result.values == ({"voltage": 15.6}, {"production_date": "2022-03-28"})


def test_what_is_refused_is_told_and_the_rest_kept() -> None:
    result, _ = answered(bms().poll(0.0), SimulatedBms({3: REGISTERS[3]}))
    assert result.values == (PACK,)
    assert not result.complete
    assert [str(refusal) for refusal in result.refusals] == ["register 04: refused"]


def test_a_register_that_is_never_given_is_left_out_by_name_and_comes_back() -> None:
    for replies in ({3: REGISTERS[3]}, {4: REGISTERS[4]}):
        device = bms()
        for now in range(100):
            result, asked = answered(device.poll(float(now)), SimulatedBms(replies))
            assert any(result.values)
        assert len(asked) == 1
        assert ("cell_voltages" in result.left_out[0]) == (4 not in replies)
        assert ("voltage" in result.left_out[0]) == (3 not in replies)
        for now in (4000, 4001):
            result, _ = answered(device.poll(float(now)), SimulatedBms(REGISTERS))
        assert result == PollResult((PACK | CELLS,))


def test_silence_ends_a_poll_and_leaves_what_was_read() -> None:
    poll = bms().poll(0.0)
    next(poll)
    poll.send(found(build(Reply(3, 0, REGISTERS[3]))))
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert over.value.value == PollResult((PACK,), complete=False)


def test_a_bms_that_is_silent_on_one_register_gives_the_others() -> None:
    device = bms()
    for _ in range(2):
        poll = device.poll(0.0)
        asked = next(poll)
        try:
            while True:
                is_cells = asked.summary.endswith("04")
                asked = poll.send(found(build(Reply(4, 0, REGISTERS[4]))) if is_cells else None)
        except StopIteration as over:
            result = over.value
    assert result == PollResult((CELLS,), complete=False)


def test_a_discharge_is_negative_and_frost_too() -> None:
    data = bytearray(REGISTERS[3])
    data[2:4] = (-1234 & 0xFFFF).to_bytes(2, "big")
    data[23:25] = (2731 - 55).to_bytes(2, "big")
    data[12:16] = bytes.fromhex("8001 0001")
    fields = describe(found(build(Reply(3, 0, bytes(data)))))
    assert (fields["current"], fields["temperatures"][0]) == (-12.34, -5.5)
    assert fields["balancing"] == 0x1_8001  # cells 17, 16 and 1


def test_octets_behind_the_temperatures_are_left_alone() -> None:
    fields = describe(found(build(Reply(3, 0, REGISTERS[3] + bytes(6)))))
    assert fields["temperatures"] == [22.4, 22.3, 21.7]


def test_a_bms_that_was_never_dated_has_no_production_date() -> None:
    data = REGISTERS[3][:10] + bytes(2) + REGISTERS[3][12:]
    assert "production_date" not in describe(found(build(Reply(3, 0, data))))


@pytest.mark.parametrize("length", [0, 22, 28])
def test_a_register_that_is_cut_short_says_nothing(length: int) -> None:
    fields = describe(found(build(Reply(3, 0, REGISTERS[3][:length]))))
    assert fields.keys() == {"register", "status", "data"}


def test_only_the_reply_of_that_register_is_taken() -> None:
    request = bms().planned()[0]
    assert request.accepts(found(build(Reply(3, 0x80))))
    assert not request.accepts(found(build(Reply(4, 0, REGISTERS[4]))))
    echo = found(request.data)
    assert echo.direction is Direction.REQUEST
    assert not request.accepts(echo)


def test_a_simulated_bms_does_not_take_a_write_for_a_read() -> None:
    assert SimulatedBms(REGISTERS).answer(found(build(Request(0x5A, 0xE1, b"\x00\x02")))) is None


def test_the_error_counters_are_those_the_source_states() -> None:
    stated = [
        (bytes.fromhex(vector["hex"]), vector["expected"]["decoded"])
        for vector in vectors("jbd-bms")
        if "decoded" in vector["expected"]
    ]
    assert stated
    for data, decoded in stated:
        assert decoded.items() <= describe(found(data)).items()


def test_the_keys_of_a_bms() -> None:
    units = KEYS.parse({"values": ["cell_voltages", "temperatures", "voltage"]}).units
    assert units["cell_voltage_32"] == "V"
    assert units["temperature_8"] == "°C"
    assert list(units)[-1] == "voltage"
    assert KEYS.parse({}).address == bms().address
    every = KEYS.parse({"values": list(UNITS)})
    result, _ = answered(Bms([every], LINE).poll(0.0), SimulatedBms(REGISTERS))
    assert result.values[0].keys() <= every.units.keys()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"values": ["volts"]}, 'values.0: unknown value "volts"; did you mean "voltage"'),
        ({"values": [["voltage"]]}, r'values.0: unknown value \["voltage"\]; did you mean'),
        ({"values": ["current", "voltage", "current"]}, 'values.2: "current" stands here twice, keep one'),
        ({"values": []}, "values: the list is empty, write for example"),
        ({"adress": 1}, "adress: unknown key; use values"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        KEYS.parse(keys)


def test_a_thermometer_that_is_not_connected_has_no_value_and_the_next_keeps_its_number() -> None:
    data = REGISTERS[3][:-6] + bytes.fromhex("0b8b ffff 0b84")
    result, _ = answered(bms("temperatures").poll(0.0), SimulatedBms({3: data}))
    assert result.values == ({"temperature_1": 22.4, "temperature_3": 21.7},)
    result, _ = answered(bms("cell_voltages").poll(0.0), SimulatedBms({4: bytes.fromhex("0f45 ffff")}))
    assert result.values == ({"cell_voltage_1": 3.909},)
