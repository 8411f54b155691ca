"""VE.Direct HEX: what answers and what does not, what is no value, and what is told about its keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import load
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Event, Frame, Noise
from protocols.toolkit.lessons import LEARN_AFTER, RETRY_REFUSED_S
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Values
from protocols.toolkit.scaling import Missing
from protocols.vedirect.device import VictronDevice
from protocols.vedirect.hex_frame import (
    ASYNC,
    GET,
    LONGEST,
    MAX_DIGITS,
    SET,
    Message,
    RegisterContent,
    StreamFramer,
    build,
    of_register,
    parse,
    register_content,
)
from protocols.vedirect.registers import BY_NUMBER, REGISTERS
from protocols.vedirect.settings import parse_settings
from protocols.vedirect.simulation import DIALECT, SimulatedDevice
from tests.protocols.vectors import vectors

HEX = load("vedirect-hex")
LINE = LineSettings(19200)
VOLTAGE, CURRENT = 0xED8D, 0xED8C
UNITS = {"amps": "A", "volts": "V", "watts": "W", "celsius": "°C"}


def heard(data: bytes) -> list[Event]:
    framer = StreamFramer()
    return framer.feed(data) + framer.silence()


def frame(message: Message) -> Frame:
    (found,) = heard(build(message))
    assert isinstance(found, Frame)
    return found


def device(**keys: object) -> VictronDevice:
    return VictronDevice([parse_settings(keys)], LINE)


def answered(poll: Dialogue, simulated: SimulatedDevice) -> tuple[PollResult, list[str]]:
    """Return what a poll brings, and what it asked for."""
    asked = []
    request = next(poll)
    while True:
        asked.append(request.summary)
        reply = simulated.answer(Frame(request.data))
        assert reply is not None
        assert request.reply_length <= len(reply) <= request.longest_reply
        (found,) = request.framer().feed(reply)
        assert isinstance(found, Frame)
        assert request.accepts(found)
        try:
            request = poll.send(found)
        except StopIteration as over:
            return over.value, asked


@given(st.integers(0, 15), st.binary(max_size=MAX_DIGITS // 2 - 1))
def test_what_is_built_is_read(command: int, data: bytes) -> None:
    message = Message(command, data)
    assert parse(frame(message)) == message
    assert len(build(message)) % 2 == 1  # colon, an odd number of digits, line feed


def test_the_longest_message_is_heard_and_one_longer_is_not() -> None:
    longest = build(Message(GET, bytes(MAX_DIGITS // 2 - 1)))
    assert len(longest) == LONGEST - 1
    assert heard(longest) == [Frame(longest)]
    longer = build(Message(GET, bytes(MAX_DIGITS // 2)))
    assert not any(isinstance(event, Frame) for event in heard(longer))


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["id"]) for v in vectors("vedirect-hex") if "decoded" in v["expected"]]
)
def test_a_value_is_what_the_vector_says(vector: dict[str, dict[str, dict[str, object]]]) -> None:
    told = HEX.describer()(Frame(bytes.fromhex(str(vector["hex"]))))
    ((name, value),) = vector["expected"]["decoded"].items()
    assert told["value"] == value
    assert told.get("unit") == UNITS.get(name)


@pytest.mark.parametrize(
    ("name", "octets", "value"),
    [
        ("voltage", "3c0a", 26.2),
        ("voltage", "f6ff", -0.1),
        ("voltage", "ff7f", Missing.NO_VALUE),
        ("panel_voltage", "ff7f", 327.67),
        ("panel_voltage", "ffff", Missing.NO_VALUE),
        ("panel_power", "ffffffff", Missing.NO_VALUE),
        ("panel_power", "01000000", 0.01),
        ("current", "ffffff7f", Missing.NO_VALUE),
        ("current", "2efbffff", -1.234),
        ("state", "fc", 252),
        ("mode", "ff", 255),
        ("state", "", Missing.NO_VALUE),
        ("state", "010203", Missing.NO_VALUE),
        ("temperature", "7774", 25.0),
        ("serial_number", "485131323300", "HQ123"),
        ("serial_number", "", Missing.NO_VALUE),
    ],
)
def test_a_register_means_what_the_table_says(name: str, octets: str, value: object) -> None:
    assert REGISTERS[name].value(bytes.fromhex(octets)) == value


def test_names_and_numbers_are_unique() -> None:
    assert len(REGISTERS) == len(BY_NUMBER)


def test_a_device_is_asked_for_each_register_once() -> None:
    simulated = SimulatedDevice({VOLTAGE: b"\x3c\x0a", CURRENT: b"\x2e\xfb\xff\xff", 0xEDA7: b"\x39\x30"})
    own = {"load_power": {"register": 0xEDA7, "divide": 100, "unit": "W", "max": 100}}
    polled = VictronDevice(
        [parse_settings({"values": ["voltage", "current"]}), parse_settings({"registers": own})], LINE
    )
    result, asked = answered(polled.poll(0.0), simulated)
    missing: tuple[dict[str, str], ...] = ({}, {"load_power": "out of limits"})
    values: tuple[Values, ...] = ({"voltage": 26.2, "current": -1.234}, {})
    assert result == PollResult(values, out_of_limits=1, missing=missing)
    assert asked == [
        "register 0xED8D (voltage)",
        "register 0xED8C (current)",
        "register 0xEDA7 (load_power)",
    ]


def test_what_a_device_does_not_know_is_left_alone_for_a_while() -> None:
    simulated = SimulatedDevice({VOLTAGE: b"\x3c\x0a"})
    polled = device(values=["current", "voltage"])
    for number in range(2 * LEARN_AFTER):
        result, asked = answered(polled.poll(0.0), simulated)
        assert result.values == ({"voltage": 26.2},)
        assert not result.complete
        assert len(asked) == len(result.refusals) + 1 == (2 if number < LEARN_AFTER else 1)
    assert len(polled.planned()) == 1
    assert result.left_out == ({"current": "unknown register"},)
    refusal = answered(polled.poll(RETRY_REFUSED_S), simulated)[0].refusals[0]
    assert str(refusal) == "register 0xED8C (current): unknown register"
    simulated.registers[CURRENT] = bytes(4)
    result, _ = answered(polled.poll(3 * RETRY_REFUSED_S), simulated)
    assert result == PollResult(({"voltage": 26.2, "current": 0.0},))


def test_a_device_that_knows_nothing_is_asked_one_thing_at_a_time() -> None:
    polled = device(values=["current", "voltage"])
    for _ in range(LEARN_AFTER):
        assert len(answered(polled.poll(0.0), SimulatedDevice())[1]) == 2
    assert len(answered(polled.poll(0.0), SimulatedDevice())[1]) == 1


def test_a_refusal_that_may_pass_is_no_reason_to_ask_less() -> None:
    polled = device(values=["voltage"])
    for _ in range(2):
        poll = polled.poll(0.0)
        next(poll)
        with pytest.raises(StopIteration) as over:
            poll.send(frame(of_register(GET, RegisterContent(VOLTAGE, 0x02))))
        assert str(over.value.value.refusals[0]) == "register 0xED8D (voltage): not supported now"
        assert len(polled.planned()) == 1


def test_silence_ends_a_poll_and_leaves_what_was_read() -> None:
    poll = device(values=["voltage", "current"]).poll(0.0)
    next(poll)
    poll.send(frame(of_register(GET, RegisterContent(VOLTAGE, value=b"\x3c\x0a"))))
    with pytest.raises(StopIteration) as over:
        poll.send(None)
    assert over.value.value == PollResult(({"voltage": 26.2},), complete=False)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(of_register(GET, RegisterContent(VOLTAGE)), id="the request, heard again"),
        pytest.param(of_register(GET, RegisterContent(CURRENT, value=b"\x3c\x0a")), id="of another register"),
        pytest.param(of_register(ASYNC, RegisterContent(VOLTAGE, value=b"\x3c\x0a")), id="told unasked"),
        pytest.param(of_register(SET, RegisterContent(VOLTAGE, value=b"\x3c\x0a")), id="of a set"),
        pytest.param(Message(0x5, b"\x16\x41"), id="of a ping"),
        pytest.param(Message(0x4, b"\xaa\xaa"), id="an error that says not of what"),
        pytest.param(Message(GET, b"\x8d\xed"), id="too short for a register"),
    ],
)
def test_what_does_not_answer_is_not_taken(message: Message) -> None:
    (request,) = device(values=["voltage"]).planned()
    assert request.accepts(frame(of_register(GET, RegisterContent(VOLTAGE, value=b"\x3c\x0a"))))
    assert not request.accepts(frame(message))


def test_the_simulated_device_answers_all_commands() -> None:
    simulated = SimulatedDevice()
    for command, reply in ((1, ":51641F9\n"), (3, ":11641FD\n"), (4, ":1000351\n"), (2, ":3020050\n")):
        assert simulated.answer(frame(Message(command))) == reply.encode()


def test_the_dialect_spoils_a_reply_so_that_it_is_not_taken() -> None:
    (request,) = device(values=["voltage"]).planned()
    asked = Frame(request.data)
    good = SimulatedDevice({VOLTAGE: b"\x3c\x0a"}).answer(asked)
    assert good is not None
    assert DIALECT.concerns(asked, "")
    assert DIALECT.address(asked) == ""
    (stray,) = DIALECT.framer().feed(DIALECT.misaddressed(Frame(good)))
    assert isinstance(stray, Frame)
    assert not request.accepts(stray)
    (refused,) = DIALECT.framer().feed(DIALECT.refused(asked, 4))
    assert isinstance(refused, Frame)
    assert request.accepts(refused)
    told = register_content(parse(refused))
    assert told == RegisterContent(VOLTAGE, 4)
    assert [event.reason for event in heard(DIALECT.damaged(good)) if isinstance(event, Noise)] == [
        "checksum"
    ]


def test_the_keys_of_a_device() -> None:
    own = {
        "name": {"register": 0x010C, "type": "string"},
        "a": {"register": 1, "type": "signed", "unit": "A"},
    }
    settings = parse_settings({"values": ["panel_power"], "registers": own})
    assert settings.units == {"panel_power": "W", "name": "", "a": "A"}
    assert settings.address == ""


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {
        "value": ["voltage"],
        "values": ["volts", "current", "current", 7],
        "registers": {
            "a": {"register": 0x10000, "typ": "signed"},
            "b": {"type": "uint16"},
            "c": 0xEDD5,
            "d": {"register": 1, "type": "string", "divide": 10},
            "e": {"register": 1, "min": 5, "max": 1},
            "current": {"register": 2},
        },
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    told = {".".join(map(str, path)): message for path, message in caught.value.problems}
    expected = {
        "value": "unknown key; did you mean values?",
        "values.0": 'unknown value "volts" (others go below registers); did you mean "voltage"',
        "values.2": '"current" stands here twice, keep one',
        "values.3": "unknown value 7 (others go below registers); use ",
        "registers.a.register": "65536 is not a register, use 0–0xFFFF",
        "registers.a.typ": "unknown key; did you mean type?",
        "registers.b.type": '"uint16" is not a type, use one of unsigned, signed, string',
        "registers.b": "needs the register's number, for example register = 0xEDD5",
        "registers.c": "60885 is not a register, write for example { register = 0xEDD5 }",
        "registers.d.divide": "goes with numbers, not with a string",
        "registers.e.min": "5 is above max = 1, swap them",
        "registers.current": "this name is among the values too, choose another",
    }
    begun = {path: message[: len(expected.get(path, message))] for path, message in told.items()}
    assert begun == expected


@pytest.mark.parametrize("keys", [{}, {"values": []}, {"values": "voltage"}, {"registers": 7}])
def test_a_device_without_values_is_a_mistake(keys: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"needs values to read|is not a list|is not a table"):
        parse_settings(keys)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b":", id="colons"),
        pytest.param(b":7", id="starts"),
        pytest.param(b":" + b"A" * MAX_DIGITS, id="the longest, without an end"),
        pytest.param(b":7F0ED009600DC\n", id="wrong checksums"),
    ],
)
def test_a_megabyte_of_nonsense_is_no_frame(pattern: bytes) -> None:
    data = (pattern * (1_000_000 // len(pattern) + 1))[:1_000_000]
    assert not any(isinstance(event, Frame) for event in heard(data))


@pytest.mark.parametrize(
    ("register", "octets", "name", "value", "unit"),
    [
        (0x2027, "5aa10000", "network_panel_power", 413.06, "W"),
        (0x200A, "24faffff", "network_battery_current", -1.5, "A"),
        (0x2003, "f401", "network_battery_temperature", 5.0, "°C"),
        (0xEDB4, "39300000", "panel_mpp_power", 123.45, "W"),
        (0xEDB6, "10270000", "panel_open_circuit_voltage", 100.0, "V"),
        (0xECDC, "39300000", "panel_power_2", 123.45, "W"),
        (0x2200, "e659", "ac_output_voltage", 230.14, "V"),
        (0x2214, "9cff", "ac_output_current_l1", -1.0, "A"),
        (0xEDD7, "f6ff", "charger_current", -1.0, "A"),
        (0x030A, "02000000", "low_voltage_alarms", 2, ""),
    ],
)
def test_a_register_of_victrons_list_has_its_name_and_unit(
    register: int, octets: str, name: str, value: object, unit: str
) -> None:
    fields = HEX.describer()(frame(of_register(ASYNC, RegisterContent(register, 0, bytes.fromhex(octets)))))
    assert (fields["name"], fields["value"], fields.get("unit", "")) == (name, value, unit)


@pytest.mark.parametrize(
    ("register", "octets"),
    [
        (0x2027, "ffffffff"),
        (0x2003, "ffff"),
        (0x2003, "ff7f"),
        (0xED8D, "ff7f"),
        (0xEDD7, "ffff"),
        (0xEDEC, "ffff"),
        (0x0201, "ff"),
        (0xEDDA, "ff"),
        (0xEDB3, "ff"),
        (0xEDB0, "ff"),
        (0x1234, "ffff"),  # of no list here
    ],
)
def test_what_is_not_available_is_no_number(register: int, octets: str) -> None:
    fields = HEX.describer()(frame(of_register(GET, RegisterContent(register, 0, bytes.fromhex(octets)))))
    assert fields.keys() == {"command", "register", "flags", "payload"}
    if register in BY_NUMBER:
        assert BY_NUMBER[register].value(bytes.fromhex(octets)) is Missing.NO_VALUE
