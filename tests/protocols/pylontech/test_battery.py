"""Pylontech: one battery of a stack asked, its capacities and alarms, refusals and keys."""

from __future__ import annotations

import pytest

from protocols.pylontech import frame, parse_settings
from protocols.pylontech.battery import Battery, SimulatedBattery, describe
from protocols.pylontech.frame import StreamFramer, build
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult, Values
from tests.protocols.vectors import vectors

LINE = LineSettings(115200)
REPLIES = {v["id"]: bytes.fromhex(v["hex"]) for v in vectors("pylontech")}
INFO, ALARMS, MANY_ALARMS = (
    bytes.fromhex(REPLIES[f"pylontech-{number:04}"][13:-5].decode()) for number in (2, 8, 9)
)
PACK: Values = {
    "voltage": 48.39,
    "current": -2.6,
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
    values = polled(REPLIES["pylontech-0003"], address=3).values[0]
    assert (values["remaining_capacity"], values["nominal_capacity"]) == (28.86, 74.0)


def test_capacities_that_are_told_nowhere_are_left_out() -> None:
    short = bytes.fromhex("1102 00 00 fff6 c117 ffff 02 ffff 0000")
    values = polled(build(2, 0, short)).values[0]
    assert values == {"voltage": 49.431, "current": -1.0, "cycles": 0}


def test_what_the_battery_refuses_is_told() -> None:
    result = polled(REPLIES["pylontech-0010"])
    assert [str(refusal) for refusal in result.refusals] == ["analog value: unknown command"]
    assert (result.values, result.complete) == (({},), False)
    assert polled(None) == PollResult(({},), complete=False)


def asked(battery: SimulatedBattery, **keys: object) -> tuple[PollResult, list[str]]:
    """Return the result of a poll of a battery, and what it was asked."""
    poll = Battery([parse_settings({"address": battery.address, **keys})], LINE).poll()
    summaries = []
    try:
        request = next(poll)
        while True:
            summaries.append(request.summary)
            reply = battery.answer(heard(request.data))
            assert reply is not None
            assert request.accepts(heard(reply))
            request = poll.send(heard(reply))
    except StopIteration as over:
        result = over.value
    assert isinstance(result, PollResult)
    return result, summaries


def test_alarms_are_asked_for_only_where_they_are_read() -> None:
    battery = SimulatedBattery(3, INFO, ALARMS)
    _, summaries = asked(battery)
    assert summaries == ["battery 3: analog value"]
    result, summaries = asked(battery, values=["cell_alarms", "charge_enabled"])
    assert summaries == ["battery 3: alarm information"]
    assert result == PollResult(({"cell_alarms": 0, "charge_enabled": True},))


def test_what_is_out_of_bounds_is_told_beside_what_is_measured() -> None:
    names = ["voltage", "voltage_alarm", "temperature_alarms", "cell_alarms", "cell_errors", "heating"]
    result, summaries = asked(SimulatedBattery(4, INFO, MANY_ALARMS), values=names)
    assert summaries == ["battery 4: analog value", "battery 4: alarm information"]
    alarms = {"voltage_alarm": "low", "temperature_alarms": 1, "cell_alarms": 3, "cell_errors": 2}
    assert result == PollResult(({"voltage": 48.39, **alarms, "heating": True},))


def test_a_battery_that_knows_no_alarms_is_read_all_the_same() -> None:
    result, _ = asked(SimulatedBattery(2, INFO), values=["voltage", "cell_alarms"])
    assert result.values == ({"voltage": 48.39},)
    assert [str(refusal) for refusal in result.refusals] == ["alarm information: unknown command"]
    assert not result.complete


def test_a_reply_to_the_other_question_is_not_taken() -> None:
    keys = {"values": ["voltage", "cell_alarms"]}
    analog, alarms = Battery([parse_settings(keys)], LINE).planned()
    measured, alarming = heard(build(2, 0, INFO)), heard(build(2, 0, ALARMS))
    assert (analog.accepts(measured), alarms.accepts(measured)) == (True, False)
    assert (analog.accepts(alarming), alarms.accepts(alarming)) == (False, True)
    assert analog.shape != alarms.shape


@pytest.mark.parametrize("spoilt", [ALARMS[:-1], ALARMS + b"\0", ALARMS[:3] + b"\x03" + ALARMS[4:]])
def test_what_is_no_alarm_information_says_nothing(spoilt: bytes) -> None:
    assert "cell_alarms" not in describe(heard(build(2, 0, spoilt)))


def test_a_code_that_the_document_does_not_have_is_told() -> None:
    assert frame.refusal(0x77) == "RTN 77, not in the document"


@pytest.mark.parametrize("cut", [1, 2, 7, 20, 40])
def test_what_is_no_analog_value_says_nothing(cut: int) -> None:
    assert "voltage" not in describe(heard(build(2, 0, INFO[:-cut])))


def test_a_battery_beside_the_one_that_was_asked_does_not_answer_for_it() -> None:
    (request,) = Battery([parse_settings({"address": 3})], LINE).planned()
    assert not request.accepts(heard(build(2, 0, INFO)))
    assert not request.accepts(heard(request.data))


def test_the_keys_of_a_battery() -> None:
    settings = parse_settings({"values": ["voltage", "cell_voltages"]})
    assert settings.address == "2"
    assert settings.units["cell_voltage_24"] == "V"
    with pytest.raises(SettingsError, match='address: "A" is not an address of a battery, use 1–255'):
        parse_settings({"address": "A"})
    with pytest.raises(SettingsError, match=r'values\.0: unknown value "volts"'):
        parse_settings({"values": ["volts"]})
