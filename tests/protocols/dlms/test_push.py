"""DLMS/COSEM pushes: every list kind to values, and what of a broken push is used: nothing."""

from __future__ import annotations

import random

import pytest

from protocols import load
from protocols.dlms import hdlc, wired_mbus
from protocols.dlms.assembly import MAX_APDU, Assembler
from protocols.dlms.data import Reader, iso_date
from protocols.toolkit.errors import DecodeError, ProtocolError, SettingsError
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.pushing import Telegram
from tests.protocols.dlms.building import (
    blocks,
    code,
    frames,
    mbus_frames,
    notification,
    scale,
    structure,
    text,
    told,
    u16,
    u32,
)
from tests.protocols.vectors import Vector, vectors

PUSHES = [pytest.param(vector, id=vector["device"]) for vector in vectors("dlms-push") if "told" in vector]
AIDON = structure(
    structure(code("0.0.96.1.0.255"), text("7359992890941742")),
    structure(code("1.0.1.7.0.255"), u32(1362), scale(0, 27)),
    structure(code("1.0.1.8.0.255"), u32(2272138), scale(1, 30)),
    structure(code("1.0.32.7.0.255"), u16(2500), scale(-1, 35)),
)
AIDON_VALUES = {"import_power": 1362, "import_energy": 22721.38, "voltage_l1": 250.0}


def keys_of(vector: Vector) -> list[MeterKey]:
    authentication = bytes.fromhex(vector.get("authentication_key", "")) or None
    return [MeterKey(bytes.fromhex(vector["key"]), authentication)] if "key" in vector else []


@pytest.mark.parametrize("vector", PUSHES)
def test_a_push_says_what_its_source_says(vector: Vector) -> None:
    (telegram,) = told([bytes.fromhex(vector["hex"])], *keys_of(vector))
    assert (telegram.sender, telegram.values) == (vector["told"]["meter"], vector["told"]["values"])


@pytest.mark.parametrize("carry", [frames, blocks, mbus_frames])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_push_is_put_together_whatever_carries_it(carry, size: int) -> None:  # type: ignore[no-untyped-def]
    body = structure(*[AIDON] * size)
    (telegram,) = told(carry(notification(body)))
    assert telegram == Telegram("7359992890941742", AIDON_VALUES, also=("",))


@pytest.mark.parametrize("carry", [frames, blocks, mbus_frames])
def test_a_push_without_one_of_its_parts_gives_nothing_and_the_next_one_everything(carry) -> None:  # type: ignore[no-untyped-def]
    whole = carry(notification(structure(*[AIDON] * 6)))
    assert len(whole) > 2
    for missing in range(len(whole)):
        entry = load("dlms-push")
        listener = entry.listener()
        heard = []
        for part in [*whole[:missing], *whole[missing + 1 :], *whole]:
            (frame,) = entry.framer().feed(part)
            try:
                heard += listener.telegrams(frame)  # type: ignore[arg-type]
            except ProtocolError:
                continue
        assert [telegram.values for telegram in heard] == [AIDON_VALUES]


def test_no_value_comes_of_a_push_that_ends_too_early_or_late() -> None:
    apdu = notification(AIDON)
    for end in range(1, len(apdu)):
        with pytest.raises(DecodeError):
            told(frames(apdu[:end], 500))
    with pytest.raises(DecodeError):
        told(frames(apdu + b"\0", 500))


def test_a_flipped_bit_never_gives_a_value() -> None:
    chance = random.Random(1)
    stream = b"".join(mbus_frames(notification(AIDON)) + frames(notification(AIDON)))
    good = [telegram.values for telegram in told([stream])]
    assert good == [AIDON_VALUES] * 2
    for _ in range(2000):
        data = bytearray(stream)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        entry = load("dlms-push")
        listener = entry.listener()
        for event in entry.framer().feed(bytes(data)):
            try:
                heard = listener.telegrams(event) if hasattr(event, "direction") else ()
            except ProtocolError:
                heard = ()
            assert all(telegram.values == AIDON_VALUES for telegram in heard)


def test_a_short_list_is_of_the_meter_that_was_heard_last() -> None:
    short = frames(notification(structure(structure(code("1.0.1.7.0.255"), u32(5), scale(0, 27)))))
    senders = [telegram.sender for telegram in told([*short, *frames(notification(AIDON)), *short])]
    assert senders == ["", "7359992890941742", "7359992890941742"]


def test_kamstrup_and_kaifa_send_no_units_and_scale_otherwise() -> None:
    values = (code("1.0.1.8.0.255"), u32(100), code("1.0.31.7.0.255"), u32(250))
    kamstrup = structure(text("Kamstrup_V0001"), *values)
    kaifa = structure(code("1.0.0.2.129.255"), text("KFM_001"), *values)
    unknown = structure(text("OTHER_1"), *values)
    found = [told(frames(notification(body)))[0].values for body in (kamstrup, kaifa, unknown)]
    assert found == [
        {"import_energy": 1.0, "current_l1": 2.5},
        {"import_energy": 0.1, "current_l1": 0.25},
        {"1-0:1.8.0": 100, "1-0:31.7.0": 250},
    ]


@pytest.mark.parametrize("phases", [1, 3])
def test_kaifa_sends_its_values_by_position(phases: int) -> None:
    currents, voltages = [u32(1500)] * phases, [u32(2301)] * phases
    head = (text("KFM_001"), text("6970631401753985"), text("MA304H3E"))
    flows = [u32(number) for number in (948, 0, 0, 64)]
    (telegram,) = told(frames(notification(structure(*head, *flows, *currents, *voltages))))
    assert telegram.sender == "6970631401753985"
    assert telegram.values == {
        "import_power": 948,
        "export_power": 0,
        "reactive_import_power": 0,
        "reactive_export_power": 64,
        **{f"current_l{phase}": 1.5 for phase in range(1, phases + 1)},
        **{f"voltage_l{phase}": 230.1 for phase in range(1, phases + 1)},
    }


def test_a_list_of_vienna_is_known_by_its_push_setup() -> None:
    numbers = [9534290, 2896624, 726595, 2561341, 738, 12]
    body = structure(
        code("0.6.25.9.0.255"),
        b"\x09\x0d" + b"1112372301533",
        bytes.fromhex("090413010e00"),
        bytes.fromhex("090507e5031904"),
        *map(u32, numbers),
        b"\x09\0",
        b"\x09\0",
    )
    (telegram,) = told(frames(notification(body, "07e503190413010e00ffc400")))
    assert telegram.sender == "1112372301533"
    assert telegram.values == {
        "import_energy": 9534.29,
        "export_energy": 2896.624,
        "import_power": 738,
        "export_power": 12,
        "measured_at": "2021-03-25T19:01:14+01:00",
    }


def test_a_list_whose_kind_is_not_known_gives_nothing() -> None:
    assert told(frames(notification(structure(u32(1), u32(2), u32(3))))) == []
    assert told(frames(notification(u32(1)))) == []


def test_a_date_that_is_not_set_is_none() -> None:
    assert iso_date(bytes.fromhex("07e5091b01092f0f00ff8880")) == "2021-09-27T09:47:15+02:00"
    assert iso_date(bytes.fromhex("07e5091b01092f0fff800000")) == "2021-09-27T09:47:15"
    assert iso_date(bytes.fromhex("07e5091b01092f0f00ff8881")) is None
    assert iso_date(bytes.fromhex("ffffffffffffffffff8000ff")) is None


def test_data_are_bounded() -> None:
    for octets in ("02820401", "01" * 40, "0984ffffffff", "0a85", "0b00", "13", "1b00"):
        with pytest.raises(DecodeError):
            Reader(bytes.fromhex(octets)).element("body")
    assembler, part = Assembler(), hdlc.build(bytes(2000), is_segmented=True)
    for _ in range(MAX_APDU // 2000):
        assert assembler.add(part) is None
    with pytest.raises(DecodeError, match="more than"):
        assembler.add(part)


def test_a_frame_is_taken_apart_as_it_was_built() -> None:
    assert hdlc.parse(hdlc.build(b"abc", is_segmented=True)).information == b"abc"
    assert wired_mbus.parse(wired_mbus.build(wired_mbus.Segment(3, True, b"abc"))) == (3, True, b"abc")
    with pytest.raises(ValueError, match="too many"):
        hdlc.build(bytes(2048))


def test_an_id_may_be_left_out_where_a_meter_is_alone() -> None:
    entry = load("dlms-push")
    assert entry.schema["required"] == []
    assert entry.settings({}).address == ""
    assert entry.settings({"id": " 7359992890941742 "}).address == "7359992890941742"
    with pytest.raises(SettingsError, match="the meter's number"):
        entry.settings({"id": "two words"})
    units = entry.settings({"only": ["import_energy_t1", "1-0:32.7.0", "measured_at"]}).units
    assert units == {"import_energy_t1": "kWh", "1-0:32.7.0": "", "measured_at": ""}
