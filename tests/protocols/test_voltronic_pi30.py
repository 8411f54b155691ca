"""Voltronic PI30: the general status in its lengths, refusals, the checksum's reserved octets and keys."""

from __future__ import annotations

import pytest

from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult, Values
from protocols.voltronic_pi30 import (
    PROTOCOL,
    Inverter,
    SimulatedInverter,
    StreamFramer,
    build,
    describe,
)
from tests.protocols.vectors import vectors

LINE = LineSettings(2400)
REPLIES = {v["id"]: bytes.fromhex(v["hex"]) for v in vectors("voltronic-pi30")}
STATUS = REPLIES["voltronic_pi30-0002"][1:-3].decode()
VALUES: Values = {
    "grid_voltage": 0.0,
    "grid_frequency": 0.0,
    "output_voltage": 230.0,
    "output_frequency": 49.9,
    "apparent_power": 161,
    "active_power": 119,
    "load": 3,
    "bus_voltage": 460,
    "battery_voltage": 57.5,
    "charging_current": 12,
    "state_of_charge": 100,
    "heat_sink_temperature": 69,
    "pv_current": 14,
    "pv_voltage": 103.8,
    "charger_battery_voltage": 57.45,
    "discharging_current": 0,
    "pv_power": 856,
    "load_on": True,
    "charging": True,
    "solar_charging": True,
    "grid_charging": False,
}


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def polled(reply: bytes | None, **keys: object) -> PollResult:
    poll = Inverter([PROTOCOL.settings(keys)], LINE).poll()
    request = next(poll)
    if reply is not None:
        assert request.accepts(heard(reply))
    with pytest.raises(StopIteration) as over:
        poll.send(None if reply is None else heard(reply))
    result = over.value.value
    assert isinstance(result, PollResult)
    return result


def test_a_poll_reads_the_general_status() -> None:
    (request,) = Inverter([PROTOCOL.settings({})], LINE).planned()
    assert request.data == b"QPIGS\xb7\xa9\r"
    assert not request.accepts(heard(request.data))
    reply = SimulatedInverter(STATUS).answer(heard(request.data))
    assert reply is not None
    assert polled(reply).values == (VALUES,)
    assert set(PROTOCOL.settings({}).units) == VALUES.keys()


@pytest.mark.parametrize(("fields", "has_power"), [(17, False), (21, True), (24, True)])
def test_a_status_of_each_length(fields: int, has_power: bool) -> None:
    text = " ".join([*STATUS.split(" "), "0", "01", "0000"][:fields])
    values = polled(build(f"({text}".encode())).values[0]
    assert values == {name: value for name, value in VALUES.items() if has_power or name != "pv_power"}


def test_a_field_without_a_number_is_left_out() -> None:
    text = STATUS.replace("57.50", "!7.50").replace("0069", "----")
    values = polled(build(f"({text}".encode())).values[0]
    assert VALUES.keys() - values.keys() == {"battery_voltage", "heat_sink_temperature"}


def test_what_the_inverter_refuses_is_said() -> None:
    result = polled(b"(NAKss\r")
    assert [str(refusal) for refusal in result.refusals] == ["general status: not accepted (NAK)"]
    assert (result.values, result.complete) == (({},), False)
    assert polled(None) == PollResult(({},), complete=False)
    assert SimulatedInverter(STATUS).answer(heard(b"QMODI\xc1\r")) == b"(NAKss\r"


@pytest.mark.parametrize(
    "text", ["PI30", "B", STATUS[:-4], STATUS.replace("00110110", "00110112"), f"1 {STATUS[6:]}", "ACK"]
)
def test_a_reply_to_another_request_is_not_taken(text: str) -> None:
    (request,) = Inverter([PROTOCOL.settings({})], LINE).planned()
    frame = heard(build(f"({text}".encode()))
    assert not request.accepts(frame)
    assert describe(frame) == {"text": text}


@pytest.mark.parametrize(
    ("text", "check"),
    [("QAAA", "4f0b"), ("QAH9", "0b0e"), ("QAAT", "0e9e"), ("QABS", "292a"), ("QAFU", "8429")],
)
def test_octets_of_the_checksum_that_mark_a_frame_are_sent_as_one_more(text: str, check: str) -> None:
    data = build(text.encode())
    assert data[-3:-1].hex() == check
    assert heard(data).data == data


def test_a_command_that_sets_something_is_no_frame() -> None:
    assert not [event for event in StreamFramer().feed(build(b"POP02")) if isinstance(event, Frame)]


def test_the_keys_of_an_inverter() -> None:
    assert polled(REPLIES["voltronic_pi30-0002"], values=["pv_power"]).values == ({"pv_power": 856},)
    with pytest.raises(SettingsError, match=r'values\.0: unknown value "pv_powr"; did you mean "pv_power"'):
        PROTOCOL.settings({"values": ["pv_powr"]})
