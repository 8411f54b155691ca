"""Winsen: the one question to an MH-Z19, and what a ZE08 says unasked."""

from __future__ import annotations

import pytest

from protocols.toolkit.errors import DecodeError, SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings, PollResult, Values
from protocols.toolkit.pushing import Telegram
from protocols.winsen.active import PROTOCOL as ACTIVE
from protocols.winsen.active import ReportListener
from protocols.winsen.frame import REPLY, REPORT, StreamFramer, build
from protocols.winsen.polled import PROTOCOL, Sensor, SimulatedSensor, parse_settings
from tests.protocols.vectors import good_frames


def found(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def sensor(of_the_site: int = 1) -> Sensor:
    return Sensor([parse_settings({})] * of_the_site, LineSettings(9600))


def report(**fields: int) -> bytes:
    usual = {"gas_type": 0x17, "unit_code": 4, "decimals": 0, "concentration_raw": 37, "full_scale": 5000}
    return build(REPORT, **usual | fields)


@pytest.mark.parametrize("co2", [0, 400, 5000, 0xFFFF])
def test_a_sensor_is_asked_and_answers(co2: int) -> None:
    poll = sensor().poll()
    request = next(poll)
    assert request.data.hex() == "ff0186000000000079"  # as the manual prints it
    reply = found(SimulatedSensor(co2).answer(found(request.data)) or b"")
    assert len(reply.data) == request.reply_length
    assert request.accepts(reply)
    with pytest.raises(StopIteration) as over:
        poll.send(reply)
    assert over.value.value == PollResult(({"co2": co2},))


def test_silence_brings_nothing() -> None:
    poll = sensor(2).poll()
    next(poll)
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert over.value.value == PollResult(({}, {}), complete=False)


def test_only_the_answer_is_taken() -> None:
    (request,) = sensor().planned()
    echo, other = found(request.data), found(build(REPLY, command=0x87, data=bytes(6)))
    assert echo.direction is Direction.REQUEST
    assert not request.accepts(echo)
    assert not request.accepts(other)
    assert not request.accepts(found(report()))


def test_a_simulated_sensor_answers_nothing_else() -> None:
    assert SimulatedSensor(400).answer(found(bytes.fromhex("ff0179a000000000e6"))) is None
    assert SimulatedSensor(400).answer(found(report())) is None


@pytest.mark.parametrize(
    ("fields", "value"), [({}, 37), ({"decimals": 1}, 3.7), ({"concentration_raw": 0}, 0)]
)
def test_a_report_is_heard(fields: dict[str, int], value: float) -> None:
    assert ReportListener().telegrams(found(report(**fields))) == [Telegram("", {"formaldehyde": value})]


@pytest.mark.parametrize(
    ("octets", "values"),
    [
        ("FF 04 03 01 00 25 13 88 38", {"carbon_monoxide": 3.7}),  # ZE07-CO manual
        ("FF 2A 04 00 00 22 27 10 79", {"ozone": 0.034}),
        ("FF 05 05 01 00 D1 00 FA 2A", {"oxygen": 20.9}),
        ("FF 03 03 00 00 05 00 64 91", {"hydrogen_sulfide": 5}),
        ("FF 17 03 03 00 25 13 88 23", {"formaldehyde": 37}),
    ],
)
def test_a_report_is_told_by_its_gas_unit_and_decimals(octets: str, values: Values) -> None:
    data = bytes.fromhex(octets)
    data = data[:-1] + bytes((-sum(data[1:-1]) & 0xFF,))
    assert ReportListener().telegrams(found(data)) == [Telegram("", values)]
    assert ACTIVE.describer()(found(data)).items() >= values.items()


@pytest.mark.parametrize("fields", [{"gas_type": 0x4E}, {"unit_code": 2}, {"unit_code": 5}])
def test_an_unknown_gas_or_unit_is_no_value(fields: dict[str, int]) -> None:
    with pytest.raises(DecodeError, match="is not a known gas and unit"):
        ReportListener().telegrams(found(report(**fields)))


def test_a_polled_sensor_is_told_by_the_gas_and_decimals_of_its_keys() -> None:
    settings = parse_settings({"gas": "carbon_monoxide", "decimals": 1})
    poll = Sensor([settings, parse_settings({})], LineSettings(9600)).poll()
    next(poll)
    with pytest.raises(StopIteration) as over:
        poll.send(found(SimulatedSensor(37).answer(found(bytes.fromhex("ff0186000000000079"))) or b""))
    assert over.value.value == PollResult(({"carbon_monoxide": 3.7}, {"co2": 37}))
    assert settings.units == {"carbon_monoxide": "ppm"}


def test_requests_and_replies_are_no_reports() -> None:
    heard = [ReportListener().telegrams(found(data)) for data in good_frames("winsen")]
    assert [telegrams for telegrams in heard if telegrams] == [[Telegram("", {"formaldehyde": 37})]]


def test_the_keys_of_both() -> None:
    assert PROTOCOL.settings({}).units == {"co2": "ppm"}
    assert PROTOCOL.settings({}).address == sensor().address
    assert ACTIVE.settings({"only": ["formaldehyde"]}).units == {"formaldehyde": "ppb"}
    with pytest.raises(SettingsError, match="address: unknown key") as mistakes:
        PROTOCOL.settings({"address": 1, "gas": "co", "decimals": 9})
    assert 'gas: "co" is not a gas known here, use one of: co2' in str(mistakes.value)
    assert "decimals: 9 is not a number of decimals, use 0–3" in str(mistakes.value)
