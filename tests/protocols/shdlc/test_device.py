"""SHDLC: who sent a frame, how a sensor is started and woken, and what is told about its keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.shdlc import PROTOCOL
from protocols.shdlc.description import Describer
from protocols.shdlc.device import PULSE, Sensor
from protocols.shdlc.frame import (
    MAX_LENGTH,
    Miso,
    Mosi,
    StreamFramer,
    build,
    content,
    enclosed,
    reply,
    request,
)
from protocols.shdlc.models import MODELS, NO_DATA, NOT_ALLOWED, Model
from protocols.shdlc.settings import parse_settings
from protocols.shdlc.simulation import Mode, SimulatedSensor
from protocols.toolkit.errors import DecodeError, SettingsError
from protocols.toolkit.framing import Direction, Frame, Noise
from protocols.toolkit.polling import Dialogue, PollResult
from tests.protocols.vectors import vectors

LINE = PROTOCOL.line
assert LINE is not None
AIR = {
    "sps30": dict.fromkeys((each.name for each in MODELS["sps30"].quantities), 2.0),
    "sfa30": {"formaldehyde": 21.4, "humidity": 45.67, "temperature": -3.215},
    "svm40": {"voc_index": 100.5, "humidity": 45.67, "temperature": 23.115},
    "svm41": {"humidity": 45.67, "temperature": 23.115, "voc_index": 100.5, "nox_index": 1.0},
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
octets = st.integers(0, 255)
requests = st.builds(Mosi, octets, octets, st.binary(max_size=255))
replies = st.builds(Miso, octets, octets, octets, st.binary(max_size=255))


def polled(name: str = "sps30", **keys: object) -> Sensor:
    return Sensor([parse_settings({"model": name} | keys)], LINE)


def simulated(name: str = "sps30", mode: Mode = Mode.IDLE) -> SimulatedSensor:
    return SimulatedSensor(MODELS[name], AIR[name], mode=mode)


def found(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def answered(poll: Dialogue, sensor: SimulatedSensor | None) -> tuple[PollResult, list[str]]:
    """Return what a poll brings, and what it asked for; of no sensor nothing is heard."""
    asked = []
    wanted = next(poll)
    while True:
        asked.append(wanted.summary.partition(": ")[2])
        frame = None
        if wanted.data == PULSE:
            assert not wanted.is_answered
            if sensor is not None:
                sensor.pull_low()
        elif sensor is not None and (data := sensor.answer(found(wanted.data))) is not None:
            frame = found(data)
            assert wanted.accepts(frame)
            assert wanted.reply_length <= len(data) <= wanted.longest_reply
        try:
            wanted = poll.send(frame)
        except StopIteration as over:
            return over.value, asked


@given(requests)
def test_a_request_that_is_built_is_read(message: Mosi) -> None:
    frame = found(build(message))
    assert request(frame) == message
    assert frame.direction is not Direction.REPLY


@given(replies)
def test_a_reply_that_is_built_is_read(message: Miso) -> None:
    frame = found(build(message))
    assert reply(frame) == message
    assert frame.direction is not Direction.REQUEST


def test_frames_without_a_gap_are_all_found() -> None:
    stream = b"".join(build(Mosi(0, command)) for command in range(256))
    assert [event.data for event in StreamFramer().feed(stream)] == [
        build(Mosi(0, command)) for command in range(256)
    ]


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (b"\x7e\x00\xd1\x00\x2f\x7e", "checksum"),
        (b"\x7e\x00\xd1\x00\x7d\x2e\x7e", "stuffing"),  # no octet is stuffed so
        (b"\x7e\x00\xd1\x00\x7d\x7e", "stuffing"),
        (b"\x7e\x00\xff\x7e", "noise"),
        (b"\x7e\x00\x7d\x5e\x00\x7e", "length"),
        (b"\x7e\x00\xd1\x02\x2c\x7e", "length"),
    ],
)
def test_what_is_wrong_with_a_frame_is_told(spoiled: bytes, reason: str) -> None:
    framer = StreamFramer()
    events = framer.feed(spoiled) + framer.feed(build(Mosi(0, 3)))
    assert events[0] == Noise(spoiled[: len(events[0].data)], reason)
    assert events[-1] == Frame(build(Mosi(0, 3)), Direction.REQUEST)


def test_a_frame_that_never_ends_is_given_up() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\x7e" + bytes(MAX_LENGTH)) == [Noise(b"\x7e" + bytes(MAX_LENGTH), "noise")]


def test_a_frame_that_is_request_and_reply_is_what_the_line_was_waiting_for() -> None:
    asked, refused = build(Mosi(0, 0xD0, b"\x00")), build(Miso(0, 0xD0, 1))
    assert asked == refused
    describe, frame = Describer(None), found(asked)
    assert frame.direction is None
    assert describe(frame)["data_length"] == 1
    assert describe(frame)["error_name"] == "wrong length of the data"
    assert describe(frame)["data_length"] == 1


@every_model
def test_an_idle_sensor_is_started_and_says_so(model: Model) -> None:
    sensor, device = simulated(model.name), polled(model.name)
    result, asked = answered(device.poll(0.0), sensor)
    assert asked == ["measured values", "start of the measurement"]
    assert not result.complete
    assert [refusal.code for refusal in result.refusals] == [NOT_ALLOWED]
    told = "measured values: not allowed in the current state; the measurement was started"
    assert str(result.refusals[0]) == told
    result, asked = answered(device.poll(0.0), sensor)
    assert asked == ["measured values"]
    assert result == PollResult((AIR[model.name] | {"device_error": False},))


@every_model
def test_every_format_brings_the_same_values(model: Model) -> None:
    for name in model.formats:
        keys = {"format": name} if model.name == "sps30" else {}
        sensor, device = simulated(model.name), polled(model.name, values=[*AIR[model.name]], **keys)
        answered(device.poll(0.0), sensor)
        assert answered(device.poll(0.0), sensor)[0] == PollResult((AIR[model.name],))


def test_a_sensor_that_measures_and_has_nothing_new_is_left_alone() -> None:
    sensor, device = simulated(), polled()
    answered(device.poll(0.0), sensor)
    answered(device.poll(0.0), sensor)
    sensor.has_news = False
    assert answered(device.poll(0.0), sensor) == (PollResult(({},)), ["measured values"])


def test_a_sensor_that_never_gave_a_value_is_told_to_start() -> None:
    sensor, device = simulated(mode=Mode.IDLE), polled()
    sensor.answer(found(build(Mosi(0, 0, b"\x01\x03"))))
    sensor.has_news = False
    started = ["measured values", "start of the measurement"]
    assert answered(device.poll(0.0), sensor) == (PollResult(({},)), started)
    assert answered(device.poll(0.0), sensor) == (PollResult(({},)), started[:1])


def test_a_sleeping_sensor_is_woken_and_started() -> None:
    sensor, device = simulated(mode=Mode.ASLEEP), polled()
    result, asked = answered(device.poll(0.0), sensor)
    assert asked == ["measured values", "wake-up pulse", "wake-up", "start of the measurement"]
    assert result == PollResult(({},), complete=False)
    assert answered(device.poll(0.0), sensor)[0].values[0]["pm2_5"] == 2.0


@pytest.mark.parametrize(
    ("name", "asked"),
    [("sps30", ["measured values", "wake-up pulse", "wake-up"]), ("svm41", ["measured values"])],
)
def test_silence_ends_a_poll(name: str, asked: list[str]) -> None:
    assert answered(polled(name).poll(0.0), None) == (PollResult(({},), complete=False), asked)


def test_a_sensor_that_was_off_is_started_again() -> None:
    sensor, device = simulated(), polled(values=["pm2_5", "serial_number"])
    for _ in range(2):
        answered(device.poll(0.0), sensor)
    answered(device.poll(0.0), None)
    swapped = simulated()
    swapped.serial = "another"
    answered(device.poll(0.0), swapped)
    assert answered(device.poll(0.0), swapped)[0].values == ({"pm2_5": 2.0, "serial_number": "another"},)


def test_no_value_yet_is_no_value() -> None:
    poll = polled("sfa30").poll(0.0)
    next(poll)
    start = poll.send(found(build(Miso(0, 3, NO_DATA))))
    assert start.summary.endswith("start of the measurement")
    with pytest.raises(StopIteration) as over:
        poll.send(found(build(Miso(0, 0, NOT_ALLOWED))))
    assert over.value.value.values == ({},)
    assert str(over.value.value.refusals[0]) == "measured values: no measured values yet"
    assert MODELS["svm41"].values(bytes(8)) == {}
    assert MODELS["sfa30"].values(bytes.fromhex("7fff11d71213")) == {"humidity": 45.67, "temperature": 23.135}
    assert MODELS["sps30"].values(bytes.fromhex("7fc00000" * 10)) == {}


def test_the_serial_number_is_asked_for_once() -> None:
    sensor, device = simulated("sfa30"), polled("sfa30", values=["serial_number", "temperature"])
    answered(device.poll(0.0), sensor)
    assert len(device.planned()) == 2
    result, asked = answered(device.poll(0.0), sensor)
    assert asked == ["measured values", "serial number"]
    assert result == PollResult(({"serial_number": sensor.serial, "temperature": -3.215},))
    assert answered(device.poll(0.0), sensor) == (result, ["measured values"])
    assert len(device.planned()) == 1


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_serial_number_that_is_never_told_is_left_out_by_name_and_comes_back(is_silent: bool) -> None:
    sensor, device = simulated("sfa30"), polled("sfa30", values=["serial_number", "temperature"])
    answered(device.poll(0.0), sensor)

    def once(now: float) -> tuple[PollResult, int]:
        poll = device.poll(now)
        request = next(poll)
        for count in range(1, 9):
            reply = None if count == 2 and is_silent else found(sensor.answer(found(request.data)) or b"")
            if count == 2 and not is_silent:
                reply = found(build(Miso(0, 0xD0, 1)))
            try:
                request = poll.send(reply)
            except StopIteration as over:
                return over.value, count
        raise AssertionError("the poll does not end")

    counts = [once(float(now))[1] for now in range(10)]
    assert counts == [2, 2, 2, 1, 1, 1, 1, *([1] * 3 if is_silent else [2, 1, 1])]
    (left_out,) = once(10.0)[0].left_out
    assert left_out.keys() == {"serial_number"}
    result, _ = answered(device.poll(4000.0), sensor)
    assert (result.values[0]["serial_number"], result.left_out) == (sensor.serial, ())


def test_a_device_error_is_told_with_the_values() -> None:
    sensor, device = simulated(), polled()
    answered(device.poll(0.0), sensor)
    sensor.has_fault = True
    (values,) = answered(device.poll(0.0), sensor)[0].values
    assert values["device_error"] is True
    assert values["pm10"] == 2.0


def test_the_reply_of_another_model_makes_no_sense() -> None:
    poll = polled("sfa30").poll(0.0)
    next(poll)
    with pytest.raises(DecodeError, match="40 octets are not the values of sfa30: compare the model"):
        poll.send(found(build(Miso(0, 3, 0, bytes(40)))))


@pytest.mark.parametrize(
    "other",
    [
        Miso(1, 3, 0, bytes(40)),  # another sensor
        Miso(0, 0xD0, 0, b"late"),  # another question
        Miso(0, 3, 0x43, bytes(40)),  # refuses, and brings data
        Mosi(0, 3),  # the echo of the request
    ],
)
def test_only_its_own_reply_is_taken(other: Miso | Mosi) -> None:
    (wanted,) = polled().planned()
    assert wanted.accepts(found(build(Miso(0, 3, 0, bytes(40)))))
    assert wanted.accepts(found(build(Miso(0, 3, NOT_ALLOWED))))
    assert not wanted.accepts(found(build(other)))


def test_two_sensors_of_the_site_share_one_device() -> None:
    settings = [parse_settings({"model": "sps30", "values": [name]}) for name in ("pm10", "pm1_0")]
    device, sensor = Sensor(settings, LINE), simulated()
    answered(device.poll(0.0), sensor)
    assert answered(device.poll(0.0), sensor)[0].values == ({"pm10": 2.0}, {"pm1_0": 2.0})


@pytest.mark.parametrize(
    ("mode", "message", "code"),
    [
        (Mode.IDLE, Mosi(0, 0, b"\x01\x07"), 4),  # no such format
        (Mode.IDLE, Mosi(0, 1), NOT_ALLOWED),
        (Mode.MEASURING, Mosi(0, 0, b"\x01\x03"), NOT_ALLOWED),
        (Mode.MEASURING, Mosi(0, 1, b"\x00"), 1),
        (Mode.MEASURING, Mosi(0, 3, b"\x00"), 4),
        (Mode.IDLE, Mosi(0, 0xD0, b"\x09"), 4),
        (Mode.IDLE, Mosi(0, 0x80, b"\x00"), 2),
    ],
)
def test_a_simulated_sensor_refuses_what_a_real_one_would(mode: Mode, message: Mosi, code: int) -> None:
    answer = reply(found(simulated(mode=mode).answer(found(build(message))) or b""))
    assert answer == Miso(0, message.command, code)


def test_only_a_sensor_with_a_sleep_mode_sleeps() -> None:
    for name, error in ("sps30", 0), ("svm41", 2):
        answer = simulated(name).answer(found(build(Mosi(0, 0x10))))
        assert reply(found(answer or b"")) == Miso(0, 0x10, error)


def test_what_the_vectors_say_was_decoded_is_described() -> None:
    stated = [
        (bytes.fromhex(each["hex"]), each["expected"]["decoded"])
        for vector in vectors("shdlc")
        for each in [vector, *vector["expected"].get("frames", ())]
        if "decoded" in each["expected"]
    ]
    assert stated
    for data, decoded in stated:
        assert decoded.items() <= Describer(None)(found(data)).items()


def test_content_is_enclosed_again() -> None:
    frame = build(Mosi(0x7E, 0x7D, b"\x11\x13"))
    assert frame == bytes.fromhex("7e 7d5e 7d5d 02 7d31 7d33 de 7e")
    assert enclosed(content(frame)) == frame


SFA30_VALUES = '"formaldehyde", "humidity", "temperature", "device_error", "serial_number"'


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {
        "model": "sfa30",
        "adress": 1,
        "address": 255,
        "format": "float",
        "values": ["pm2_5", "humidity", "humidity", 7],
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    assert {".".join(map(str, path)): message for path, message in caught.value.problems} == {
        "adress": "unknown key; did you mean address?",
        "address": "255 is not an address, use 0–254; as delivered it is 0",
        "format": '"float" is not a format of sfa30, use "integer"',
        "values.0": f'unknown value "pm2_5"; use {SFA30_VALUES}',
        "values.2": '"humidity" stands here twice, keep one',
        "values.3": f"unknown value 7; use {SFA30_VALUES}",
    }


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, 'model: is missing: which sensor it is, "sps30" or "sfa30" or "svm40" or "svm41"'),
        ({"model": "sps31"}, 'model: "sps31" is not a model'),
        ({"model": "sps30", "values": []}, "values: .* write for example"),
        ({"model": "sps30", "values": "pm10"}, "values: .* write for example"),
        ({"model": "sps30", "address": True}, "address: true is not an address"),
        ({"model": "sps30", "colour": 1}, "colour: unknown key; use model, address, values, format"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings(keys)


def test_one_device_is_not_two() -> None:
    keys: list[dict[str, object]] = [
        {"model": "sps30"},
        {"model": "sfa30"},
        {"model": "sps30", "values": ["pm10"]},
        {"model": "sfa30", "address": 1},
        {"model": "sps30", "format": "integer"},
    ]
    told = PROTOCOL.conflicts([parse_settings(each) for each in keys])
    assert told == [
        (
            (1, "model"),
            "sfa30 contradicts sps30 of sensor[1], which has address 0 too: one device is one model, give "
            "each device an address or a bus of its own",
        ),
        (
            (4, "format"),
            "integer contradicts float of sensor[1], which has address 0 too: one device is started in one "
            "format, write the same in both",
        ),
    ]


def test_the_keys_of_a_sensor() -> None:
    settings = parse_settings({"model": "sps30", "format": "integer", "values": ["pm10", "serial_number"]})
    assert settings.units == {"pm10": "µg/m³", "serial_number": ""}
    assert settings.address == "0"
    assert settings.form is MODELS["sps30"].formats["integer"]
    assert PROTOCOL.model_names == ("sps30", "sfa30", "svm40", "svm41")
