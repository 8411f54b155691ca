"""Pylontech: one battery of a stack asked, its capacities in two octets or three, refusals and keys."""

from __future__ import annotations

import pytest

from protocols.pylontech import (
    PROTOCOL,
    Battery,
    SimulatedBattery,
    StreamFramer,
    build,
    describe,
    parse_settings,
)
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult, Values
from tests.protocols.vectors import vectors

LINE = LineSettings(115200)
REPLIES = {v["id"]: bytes.fromhex(v["hex"]) for v in vectors("pylontech")}
INFO = bytes.fromhex(REPLIES["pylontech-0002"][13:-5].decode())
PACK: Values = {
    "voltage": 48.39,
    "current": 0.0,
    "state_of_charge": 12.8,
    "remaining_capacity": 6.415,
    "nominal_capacity": 50.0,
    "cycles": 132,
    "temperature_1": 20.1,
    "temperature_2": 17.0,
    "temperature_3": 17.2,
    "temperature_4": 16.8,
    "temperature_5": 18.4,
    "cell_voltage_1": 3.226,
    "cell_voltage_2": 3.224,
    "cell_voltage_3": 3.225,
}


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def polled(reply: bytes | None, **keys: object) -> PollResult:
    poll = Battery([parse_settings(keys)], LINE).poll()
    request = next(poll)
    if reply is not None:
        assert request.accepts(heard(reply))
    with pytest.raises(StopIteration) as over:
        poll.send(None if reply is None else heard(reply))
    result = over.value.value
    assert isinstance(result, PollResult)
    return result


def test_a_poll_reads_the_battery_with_its_number() -> None:
    (request,) = Battery([parse_settings({"address": 3})], LINE).planned()
    assert request.data == build(3, 0x42, b"\x03")
    reply = SimulatedBattery(3, INFO).answer(heard(request.data))
    assert reply is not None
    values = polled(reply, address=3).values[0]
    assert PACK.items() <= values.items()
    assert len(values) == 6 + 5 + 15
    assert SimulatedBattery(2, INFO).answer(heard(request.data)) is None


def test_capacities_stand_in_three_octets_where_two_are_not_enough() -> None:
    values = polled(REPLIES["pylontech-0003"]).values[0]
    assert (values["remaining_capacity"], values["nominal_capacity"]) == (28.86, 74.0)


def test_capacities_that_are_told_nowhere_are_left_out() -> None:
    short = bytes.fromhex("1102 00 00 fff6 c117 ffff 02 ffff 0000")
    values = polled(build(2, 0, short)).values[0]
    assert values == {"voltage": 49.431, "current": -1.0, "cycles": 0}


def test_what_the_battery_refuses_is_told() -> None:
    result = polled(REPLIES["pylontech-0008"])
    assert [str(refusal) for refusal in result.refusals] == ["analog value: unknown command"]
    assert (result.values, result.complete) == (({},), False)
    assert polled(None) == PollResult(({},), complete=False)


@pytest.mark.parametrize("cut", [1, 2, 7, 20, 40])
def test_what_is_no_analog_value_says_nothing(cut: int) -> None:
    assert "voltage" not in describe(heard(build(2, 0, INFO[:-cut])))


def test_a_battery_beside_the_one_that_was_asked_does_not_answer_for_it() -> None:
    (request,) = Battery([parse_settings({"address": 3})], LINE).planned()
    assert not request.accepts(heard(build(2, 0, INFO)))
    assert not request.accepts(heard(request.data))


def test_the_keys_of_a_battery() -> None:
    settings = parse_settings({"values": ["voltage", "cell_voltages"]})
    assert PROTOCOL.address_of(settings) == "2"
    assert PROTOCOL.units_of(settings)["cell_voltage_24"] == "V"
    with pytest.raises(SettingsError, match="address: 'A' is no address of a battery, use 1–255"):
        parse_settings({"address": "A"})
    with pytest.raises(SettingsError, match=r"values\.0: 'volts' is no value"):
        parse_settings({"values": ["volts"]})
