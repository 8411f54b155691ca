"""DL/T 645-2007: values and addresses, parts and refusals, and what is told about a meter's keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dlt645 import PROTOCOL
from protocols.dlt645.data import BY_IDENTIFIER, ITEMS, Item
from protocols.dlt645.device import Meter
from protocols.dlt645.edition import DLT645_1997
from protocols.dlt645.frame import (
    MAX_PREAMBLE,
    Message,
    StreamFramer,
    build,
    covers,
    parse,
    preamble,
)
from protocols.dlt645.settings import conflicts, parse_settings
from protocols.dlt645.simulation import SimulatedMeter
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame, Noise
from protocols.toolkit.lessons import LEARN_AFTER, RETRY_REFUSED_S
from protocols.toolkit.polling import Dialogue, PollResult, Values

ADDRESS = "002311905387"
EIGHT_DIGITS = 'eight hexadecimal digits in quotes, DI3 first, for example "02010100"'
LINE = PROTOCOL.line
assert LINE is not None
addresses = st.text("0123456789", min_size=12, max_size=12)
messages = st.builds(Message, addresses, st.integers(0x80, 0xFF), st.binary(max_size=200))


def meter(**keys: object) -> Meter:
    return Meter([parse_settings({"address": ADDRESS} | keys)], LINE)


def answered(poll: Dialogue, simulated: SimulatedMeter) -> tuple[PollResult, list[str]]:
    """Return what a poll brings, and what it asked for."""
    asked = []
    request = next(poll)
    while True:
        asked.append(request.summary.partition(": ")[2])
        (heard,) = StreamFramer().feed(request.data)
        assert isinstance(heard, Frame)
        reply = simulated.answer(heard)
        frame = None
        if reply is not None:
            (frame,) = request.framer().feed(reply)
            assert isinstance(frame, Frame)
            assert request.accepts(frame)
        try:
            request = poll.send(frame)
        except StopIteration as over:
            return over.value, asked


@given(messages, st.integers(0, MAX_PREAMBLE))
def test_what_is_built_is_read(message: Message, idle: int) -> None:
    (heard,) = StreamFramer().feed(build(message, idle))
    assert isinstance(heard, Frame)
    assert (parse(heard), preamble(heard)) == (message, idle)


def test_a_preamble_of_any_length_is_heard() -> None:
    frame = build(Message(ADDRESS, 0x91, b"\0\0\1\0"), MAX_PREAMBLE)
    assert StreamFramer().feed(b"\xfe" * 900 + frame) == [
        Noise(b"\xfe" * 900, "noise"),
        *StreamFramer().feed(frame),
    ]


def test_a_length_no_read_may_have_does_not_hold_up_the_frame_behind_it() -> None:
    frame = build(Message(ADDRESS, 0x91, b"\0\0\1\0"), 0)
    too_long = frame[:9] + b"\xc9"
    assert StreamFramer().feed(too_long + frame)[-1] == StreamFramer().feed(frame)[0]


@pytest.mark.parametrize(
    ("asked", "address", "is_it"),
    [
        ("AAAAAAAAAAAA", ADDRESS, True),
        ("AAAAAAAA5387", ADDRESS, True),
        ("AAAAAAAA5388", ADDRESS, False),
        (ADDRESS, ADDRESS, True),
        (ADDRESS, "102311905387", False),
    ],
)
def test_an_address_covers_the_meters_it_stands_for(asked: str, address: str, is_it: bool) -> None:
    assert covers(asked, address) is is_it


def test_identifiers_and_names_are_unique() -> None:
    assert len(BY_IDENTIFIER) == len(ITEMS)
    assert all(name == item.name for name, item in ITEMS.items())


@pytest.mark.parametrize(
    ("name", "octets", "value"),
    [
        ("energy_import", "56341200", 1234.56),
        ("energy_combined", "56341280", -1234.56),
        ("energy_import", "56341280", 801234.56),  # no sign: its highest digit is 8
        ("voltage_a", "0523", 230.5),
        ("current_a", "050180", -0.105),
        ("active_power", "505281", -1.525),
        ("power_factor_b", "9889", -0.998),
        ("frequency", "0150", 50.01),
        ("temperature", "0580", -0.5),
        ("date", "00221126", "2026-11-22"),
        ("time", "585923", "23:59:58"),
        ("address", "875390112300", ADDRESS),
    ],
)
def test_a_value_is_what_the_tables_say(name: str, octets: str, value: object) -> None:
    assert ITEMS[name].value(bytes.fromhex(octets)) == value


@pytest.mark.parametrize("octets", ["ffff", "0a23", "05", "052300", ""])
def test_what_is_no_number_of_the_format_is_no_value(octets: str) -> None:
    assert ITEMS["voltage_a"].value(bytes.fromhex(octets)) is None


@given(st.sampled_from([i for i in ITEMS.values() if i.format[0] == "X"]), st.data())
def test_a_value_is_encoded_as_it_is_read(item: Item, data: st.DataObject) -> None:
    most = (8 if item.is_signed else 10) * 10 ** (2 * item.octets - 1) - 1
    raw = data.draw(st.integers(-most if item.is_signed else 0, most))
    value = raw / 10 ** len(item.format.partition(".")[2])
    assert item.value(item.encode(value)) == value


def test_a_long_value_is_asked_for_in_parts() -> None:
    keys = {"identifiers": {"model": {"di": "0400040b", "format": "NN" * 10}}}
    simulated = SimulatedMeter(ADDRESS, {"0400040B": bytes(range(16, 26))}, most=4)
    result, asked = answered(meter(**keys).poll(0.0), simulated)
    assert result == PollResult(({"model": "19181716151413121110"},))
    assert asked == ["model (0400040B)", "model (0400040B), part 1", "model (0400040B), part 2"]


def test_a_part_is_not_taken_for_another() -> None:
    keys = {"identifiers": {"model": {"di": "0400040B", "format": "NN" * 10}}}
    simulated = SimulatedMeter(ADDRESS, {"0400040B": bytes(10)}, most=4)
    poll = meter(**keys).poll(0.0)
    requests = [next(poll)]
    replies = []
    for _ in range(2):
        replies.append(reply_to(requests[-1].data, simulated))
        requests.append(poll.send(replies[-1]))
    replies.append(reply_to(requests[-1].data, simulated))
    for number, request in enumerate(requests):
        assert [request.accepts(reply) for reply in replies] == [number == other for other in range(3)]


def reply_to(request: bytes, simulated: SimulatedMeter) -> Frame:
    (heard,) = StreamFramer().feed(request)
    assert isinstance(heard, Frame)
    (reply,) = StreamFramer().feed(simulated.answer(heard) or b"")
    assert isinstance(reply, Frame)
    return reply


def test_what_a_meter_refuses_is_left_alone_for_a_while() -> None:
    simulated = SimulatedMeter(ADDRESS)
    simulated.put("voltage_a", 230.5)
    polled = meter(values=["frequency", "voltage_a"])
    values: Values = {"voltage_a": 230.5}
    for number in range(2 * LEARN_AFTER):
        result, asked = answered(polled.poll(0.0), simulated)
        assert result.values == (values,)
        assert not result.complete
        assert len(asked) == len(result.refusals) + 1 == (2 if number < LEARN_AFTER else 1)
    assert result.left_out == ({"frequency": "no such data"},)
    result, _ = answered(polled.poll(RETRY_REFUSED_S), simulated)
    assert str(result.refusals[0]) == "02800002 (frequency): no such data"
    simulated.put("frequency", 50.0)
    result, _ = answered(polled.poll(3 * RETRY_REFUSED_S), simulated)
    assert result == PollResult((values | {"frequency": 50.0},))


def test_a_meter_that_refuses_all_is_asked_one_thing_at_a_time() -> None:
    polled = meter(values=["frequency", "voltage_a"])
    for _ in range(LEARN_AFTER):
        assert len(answered(polled.poll(0.0), SimulatedMeter(ADDRESS))[1]) == 2
    assert len(answered(polled.poll(0.0), SimulatedMeter(ADDRESS))[1]) == 1
    assert polled.planned() == []


def test_an_error_that_may_pass_is_no_reason_to_ask_less() -> None:
    polled = meter(values=["voltage_a"])
    for _ in range(3):
        poll = polled.poll(0.0)
        next(poll)
        (busy,) = StreamFramer().feed(build(Message(ADDRESS, 0xD1, b"\x01")))
        assert isinstance(busy, Frame)
        with pytest.raises(StopIteration) as over:
            poll.send(busy)
        assert str(over.value.value.refusals[0]) == "02010100 (voltage_a): other error"
        assert len(polled.planned()) == 1


def test_silence_ends_a_poll_and_leaves_what_was_read() -> None:
    poll = meter(values=["voltage_a", "frequency"]).poll(0.0)
    simulated = SimulatedMeter(ADDRESS)
    simulated.put("voltage_a", 230.5)
    poll.send(reply_to(next(poll).data, simulated))
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert over.value.value == PollResult(({"voltage_a": 230.5},), complete=False)


@pytest.mark.parametrize("foreign", ["123456789012", "002311905388"])
def test_the_reply_of_another_meter_is_not_taken(foreign: str) -> None:
    (request,) = meter(values=["voltage_a"]).planned()
    own = reply_to(request.data, SimulatedMeter(ADDRESS, {"02010100": b"\x05\x23"}))
    (other,) = StreamFramer().feed(build(replace(parse(own), address=foreign)))
    assert isinstance(other, Frame)
    assert request.accepts(own)
    assert not request.accepts(other)


def test_the_keys_of_a_meter() -> None:
    settings = parse_settings(
        {
            "address": "311905387",
            "values": ["energy_import_t2", "voltage_c"],
            "identifiers": {"leak": {"di": "0290010a", "format": "XX.XX", "unit": "A", "signed": True}},
        }
    )
    assert settings.address == "000311905387"
    assert [item.di for item in settings.items] == ["00010200", "02010300", "0290010A"]
    assert settings.items[2] == Item("leak", "0290010A", "XX.XX", "A", is_signed=True)
    assert settings.units == {"energy_import_t2": "kWh", "voltage_c": "V", "leak": "A"}
    assert settings.address == "000311905387"


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {
        "address": 2311905387,
        "adress": 1,
        "values": ["voltage", "energy_import_t64", "frequency", "frequency", 7],
        "identifiers": {
            "a": {"di": "123", "format": "XXX"},
            "b": {"di": 7, "format": "NN", "sign": True},
            "c": {},
            "d": 5,
            "e": {"di": "00000001", "format": "XX", "unit": 1, "signed": "yes"},
            "frequency": {"di": "00000001", "format": "XX"},
        },
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    told = {".".join(map(str, path)): message for path, message in caught.value.problems}
    expected = {
        "adress": "unknown key; did you mean address?",
        "address": "2311905387 is a number, write the digits on the meter in quotes",
        "values.0": 'unknown value "voltage" (others go below identifiers); did you mean "voltage_',
        "values.1": 'unknown value "energy_import_t64"; tariffs of an energy are "energy_import_t1" to ',
        "values.3": '"frequency" stands here twice, keep one',
        "values.4": 'unknown value 7 (others go below identifiers); use "energy_combined", ',
        "identifiers.a.di": f'"123" is not {EIGHT_DIGITS}',
        "identifiers.a.format": '"XXX"',
        "identifiers.b.sign": "unknown key; did you mean signed?",
        "identifiers.b.di": f"7 is not {EIGHT_DIGITS}",
        "identifiers.c.di": "is missing",
        "identifiers.c.format": "is missing",
        "identifiers.d": '5 is not an identifier, write for example { di = "02010100", format = "XXX.X" }',
        "identifiers.e.unit": "1 is not a text, write it in quotes",
        "identifiers.e.signed": '"yes" is neither true nor false',
        "identifiers.frequency": "this name is among the values too, choose another",
    }
    begun = {path: message[: len(expected.get(path, message))] for path, message in told.items()}
    assert begun == expected


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (None, "is missing"),
        ("999999999999", "is for broadcasts"),
        ("1234567890123", "is not a meter address"),
        ("12345678901A", "is not a meter address"),
        ("1234AAAAAAAA", "is not a meter address"),
        ("", "is not a meter address"),
        (True, "is not a meter address"),
    ],
)
def test_a_wrong_address_is_named(address: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings({"address": address, "values": ["voltage_a"]})


def test_a_meter_without_values_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="needs values to read"):
        parse_settings({"address": ADDRESS})


def test_an_address_that_stands_for_a_neighbour_too_is_refused() -> None:
    named, anyone, part = (
        parse_settings({"address": address, "values": ["voltage_a"]})
        for address in ("002311905387", "A" * 12, "AAAA11905387")
    )
    assert conflicts([named, named]) == []
    assert conflicts([anyone, anyone]) == []
    (problem,) = conflicts([named, anyone])
    assert problem == (
        (1, "address"),
        '"AAAAAAAAAAAA" calls the meter "002311905387" of this line too: write all twelve digits',
    )
    assert [path for path, _ in conflicts([part, named, anyone])] == [(0, "address"), (2, "address")]


def of_1997(*names: str, **keys: object) -> Meter:
    settings = parse_settings({"address": ADDRESS, "values": list(names)} | keys, DLT645_1997)
    return Meter([settings], LINE, DLT645_1997)


def test_a_meter_of_1997_is_asked_by_two_octets_and_function_1() -> None:
    device = of_1997("energy_import", "voltage_a", "active_power", "energy_export_t2")
    (request, *_) = device.planned()
    assert request.data.hex() == "fefefefe68875390112300680102" + "43c3" + "7716"
    simulated = SimulatedMeter(ADDRESS, edition=DLT645_1997)
    values: Values = {"energy_import": 1426.79, "voltage_a": 223, "active_power": 12.3456}
    for name, value in values.items():
        simulated.put(name, value)
    result, asked = answered(device.poll(0.0), simulated)
    assert asked[0] == "energy_import (9010)"
    assert result.values == (values,)
    assert [str(refusal) for refusal in result.refusals] == ["9022 (energy_export_t2): no such data"]


def test_a_long_value_of_1997_comes_in_parts_without_numbers() -> None:
    own = {"identifiers": {"label": {"di": "C0FF", "format": "NN" * 12}}}
    octets = bytes.fromhex("101112131415161718192021")
    simulated = SimulatedMeter(ADDRESS, {"C0FF": octets}, most=5, edition=DLT645_1997)
    device = Meter([parse_settings({"address": ADDRESS} | own, DLT645_1997)], LINE, DLT645_1997)
    result, asked = answered(device.poll(0.0), simulated)
    assert len(asked) == 3
    assert result.values == ({"label": octets[::-1].hex()},)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"values": ["energy_import_t15"]}, "tariffs of an energy are .energy_import_t1. to ._t14."),
        ({"identifiers": {"a": {"di": "02010100", "format": "XXXX"}}}, "is not four hexadecimal digits"),
        ({"values": ["frequency"]}, "unknown value"),
    ],
)
def test_a_mistake_in_the_keys_of_1997_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings({"address": ADDRESS} | keys, DLT645_1997)


def test_every_value_of_the_tables_of_1997_has_an_identifier_of_its_own() -> None:
    assert len({item.di for item in DLT645_1997.items.values()}) == len(DLT645_1997.items)
    assert all(DLT645_1997.item_of(item.di) is item for item in DLT645_1997.items.values())
