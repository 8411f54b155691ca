"""IEC 62056-21: the dialogue in each mode, what a readout says, and what is told about a meter's keys."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import load
from protocols.iec62056_21.data import DataSet, data_sets, readings, values
from protocols.iec62056_21.frame import (
    BAUDRATES_B,
    BAUDRATES_C,
    MAX_LENGTH,
    Identification,
    StreamFramer,
    acknowledged,
    acknowledgement,
    block,
    data_of,
    identification,
    opened,
    opening,
)
from protocols.iec62056_21.meter import BREAK_OFF_S, REACTION_S, REST_S, WAKING_S, Meter
from protocols.iec62056_21.settings import parse_settings
from protocols.iec62056_21.simulation import SimulatedMeter
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame, Noise
from protocols.toolkit.polling import LineSettings, PollResult, Request
from tests.protocols.vectors import hear, vectors

ENTRY, MODE_D = load("iec62056-21"), load("iec62056-21-d")
LINE = LineSettings(300, 7, "E", 1)
DATA = {
    "F.F": "00000000",
    "C.1.0": "00045678903",
    "1.8.0": "012345.67*kWh",
    "1.8.1": "010000.00*kWh",
    "1.8.0*01": "011111.11*kWh",
    "32.7.0": "230.5*V",
    "1.7.0": "02.027*kW",
    "1.6.1": "0.52*kW)(1611290915",
    "0.9.1": "",
}
data_texts = st.text(
    st.characters(codec="ascii", exclude_characters="()/!", exclude_categories=["Cc"]), max_size=30
)


def meter(**keys: object) -> Meter:
    return Meter([parse_settings({"values": ["import_energy", "voltage_l1"]} | keys)], LINE)


def simulated(baud_char: str = "5", address: str = "") -> SimulatedMeter:
    return SimulatedMeter(Identification("ESY", baud_char, "Q3D"), DATA, address)


def answered(device: Meter, other: SimulatedMeter) -> tuple[PollResult, list[Request]]:
    """What a poll brings, and its requests; what comes at another rate than is listened for is lost."""
    poll = device.poll()
    asked: list[Request] = []
    request = next(poll)
    said: list[tuple[int, bytes]] = []
    while True:
        asked.append(request)
        for event in hear(ENTRY, [request.data]):
            assert isinstance(event, Frame) or not any(event.data)
            said += other.answer(event) if isinstance(event, Frame) else []
        rate = (request.reply_line or LINE).baudrate
        heard = b""
        while said and said[0][0] == rate:
            heard += said.pop(0)[1]
        framer = request.framer()
        taken = [event for event in framer.feed(heard) if isinstance(event, Frame) and request.accepts(event)]
        try:
            request = poll.send(taken[0] if taken and request.is_answered else None)
        except StopIteration as over:
            return over.value, asked


@pytest.mark.parametrize("baud_char", [*BAUDRATES_C, *BAUDRATES_B, "#", "9"])
def test_a_meter_is_read_in_the_mode_and_at_the_rate_that_it_names(baud_char: str) -> None:
    result, asked = answered(meter(), simulated(baud_char))
    assert result == PollResult(({"import_energy": 12345.67, "voltage_l1": 230.5},))
    rates = BAUDRATES_C | BAUDRATES_B
    assert [request.data for request in asked] == {
        True: [b"/?!\r\n", f"\x060{baud_char}0\r\n".encode()],
        False: [b"/?!\r\n", b""] if baud_char in BAUDRATES_B else [b"/?!\r\n"],
    }[baud_char in BAUDRATES_C]
    assert [request.line for request in asked] == [None] * len(asked), "we speak at the rate of the bus"
    assert asked[0].reply_line is None
    assert [request.reply_line for request in asked[1:]] == [
        LineSettings(rates[baud_char], 7, "E", 1) for _ in asked[1:]
    ]
    assert all(request.rest_s == REST_S for request in asked)


def test_a_meter_is_left_time_before_it_is_answered() -> None:
    _, asked = answered(meter(), simulated())
    assert [request.pause_s for request in asked] == [REACTION_S, REACTION_S]


def test_a_meter_with_a_battery_is_woken_by_zeros_for_two_seconds_and_left_time_to_wake() -> None:
    result, (waking, opened_with, _) = answered(meter(wake_up=True), simulated("3"))
    assert result.complete
    assert not waking.is_answered
    assert not any(waking.data)
    assert 2.1 < LINE.duration_s(len(waking.data)) < 2.3
    assert opened_with.pause_s == WAKING_S


def test_only_the_meter_that_is_asked_answers() -> None:
    result, asked = answered(meter(address="45678903"), simulated(address="45678903"))
    assert result.complete
    assert asked[0].data == b"/?45678903!\r\n"
    result, asked = answered(meter(address="45678904"), simulated(address="45678903"))
    assert result == PollResult(({},), complete=False)
    assert len(asked) == 1


def test_a_readout_serves_every_sensor_with_its_address() -> None:
    settings = [parse_settings({"values": names}) for names in (["1.8.0", "C.1.0"], ["import_power"])]
    result, _ = answered(Meter(settings, LINE), simulated())
    assert result.values == ({"1.8.0": 12345.67, "C.1.0": "00045678903"}, {"import_power": 2027})


def test_what_a_meter_does_not_tell_is_left_out_and_the_poll_is_whole() -> None:
    result, _ = answered(meter(values=["import_energy", "frequency"]), simulated())
    assert result == PollResult(({"import_energy": 12345.67},))


def test_a_meter_that_stops_after_its_identification_has_no_values() -> None:
    poll = meter().poll()
    next(poll)
    poll.send(Frame(b"/ESY5Q3D\r\n"))
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert over.value.value == PollResult(({},), complete=False)


def test_a_meter_that_cannot_be_read_at_the_rate_it_offers_is_read_at_that_of_the_opening() -> None:
    device, other = meter(), simulated("4")
    other.fastest = 300
    polls = [answered(device, other) for _ in range(3)]
    assert [result.complete for result, _ in polls] == [False, True, True]
    assert [asked[1].data for _, asked in polls] == [b"\x06040\r\n", b"\x06000\r\n", b"\x06000\r\n"]
    assert [asked[1].reply_line for _, asked in polls[1:]] == [LINE, LINE]
    assert device.planned() == polls[2][1]


def test_on_a_line_of_another_rate_it_is_that_one_to_stay_at() -> None:
    line = replace(LINE, baudrate=2400)
    device = Meter([parse_settings({"values": ["1.8.0"]})], line)
    for _ in range(2):
        poll = device.poll()
        next(poll)
        asked = poll.send(Frame(b"/LGZ5ZMF\r\n"))
        with pytest.raises(StopIteration):
            poll.send(None)
    assert (asked.data, asked.reply_line) == (b"\x06030\r\n", line)


def test_a_rate_that_worked_has_a_second_chance_and_the_other_comes_after_it() -> None:
    device, good, deaf = meter(), simulated("5"), simulated("5")
    deaf.fastest = 0
    rates = [answered(device, other)[1][1].data[2:3] for other in (good, deaf, deaf, deaf, good, good)]
    assert rates == [b"5", b"5", b"5", b"0", b"5", b"5"]


@pytest.mark.parametrize("wake_up", [False, True])
def test_behind_a_readout_that_failed_it_is_waited_until_the_meter_has_said_all(wake_up: bool) -> None:
    device, good, deaf = meter(wake_up=wake_up), simulated(), simulated()
    deaf.fastest = 0
    pauses = [answered(device, other)[1][0].pause_s for other in (good, deaf, good, good)]
    assert pauses == [REACTION_S, REACTION_S, BREAK_OFF_S, REACTION_S]
    assert BREAK_OFF_S > REST_S


def test_the_plan_is_that_of_the_last_poll() -> None:
    device = meter(wake_up=True)
    _, asked = answered(device, simulated("6"))
    assert device.planned() == asked


@pytest.mark.parametrize(
    "foreign",
    [b"/?!\r\n", b"\x06050\r\n", block("1.8.0(1*kWh)\r\n"), b"\x01B0\x03q"],
)
def test_nothing_but_an_identification_answers_an_opening(foreign: bytes) -> None:
    (request, readout) = meter().planned()
    assert not request.accepts(Frame(foreign))
    assert readout.accepts(Frame(foreign)) is (foreign[0] == 2)


def test_a_readout_with_a_wrong_check_is_not_taken() -> None:
    good = block("1.8.0(1*kWh)\r\n")
    _, readout = meter().planned()
    assert readout.framer().feed(good) == [*StreamFramer().feed(good)]
    (noise,) = readout.framer().feed(good.replace(b"1*", b"2*"))
    assert noise == Noise(noise.data, "checksum")


def test_in_mode_a_the_data_belong_to_the_answer() -> None:
    whole = simulated("#").identification.encoded + simulated().readout
    (request,) = answered(meter(), simulated("#"))[1]
    for cut in range(len(whole)):
        framer = request.framer()
        assert framer.feed(whole[:cut]) == []
        (answer,) = framer.feed(whole[cut:])
        assert answer.data == whole
        assert isinstance(answer, Frame)


@given(data_texts)
def test_what_is_built_is_read(text: str) -> None:
    (heard,) = StreamFramer().feed(block(f"1.8.0({text})\r\n"))
    assert isinstance(heard, Frame)
    assert list(data_sets(data_of(heard.data))) == [DataSet("1.8.0", (text,))]


def test_openings_identifications_and_acknowledgements_are_read_as_built() -> None:
    named = Identification("ESY", "5", "Q3DA1004 V3.04")
    assert opened(opening("45678903")) == "45678903"
    assert identification(named.encoded) == named
    assert acknowledged(acknowledgement("5")) == ("0", "5", "0")
    assert opened(named.encoded) is acknowledged(named.encoded) is identification(opening()) is None


@pytest.mark.parametrize("behind", [b"", b"\r", b"\x02(", b"/?!\r\n", b"!\r\n"])
def test_an_identification_is_one_whatever_follows_but_a_blank_line(behind: bytes) -> None:
    named = b"/ESY5Q3D\r\n"
    assert hear(ENTRY, [named + behind])[0].data == named
    assert isinstance(hear(ENTRY, [named + behind])[0], Frame)


def test_a_telegram_that_does_not_end_does_not_hide_the_next_one() -> None:
    (telegram,) = (bytes.fromhex(v["hex"]) for v in vectors("iec62056-21") if v["bcc"] == "none")
    for kept in range(30, len(telegram) - 3):
        events = hear(MODE_D, [telegram[:kept] + telegram])
        assert [event.data for event in events if isinstance(event, Frame)] == [telegram]


def test_the_longest_readout_is_found_and_a_longer_one_costs_only_itself() -> None:
    around = len(block(""))
    longest = block("x" * (MAX_LENGTH - around))
    assert len(longest) == MAX_LENGTH
    assert [event.data for event in hear(ENTRY, [longest])] == [longest]
    events = hear(ENTRY, [block("x" * (MAX_LENGTH - around + 1)) + longest])
    assert [event.data for event in events if isinstance(event, Frame)] == [longest]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("1-0:1.8.0*255(00032549.5061662*kWh)", {"import_energy": 32549.5061662}),
        ("1.8.0(1234567*Wh)", {"import_energy": 1234.567}),
        ("1.8.0(012345.6)", {"1.8.0": 12345.6}),  # in which unit, it does not say
        ("6.8(0328.871*MWh)6.26(03329.74*m3)", {"6.8": 328.871, "6.26": 3329.74}),  # a heat meter's own codes
        ("1.6.1(0.52*kW)(1611290915)", {"import_demand_max_t1": 520}),
        ("13.7.0(0.98)", {"power_factor": 0.98}),
        ("1.8.0( 12345.6*kWh)", {"import_energy": 12345.6}),
        ("1.8.0(0000000012345.678*kWh)", {"import_energy": 12345.678}),
        ("C.1.0(00012345)", {"C.1.0": "00012345"}),
        ("0.9.2(20-11-23)", {"0.9.2": "20-11-23"}),
        ("1.8.0(ERROR)", {"1.8.0": "ERROR"}),
        ("0.9.1()", {}),
        ("(1234567)", {}),
        ("1.8.0(1.0*kWh)\r\n(2.0*kWh)\r\n2.8.0((3.0*kWh)", {"import_energy": 1.0}),
        ("1.8.0(1.0*kWh)1-1:1.8.0(2.0*kWh)", {"import_energy": 1.0, "1-1:1.8.0": 2.0}),
        ("1.7.0(1.0*kW)1-1:1.7.0(2.0*kW)", {"import_power": 1000, "1-1:1.7.0": 2.0}),
    ],
)
def test_a_value_is_what_the_meter_says_in_our_unit(written: str, told: object) -> None:
    assert values(readings(list(data_sets(written)))) == told


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("import_energy", 12345.67),
        ("1.8.0", 12345.67),
        ("1-0:1.8.0", 12345.67),
        ("1.8.0*01", 11111.11),
        ("1.8.0*1", 11111.11),
        ("C.1.0", "00045678903"),
        ("0-0:C.1.0", "00045678903"),
        ("F.F", "00000000"),
        ("import_energy_t1", 10000.0),
        ("1.8.2", None),
    ],
)
def test_a_value_is_found_by_its_name_or_by_its_code(wanted: str, value: object) -> None:
    result, _ = answered(meter(values=[wanted]), simulated())
    assert result.values == ({wanted: value} if value is not None else {},)


def test_by_its_code_a_value_is_the_number_that_the_meter_shows_in_its_own_unit() -> None:
    shown = {"1.7.0": "02.027*kW", "1.8.0": "12345678*Wh", "2.8.0": "007*MWh", "13.7.0": "1"}
    other = SimulatedMeter(Identification("ESY", "5", "Q3D"), shown)
    names = ["import_power", "1.7.0", "1-0:1.7.0", "import_energy", "1.8.0", "2.8.0", "13.7.0"]
    result, _ = answered(meter(values=names), other)
    assert result.values == (
        {
            "import_power": 2027,
            "1.7.0": 2.027,
            "1-0:1.7.0": 2.027,
            "import_energy": 12345.678,
            "1.8.0": 12345678,
            "2.8.0": 7,
            "13.7.0": 1,
        },
    )


def test_the_captured_telegram_of_mode_d_is_one_of_the_meter_it_names() -> None:
    (vector,) = (v for v in vectors("iec62056-21") if v["bcc"] == "none")
    (telegram,) = MODE_D.listener().telegrams(Frame(bytes.fromhex(vector["hex"])))
    assert telegram.sender == "1336001560"
    assert telegram.values == {
        "import_energy": 32549.5061662,
        "import_power_l1": 557.29,
        "import_power_l2": 521.62,
        "import_power_l3": 609.3,
        "import_power": 1688.21,
        "1-0:96.5.5": "80",
    }


def test_a_meter_that_tells_no_number_goes_by_its_first_line() -> None:
    listener = MODE_D.listener()
    (telegram,) = listener.telegrams(Frame(b"/ESY5Q3D V3\r\n\r\n1-0:1.8.0*255(1.5*kWh)\r\n!\r\n"))
    assert telegram.sender == "ESY5Q3D V3"
    assert listener.telegrams(Frame(b"/ESY5Q3D V3\r\n")) == ()
    assert listener.telegrams(Frame(block("1.8.0(1*kWh)\r\n"))) == ()


def test_the_keys_of_a_sensor_in_mode_d() -> None:
    settings = MODE_D.settings({"id": "1336001560", "only": ["import_energy_t1", "1-0:96.5.5"]})
    assert settings.address == "1336001560"
    assert settings.units == {"import_energy_t1": "kWh", "1-0:96.5.5": ""}
    everything = MODE_D.settings({"id": "1336001560"}).units
    assert {"import_energy": "kWh", "import_power_l3": "W", "frequency": "Hz"}.items() <= everything.items()
    with pytest.raises(SettingsError, match="watts"):
        MODE_D.settings({"id": "1336001560", "only": ["watts"]})


def test_the_keys_of_a_meter() -> None:
    settings = parse_settings({"values": ["import_energy_t2", "C.1.0", "3:14"], "wake_up": True})
    assert (settings.address, settings.wake_up) == ("", True)
    assert settings.units == {"import_energy_t2": "kWh", "C.1.0": "", "3:14": ""}
    assert parse_settings({"address": "45678903", "values": ["1.8.0"]}).address == "45678903"


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {"address": 45678903, "adress": 1, "values": ["volts", "1.8.0", "1.8.0", 7], "wake_up": "yes"}
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    told = {".".join(map(str, path)): message for path, message in caught.value.problems}
    expected = {
        "adress": "unknown key; did you mean address?",
        "address": "45678903 is a number, write what the meter is asked by in quotes",
        "values.0": 'unknown value "volts" (or write the code that the meter shows, "1.8.0"); did you mean ',
        "values.2": '"1.8.0" stands here twice, keep one',
        "values.3": 'unknown value 7 (or write the code that the meter shows, "1.8.0"); use ',
        "wake_up": '"yes" is neither true nor false',
    }
    begun = {path: message[: len(expected.get(path, message))] for path, message in told.items()}
    assert begun == expected
    assert told["address"].endswith('"45678903"')


def test_a_meter_without_address_is_the_only_one_of_its_line() -> None:
    anyone, named, other = (
        parse_settings({"values": ["1.8.0"]} | keys)
        for keys in ({}, {"address": "45678903"}, {"address": "7"})
    )
    assert not ENTRY.conflicts([anyone, anyone])
    assert not ENTRY.conflicts([named, other, named])
    problems = ENTRY.conflicts([anyone, named, anyone])
    assert [path for path, _ in problems] == [(0, "address"), (2, "address")]
    assert all(re.match('is missing: .* "45678903" .*; write the number', message) for _, message in problems)


@pytest.mark.parametrize("address", ["a/b", "a!", "x" * 33, True, None, "é"])
def test_a_wrong_address_is_named(address: object) -> None:
    with pytest.raises(SettingsError, match="is not an address of a meter"):
        parse_settings({"address": address, "values": ["1.8.0"]})


@pytest.mark.parametrize("written", [None, [], "import_energy"])
def test_a_meter_without_values_is_a_mistake(written: object) -> None:
    with pytest.raises(SettingsError, match=r"write .*\[\"import_"):
        parse_settings({"values": written})


HEAT = "6.8(0012,345*MWh)6.26(00123.45*m3)9.21(66153690)"
FRAMED = block(HEAT)
ENDLESS = b"\x02" + HEAT.encode() + b"!\r\n"


@pytest.mark.parametrize(
    "telegram",
    [
        b"/LUGCUH50\r\n\r\n" + HEAT.encode() + b"!\r\n",  # no line ends between the data sets
        b"/LUGCUH50\r\n" + HEAT.encode() + b"!\r\n",  # nor a blank line
        b"/KAM 685-C\r\n\r\n" + FRAMED,  # a blank line, and then STX … ETX BCC
        b"/KAM 685-C\r\n\r\n" + ENDLESS,  # STX, but no ETX
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_heat_meters_that_frame_their_telegram_their_own_way_are_read(telegram: bytes, size: int) -> None:
    line = b"\x00" + telegram + telegram
    events = hear(MODE_D, [line[at : at + size] for at in range(0, len(line), size)])
    assert [event.data for event in events if isinstance(event, Frame)] == [telegram, telegram]
    (heard,) = MODE_D.listener().telegrams(Frame(telegram))
    assert heard.values["6.8"] == 12.345
    assert heard.values["6.26"] == 123.45


@pytest.mark.parametrize("flipped", [b"6.8(0012,445", b"6.8(1012,345"])
def test_a_telegram_with_a_check_is_refused_where_it_fails(flipped: bytes) -> None:
    telegram = b"/KAM 685-C\r\n\r\n" + FRAMED.replace(b"6.8(0012,345", flipped)
    assert telegram not in [event.data for event in hear(MODE_D, [telegram]) if isinstance(event, Frame)]


@pytest.mark.parametrize(
    "answer",
    [
        b"/KAM 685-C\r\n" + FRAMED,
        b"/KAM 685-C\r\n\r\n" + FRAMED,
        b'/LUG"UH50\r\n' + HEAT.encode() + b"!\r\n",
    ],
)
def test_a_meter_of_mode_a_is_read_whatever_its_identification_and_framing(answer: bytes) -> None:
    poll = meter(values=["6.8"]).poll()
    opening_request = next(poll)
    framer = opening_request.framer()
    (event,) = [*framer.feed(answer), *framer.silence()]
    assert isinstance(event, Frame)
    assert opening_request.accepts(event)
    with pytest.raises(StopIteration) as ended:
        poll.send(event)
    assert ended.value.value.values == ({"6.8": 12.345},)


def test_amounts_that_stand_side_by_side_are_each_told() -> None:
    """A heat meter's highest flow and return temperature."""
    told = values(readings(list(data_sets("9.4(098.5*C&096.1*C)6.8(0162,321*MWh)9.6(000&66153690&0)"))))
    assert told == {"9.4": 98.5, "9.4_2": 96.1, "6.8": 162.321, "9.6": "000&66153690&0"}
