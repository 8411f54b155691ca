"""A declared sensor: what its fields mean, how it is heard and asked, and what its simulated line does."""

from __future__ import annotations

import random
import struct
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols import load
from protocols.declared import declaration, declared_by
from protocols.declared.sensor import Declared, DeclaredDevice, DeclaredListener
from protocols.declared.simulation import SimulatedSensor, dialect
from protocols.toolkit.checksum import crc16_modbus
from protocols.toolkit.errors import DecodeError, SettingsError
from protocols.toolkit.framing import Direction, Frame, Noise
from protocols.toolkit.polling import LineSettings, PollResult
from protocols.toolkit.pushing import PushingSettings
from tests.protocols.declared.declarations import frames, raws_of
from tests.protocols.vectors import hear, vectors

LINE = LineSettings(9600)
PROBE: dict[str, Any] = {
    "frame": {
        "sync": "AA ?? 81",
        "length": 10,
        "checksum": {"name": "crc16-modbus", "from": 1, "order": "little"},
        "fields": {
            "probe": {"at": 1, "id": True},
            "level": {"at": 3, "type": "uint16", "divide": 10, "max": 100},
            "state": {"at": 5, "mask": 0x0F, "enum": {"1": "on"}},
            "leak": {"at": 5, "bit": 7},
        },
    },
    "request": {"send": "AA {id} 01", "checksum": {"name": "crc16-modbus", "from": 1, "order": "little"}},
}


def value_of(octets: str, **entry: Any) -> Any:
    """Return what a single field of these octets means; None if it has no value."""
    data = bytes.fromhex(octets)
    frame = {"sync": "AA 55", "length": 2 + len(data), "checksum": "none"}
    declared = declaration({"frame": {**frame, "fields": {"value": entry}}}).frame
    values, _ = declared.values(declared.parse(b"\xaa\x55" + data))
    return values.get("value")


@pytest.mark.parametrize(
    ("octets", "entry", "expected"),
    [
        ("FE", {}, 254),
        ("FE", {"type": "int8"}, -2),
        ("0102", {"type": "uint16"}, 258),
        ("0102", {"type": "uint16", "order": "little"}, 513),
        ("FFFFFE", {"type": "int24"}, -2),
        ("FEFFFF", {"type": "int24", "order": "little"}, -2),
        ("FFFFFFFFFFFFFFFF", {"type": "uint64"}, 2**64 - 1),
        ("41BB3333", {"type": "float32"}, 23.4),
        ("3333BB41", {"type": "float32", "order": "little"}, 23.4),
        ("7FC00000", {"type": "float32"}, None),
        ("4037666666666666", {"type": "float64"}, 23.4),
        ("FFF0000000000000", {"type": "float64"}, None),
        ("0234", {"type": "bcd16", "divide": 10}, 23.4),
        ("3402", {"type": "bcd16", "order": "little", "divide": 10}, 23.4),
        ("0A", {"type": "bcd8"}, None),
        ("4F4B2000", {"type": "string:4"}, "OK"),
        ("00", {"type": "string:1"}, None),
        ("00EA", {"type": "uint16", "divide": 10, "offset": -40, "at": 2}, -16.6),
        ("8000", {"type": "int16", "invalid": 0x8000}, None),
        ("7FC00001", {"type": "float32", "invalid": 0x7FC00001}, None),
        ("03", {"mask": 0x02, "enum": {"1": "on"}}, "on"),
        ("80", {"bit": 7}, True),
        ("65", {"max": 100}, None),
    ],
)
def test_a_field_is_read_as_its_keys_say(octets: str, entry: dict[str, Any], expected: object) -> None:
    found = value_of(octets, **entry)
    assert found == expected
    assert type(found) is type(expected)


def test_a_checksum_may_stand_anywhere_and_check_what_is_behind_it() -> None:
    table = {
        "sync": "AA",
        "length": 5,
        "checksum": {"name": "sum8", "at": 1, "from": 2},
        "fields": {"value": {"at": 2, "type": "uint16"}},
    }
    entry = declared_by({"frame": table})
    assert hear(entry, [bytes.fromhex("AA 0A 01 02 07")]) == [Frame(bytes.fromhex("AA0A010207"))]
    assert hear(entry, [bytes.fromhex("AA 0B 01 02 07")]) == [Noise(bytes.fromhex("AA0B010207"), "checksum")]


def test_a_frame_that_ends_otherwise_is_none() -> None:
    table = {"sync": "AA", "length": 4, "checksum": "none", "end": "0D 0A", "fields": {"value": {}}}
    entry = declared_by({"frame": table})
    assert hear(entry, [bytes.fromhex("AA 01 0D 0B")]) == [Noise(bytes.fromhex("AA010D0B"), "end")]


def test_each_id_is_a_sender_of_its_own() -> None:
    declared = declaration({"frame": PROBE["frame"]})
    listener = DeclaredListener(declared)
    heard = [
        telegram
        for probe in (7, 9)
        for telegram in listener.telegrams(
            Frame(declared.frame.build({"probe": probe, "level": 12, "state": 0x81}))
        )
    ]
    assert [(telegram.sender, telegram.values["level"]) for telegram in heard] == [("7", 1.2), ("9", 1.2)]
    assert heard[0].values == {"level": 1.2, "state": "on", "leak": True}


def test_octets_that_are_no_id_make_no_sense() -> None:
    frame = {
        "sync": "AA 55",
        "length": 4,
        "checksum": "none",
        "fields": {"meter": {"type": "bcd8", "id": True}, "value": {}},
    }
    listener = DeclaredListener(declaration({"frame": frame}))
    assert listener.telegrams(Frame(bytes.fromhex("AA554201")))[0].sender == "42"
    with pytest.raises(DecodeError, match="meter: is not an id"):
        listener.telegrams(Frame(bytes.fromhex("AA554A01")))


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        ("uint16", "0xA160", "41312"),
        ("uint16", "007", "7"),
        ("bcd16", "0042", "42"),
        ("string:3", " A1 ", "A1"),
        ("string:3", "äb", "äb"),
    ],
)
def test_an_id_is_kept_as_frames_tell_it(kind: str, written: str, kept: str) -> None:
    fields = {"it": {"at": 2, "type": kind, "id": True}, "value": {"at": 8}}
    frame = {"sync": "AA 55", "length": 10, "checksum": "sum8", "fields": fields}
    entry = declared_by({"frame": frame})
    assert entry.settings({"id": written}).address == kept


@pytest.mark.parametrize("written", ["", "abc", "äb", "a\0"])
def test_a_text_that_does_not_fit_its_field_is_no_id(written: str) -> None:
    frame = PROBE["frame"] | {
        "fields": {"probe": {"at": 3, "type": "string:2", "id": True}, "level": {}},
    }
    entry = declared_by({"frame": frame, "request": {"send": "AA {id} 01"}})
    with pytest.raises(SettingsError, match=r"\(probe, at most 2 octets of UTF-8\), for example id = \"A1\""):
        entry.settings({"id": written})


@pytest.mark.parametrize("written", ["", "x", "-1", "256", "1.5", "0x100", "1_0", "٣"])
def test_an_id_that_no_frame_can_carry_is_a_mistake(written: str) -> None:
    with pytest.raises(SettingsError, match="0–255"):
        declared_by(PROBE).settings({"id": written})


def device(*sensors: PushingSettings) -> DeclaredDevice:
    return DeclaredDevice(declaration(PROBE), sensors, LINE)


def polled(one: DeclaredDevice, frame: Frame | None) -> PollResult:
    poll = one.poll()
    next(poll)
    with pytest.raises(StopIteration) as stopped:
        poll.send(frame)
    result = stopped.value.value
    assert isinstance(result, PollResult)
    return result


def reply(level: int, probe: int = 7) -> Frame:
    return Frame(declaration(PROBE).frame.build({"probe": probe, "level": level, "state": 1}))


def test_a_request_holds_the_id_and_its_checksum() -> None:
    (request,) = device(PushingSettings("7", ())).planned()
    check = crc16_modbus(b"\x07\x01")
    assert request.data == b"\xaa\x07\x01" + struct.pack("<H", check)
    assert request.reply_length == 10
    assert request.summary == f"id 7: {request.data.hex(' ')}"


def test_a_reply_is_split_between_the_sensors_that_share_it() -> None:
    both = device(PushingSettings("7", ("level",)), PushingSettings("7", ()))
    result = polled(both, reply(12))
    assert result.values == ({"level": 1.2}, {"level": 1.2, "state": "on", "leak": False})
    assert result.complete


def test_a_value_out_of_its_limits_is_left_out_and_counted() -> None:
    result = polled(device(PushingSettings("7", ())), reply(1001))
    assert result.values == ({"state": "on", "leak": False},)
    assert result.out_of_limits == 1


def test_silence_is_an_incomplete_poll() -> None:
    assert polled(device(PushingSettings("7", ())), None) == PollResult(({},), complete=False)


def test_the_reply_of_another_sensor_is_not_believed() -> None:
    (request,) = device(PushingSettings("7", ())).planned()
    assert request.accepts(reply(12))
    assert not request.accepts(reply(12, probe=8))
    assert not request.accepts(Frame(request.data)), "its echo"


def test_both_directions_of_a_line_are_decoded() -> None:
    entry = declared_by(PROBE)
    (request,) = device(PushingSettings("7", ())).planned()
    asked, answered = hear(entry, [request.data + reply(12).data])
    assert isinstance(asked, Frame)
    assert isinstance(answered, Frame)
    assert (asked.direction, answered.direction) == (Direction.REQUEST, Direction.REPLY)
    describe = entry.describer()
    assert describe(asked) == {"request": "7"}
    assert describe(answered) == {
        "id": "7",
        "raw": {"probe": 7, "level": 12, "state": 1, "leak": 1},
        "values": {"level": 1.2, "state": "on", "leak": False},
    }


def test_a_simulated_line_hears_answers_and_spoils() -> None:
    declared = declaration(PROBE)
    spoken, sensor = dialect(declared), SimulatedSensor(declared, "7", level=12, state=1, leak=1)
    (request,) = device(PushingSettings("7", ())).planned()
    (asked,) = spoken.framer().feed(request.data)
    assert isinstance(asked, Frame)
    assert spoken.address(asked) == "7"
    assert spoken.concerns(asked, "7")
    assert not spoken.concerns(asked, "8")
    assert SimulatedSensor(declared, "8", level=12, state=1, leak=1).answer(asked) is None
    data = sensor.answer(asked)
    assert data == reply(12).data
    assert not request.accepts(Frame(spoken.misaddressed(Frame(data))))
    (spoiled,) = [*(framer := request.framer()).feed(spoken.damaged(data)), *framer.silence()]
    assert spoiled == Noise(spoken.damaged(data), "checksum")
    assert spoken.refused(asked, 2) == b""


@st.composite
def asked_ones(draw: st.DrawFn) -> tuple[Declared, dict[str, Any]]:
    """A declaration with a request, and what its sensor tells."""
    frame = draw(frames())
    named = any(entry.get("id") for entry in frame["fields"].values())
    request = {"send": "F0 {id} 0F" if named else "F0 00 0F", "checksum": "crc16-xmodem"}
    return declaration({"frame": frame, "request": request}), draw(raws_of(frame))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(asked_ones())
def test_whatever_is_declared_is_asked_and_told(one: tuple[Declared, dict[str, Any]]) -> None:
    declared, raws = one
    sender = declared.frame.sender(raws)
    assert sender is not None
    sensor = SimulatedSensor(declared, sender, **raws)
    asking = DeclaredDevice(declared, [PushingSettings(sender, ())], LINE)
    poll = asking.poll()
    request = next(poll)
    (asked,) = dialect(declared).framer().feed(request.data)
    assert isinstance(asked, Frame)
    data = sensor.answer(asked)
    assert data is not None
    (frame,) = request.framer().feed(data)
    assert isinstance(frame, Frame)
    assert request.accepts(frame)
    with pytest.raises(StopIteration) as stopped:
        poll.send(frame)
    assert stopped.value.value.values == (declared.frame.values(raws)[0],)


@pytest.mark.parametrize("pattern", ["random", "one octet", "begun again and again"])
def test_the_work_is_linear_in_the_input(pattern: str) -> None:
    entry = declared_by(PROBE)

    def seconds(size: int) -> float:
        data = {
            "random": random.Random(2).randbytes(size),
            "one octet": b"\xaa" * size,
            "begun again and again": b"\xaa\x81\x81" * (size // 3),
        }[pattern]
        start = time.process_time()
        hear(entry, [data])
        return time.process_time() - start

    small = min(seconds(20_000) for _ in range(3))
    large = min(seconds(160_000) for _ in range(2))
    assert large < 8 * 4 * small + 0.1


CO2: dict[str, Any] = {
    "request": {"send": "FF 01 86 00 00 00 00 00", "checksum": {"name": "sum8-twos", "from": 1}},
    "frame": {
        "sync": "FF 86",
        "length": 9,
        "checksum": {"name": "sum8-twos", "from": 1},
        "fields": {"co2": {"at": 2, "type": "uint16", "unit": "ppm"}},
    },
}


def test_a_declared_mh_z19_asks_and_reads_what_the_built_in_one_does() -> None:
    built_in, declared = load("winsen"), declaration(CO2)
    (theirs,) = built_in.device([built_in.settings({})], LINE).planned()
    asking = DeclaredDevice(declared, [PushingSettings("", ())], LINE)
    (ours,) = asking.planned()
    assert ours.data == theirs.data
    answered = 0
    for vector in vectors("winsen"):
        data = bytes.fromhex(vector["hex"])
        accepted = [
            [event for event in hear(entry, [data]) if isinstance(event, Frame) and request.accepts(event)]
            for entry, request in ((built_in, theirs), (declared_by(CO2), ours))
        ]
        assert accepted[0] == accepted[1]
        for frame in accepted[0]:
            told = built_in.describer()(frame)
            assert polled(asking, frame).values == ({"co2": told["co2"]},)
            answered += 1
    assert answered >= 3
