"""SML messages: every number exactly, every nonsense refused, and what becomes a value."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.sml import PROTOCOL
from protocols.sml.description import MeterListener, describe, labels_of
from protocols.sml.transport import StreamFramer
from protocols.toolkit.errors import DecodeError, SettingsError
from protocols.toolkit.framing import Frame
from tests.protocols.sml.building import (
    CLOSE,
    ENERGY,
    LEFT_OUT,
    LIST,
    POWER,
    SERVER,
    WATT,
    WATT_HOUR,
    boolean,
    closed,
    crc,
    entry,
    frame,
    kermit,
    message,
    octets,
    opened,
    sequence,
    signed,
    telegram,
    unsigned,
    value_list,
)

SOMETHING = bytes((129, 129, 200, 201, 1, 255))
sizes = st.integers(1, 8)


def values(*entries: bytes) -> dict[str, object]:
    (heard,) = MeterListener().telegrams(Frame(telegram(*entries)))
    assert heard.sender == SERVER.hex()
    return dict(heard.values)


def body(element: bytes) -> Frame:
    return Frame(frame(message(LIST, element)))


@given(sizes, st.integers(-128, 127), st.data())
def test_a_number_is_exactly_what_the_meter_means(size: int, scaler: int, data: st.DataObject) -> None:
    bits = 8 * size
    minus = data.draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
    plus = data.draw(st.integers(0, (1 << bits) - 1))
    for raw, element in ((minus, signed(minus, size)), (plus, unsigned(plus, size))):
        meant = Decimal(raw).scaleb(scaler)
        told = values(entry(SOMETHING, element, None, scaler))["129-129:200.201.1"]
        assert told == (int(meant) if scaler >= 0 else float(meant))
        assert isinstance(told, int) == (scaler >= 0)


@pytest.mark.parametrize(
    ("code", "element", "unit", "scaler", "expected"),
    [
        (ENERGY, unsigned(2027, 2), WATT_HOUR, 0, {"import_energy": 2.027}),
        (ENERGY, unsigned(234, 1), WATT_HOUR, -1, {"import_energy": 0.0234}),
        (ENERGY, unsigned(23, 1), WATT_HOUR, 3, {"import_energy": 23}),
        (POWER, signed(-1, 1), WATT, -2, {"active_power": -0.01}),
        (POWER, signed(5, 1), WATT_HOUR, 0, {"1-0:16.7.0": 5}),
        (POWER, boolean(True), WATT, 0, {"1-0:16.7.0": True}),
        (POWER, octets(b"\x07"), WATT, 0, {"1-0:16.7.0": "07"}),
        (POWER, LEFT_OUT, WATT, 0, {}),
        (ENERGY[:5] + b"\x01", unsigned(1, 1), WATT_HOUR, 0, {"1-0:1.8.0*1": 1}),
    ],
)
def test_a_value_goes_by_its_name_if_it_has_that_unit_and_by_its_code_otherwise(
    code: bytes, element: bytes, unit: int, scaler: int, expected: dict[str, object]
) -> None:
    assert values(entry(code, element, unit, scaler)) == expected


def test_what_says_again_which_meter_this_is_is_no_value() -> None:
    own_id, key = bytes.fromhex("0100000009ff"), bytes.fromhex("8181c78205ff")
    assert values(entry(own_id, octets(SERVER)), entry(key, octets(bytes(48)))) == {}


def test_each_list_is_a_telegram_of_its_server() -> None:
    other = b"\x09\x01XYZ"
    both = frame(
        opened(),
        value_list(entry(POWER, signed(1, 1), WATT)),
        value_list(entry(POWER, signed(2, 1), WATT), server=other),
        closed(),
    )
    told = [(heard.sender, heard.values) for heard in MeterListener().telegrams(Frame(both))]
    assert told == [(SERVER.hex(), {"active_power": 1}), (other.hex(), {"active_power": 2})]


def test_a_frame_without_a_list_tells_of_nobody() -> None:
    other = Frame(frame(opened(), message(0xFFFF, LEFT_OUT), closed()))
    assert MeterListener().telegrams(other) == []
    assert describe(other) == {"messages": ["SML_PublicOpen.Res", "0x0000FFFF", "SML_PublicClose.Res"]}


def test_a_message_whose_own_checksum_is_wrong_is_not_believed() -> None:
    power = value_list(entry(POWER, signed(1, 1), WATT))
    for at in range(len(power) - 1):
        damaged = power[:at] + bytes((power[at] ^ 1,)) + power[at + 1 :]
        with pytest.raises(DecodeError):
            MeterListener().telegrams(Frame(frame(opened(), damaged, closed())))


def test_a_meter_that_checks_with_kermit_is_heard_and_its_nonsense_is_not() -> None:
    sent = telegram(entry(POWER, signed(-432, 2), WATT), check=kermit)
    assert [event.data for event in StreamFramer().feed(sent) if isinstance(event, Frame)] == [sent]
    (heard,) = MeterListener().telegrams(Frame(sent))
    assert heard.values == {"active_power": -432}
    for turned in (kermit(sent[:-2])[::-1], crc(sent[:-2])[::-1]):
        assert not any(isinstance(event, Frame) for event in StreamFramer().feed(sent[:-2] + turned))


@pytest.mark.parametrize(
    ("nonsense", "field"),
    [
        (Frame(frame(b"\x75" + closed()[1:])), "SML_Message"),
        (Frame(frame(closed()[:-1] + b"\x01")), "endOfSmlMsg"),
        (Frame(frame(closed()[:-1])), "endOfSmlMsg"),
        (Frame(frame(b"\x76\x8f")), "transactionId"),
        (Frame(frame(b"\x76\x80\x01")), "transactionId"),
        (Frame(frame(b"\x76\x00")), "transactionId"),
        (Frame(frame(b"\x76\x12\x00")), "transactionId"),
        (Frame(frame(b"\x76\x6a" + bytes(9))), "transactionId"),
        (Frame(frame(b"\x76\x61")), "transactionId"),
        (Frame(frame(b"\x76\x43\x00\x01")), "transactionId"),
        (Frame(frame(b"\x76" + b"\x71" * 400 + LEFT_OUT)), "transactionId"),
        (body(LEFT_OUT), "clientId"),
        (body(sequence(*[LEFT_OUT] * 6)), "clientId"),
        (body(sequence(*[LEFT_OUT] * 7)), "valList"),
        (body(sequence(*[LEFT_OUT] * 4, sequence(), LEFT_OUT, LEFT_OUT)), "serverId"),
        (Frame(telegram(LEFT_OUT)), "objName"),
        (Frame(telegram(sequence(*[LEFT_OUT] * 6))), "objName"),
        (Frame(telegram(entry(b"\x01\x00\x01\x08\x00", unsigned(1, 1)))), "objName"),
        (Frame(telegram(sequence(octets(POWER), *[octets(b"W")] * 6))), "unit"),
        (Frame(telegram(sequence(octets(POWER), *[unsigned(200, 1)] * 6))), "scaler"),
        (Frame(telegram(sequence(octets(POWER), *[unsigned(256, 2)] * 6))), "unit"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field_and_never_a_value(nonsense: Frame, field: str) -> None:
    with pytest.raises(DecodeError) as caught:
        MeterListener().telegrams(nonsense)
    assert caught.value.field == field
    assert field in describe(nonsense)["error"]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_data_raise_anything_else(start: bytes, inside: bytes) -> None:
    for data in (start, message(LIST, inside), message(CLOSE, LEFT_OUT) + start):
        sent = Frame(frame(data))
        assert "messages" in describe(sent)
        with suppress(DecodeError):
            MeterListener().telegrams(sent)


@pytest.mark.parametrize("written", ["0A 01 54 53 54 00 00 00 00 2A", "0a-01-54-53-54-00:00:00:00:2a"])
def test_a_server_id_is_taken_as_it_is_found(written: str) -> None:
    settings = PROTOCOL.settings(
        {"id": written, "only": ["active_power", "import_energy_t2", "1-0:96.50.2*4"]}
    )
    assert settings.address == SERVER.hex()
    assert settings.units == {
        "active_power": "W",
        "import_energy_t2": "kWh",
        "1-0:96.50.2*4": "",
    }


@pytest.mark.parametrize("keys", [{}, {"id": "1 EMH 00 1234"}, {"id": "0a0"}, {"id": ""}])
def test_what_is_no_server_id_is_told_with_an_example(keys: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"the meter's server id .*, for example id = "):
        PROTOCOL.settings(keys)


def test_a_server_id_without_quotes_is_told_so() -> None:
    with pytest.raises(SettingsError, match="is a text: write it in quotes"):
        PROTOCOL.settings({"id": 17})


@pytest.mark.parametrize(
    "name", ["watts", "import_energy_t64", "import_energy_t0", "active_power_t1", "1.8.0"]
)
def test_what_is_no_value_is_told(name: str) -> None:
    with pytest.raises(SettingsError, match=f'unknown value "{name}"'):
        PROTOCOL.settings({"id": SERVER.hex(), "only": [name]})


@pytest.mark.parametrize(
    ("server_id", "labels"),
    [
        ("0a01454d480000c312a1", ("1emh0012784289",)),
        ("090149534b000403df63", ("1isk0067362659",)),
        ("3032323830383136", ("02280816",)),
        ("06454d4801027156cd45", ()),
        ("01a815133577030102", ()),
    ],
)
def test_a_server_id_may_be_written_as_the_label_has_it(server_id: str, labels: tuple[str, ...]) -> None:
    assert labels_of(bytes.fromhex(server_id)) == labels
    for label in labels:
        assert PROTOCOL.settings({"id": label.upper()}).id == label


def test_a_telegram_is_of_the_sensor_that_its_label_names() -> None:
    server = bytes.fromhex("0a01454d480000c312a1")
    (heard,) = MeterListener().telegrams(Frame(telegram(server=server)))
    assert heard.ids == (server.hex(), "1emh0012784289")


def test_a_device_number_in_characters_is_told_as_they_stand() -> None:
    number = bytes((0, 0, 96, 1, 255, 255))
    assert values(entry(number, value=octets(b"0002280816"))) == {"0-0:96.1.255": "0002280816"}
    assert values(entry(number, value=octets(b"\x00\x28"))) == {"0-0:96.1.255": "0028"}
    assert values(entry(SOMETHING, value=octets(b"1234"))) == {"129-129:200.201.1": "31323334"}
