"""VE.Direct text: lines of the other protocol anywhere, any octet as checksum, and what a field means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Event, Frame
from protocols.vedirect.fields import FIELDS
from protocols.vedirect.text import LONGEST, PROTOCOL, StreamFramer, TextListener, block_of
from tests.protocols.vectors import good_frames

BLOCKS = good_frames("vedirect-text")
LINES = [b":A4F10FF2E\n", b":7F0ED0096000DB\r\n", b":154\n"]


def block(*fields: tuple[str, str]) -> bytes:
    text = b"".join(f"\r\n{label}\t{value}".encode() for label, value in fields) + b"\r\nChecksum\t"
    return text + bytes((-sum(text) % 256,))


def heard(data: bytes) -> list[Event]:
    framer = StreamFramer()
    return framer.feed(data) + framer.silence()


def said(data: bytes) -> dict[str, object]:
    (telegram,) = TextListener().telegrams(Frame(data))
    assert telegram.sender == ""
    return dict(telegram.values)


@given(st.sampled_from(BLOCKS), st.sampled_from(LINES), st.data())
def test_a_line_of_the_other_protocol_changes_nothing_wherever_it_stands(
    alone: bytes, line: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(2, alone.index(b"Checksum")))
    if alone[at - 1 : at] == b"\r" or at <= alone.index(b"\t"):
        at = 2
    mixed = alone[:at] + line + alone[at:]
    assert heard(mixed) == [Frame(mixed)]
    assert block_of(Frame(mixed)) == block_of(Frame(alone))


def test_any_octet_is_a_checksum() -> None:
    seen = set()
    for total in range(240, 496):
        serial = "".join(chr(total // 4 + (index < total % 4)) for index in range(4))
        one = block(("PID", "0x203"), ("SER#", serial))
        seen.add(one[-1])
        assert heard(one + one) == [Frame(one), Frame(one)]
        assert said(one)["serial_number"] == serial
    assert len(seen) == 256


def test_the_rest_of_a_block_is_none_though_its_sum_be_right() -> None:
    assert heard(block(("V", "12000"), ("I", "1")))[0] != Frame(block(("V", "12000"), ("I", "1")))


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("V", "26201", 26.201),
        ("I", "-40", -0.04),
        ("SOC", "1000", 100.0),
        ("SOC", "---", None),
        ("TTG", "-1", None),
        ("TTG", "0", 0),
        ("T", "-1", -1),
        ("LOAD", "ON", True),
        ("Alarm", "OFF", False),
        ("OR", "0x00000101", 0x101),
        ("AR", "4", 4),
        ("H19", "144", 1.44),
        ("AC_OUT_V", "23003", 230.03),
        ("AC_OUT_I", "4", 0.4),
        ("SER#", "HQ1234ABCDE", "HQ1234ABCDE"),
        ("FW", "0307", "0307"),
        ("FW", "", None),
        ("V", "", None),
        ("V", "12.5", None),
        ("V", "9" * 19, None),
    ],
)
def test_a_field_means_what_the_table_says(label: str, text: str, expected: object) -> None:
    told = block(("PID", "0x203"), (label, text))
    assert said(told).get(FIELDS[label].name) == expected
    assert block_of(Frame(told)) == {"PID": "0x203", label: text}


def test_a_field_of_no_table_is_shown_and_is_no_value() -> None:
    told = block(("PID", "0x203"), ("NEW", "7"))
    assert PROTOCOL.describer()(Frame(told)) == {
        "PID": "0x203",
        "NEW": "7",
        "values": {"product_id": "0x203"},
    }


def test_a_line_has_one_device_and_its_values_can_be_chosen() -> None:
    settings = PROTOCOL.settings({"only": ["voltage", "load"]})
    assert settings.address == ""
    assert settings.units == {"voltage": "V", "load": ""}
    with pytest.raises(SettingsError, match='unknown value "VPV"'):
        PROTOCOL.settings({"only": ["VPV"]})


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b"\r\nPID\t", id="starts"),
        pytest.param(b"\r\nPID\t" + b"\r\nH1\t" * 300, id="starts of the second kind in one of the first"),
        pytest.param(b"\r\nPID\t" + b"x" * (LONGEST - 8), id="the longest"),
        pytest.param(b"\r\nPID\t" + b"\r\nx\t1" * 300, id="fields without an end"),
        pytest.param(b"\r\nPID\t" + b":A\r\n" * 400, id="lines of the other protocol"),
        pytest.param(b"\r\n:A\n:A\n:A\n:A\nPID\t", id="starts with such lines inside"),
        pytest.param(BLOCKS[0][:-1] + bytes((BLOCKS[0][-1] ^ 1,)), id="wrong checksums"),
    ],
)
def test_a_megabyte_of_nonsense_is_no_frame(pattern: bytes) -> None:
    data = (pattern * (1_000_000 // len(pattern) + 1))[:1_000_000]
    assert not any(isinstance(event, Frame) for event in heard(data))


CHARGER = (
    block(("PID", "0xA06C"), ("V", "52710"), ("CS", "3")),
    block(("ERR", "0"), ("LOAD", "ON"), ("H19", "1158"), ("HSDS", "2")),
    block(("LOAD", "ON"), ("H20", "77")),
)
BMV_600 = (block(("V", "26201"), ("SOC", "1000"), ("BMV", "602S")), block(("H1", "-55001"), ("H12", "0")))
PID_LATE = (block(("FW", "150"), ("PID", "0x204"), ("V", "12800")),)


@pytest.mark.parametrize("blocks", [CHARGER, BMV_600, PID_LATE])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_behind_a_block_another_begins_with_any_label(blocks: tuple[bytes, ...], size: int) -> None:
    line = b"".join(blocks * 3)
    framer = StreamFramer()
    events = [event for at in range(0, len(line), size) for event in framer.feed(line[at : at + size])]
    frames = [event for event in events if isinstance(event, Frame)]
    lost = len(blocks) * 3 - len(frames)
    assert frames == [Frame(one) for one in (blocks * 3)[lost:]]
    assert lost <= 1  # that at whose beginning the line was not yet listened to


def test_behind_a_damaged_block_another_begins_with_any_label() -> None:
    first, second, _ = CHARGER
    damaged = first.replace(b"52710", b"52711")
    assert [event for event in heard(damaged + second) if isinstance(event, Frame)] == [Frame(second)]


def test_noise_between_blocks_costs_the_one_that_begins_with_any_label() -> None:
    first, second, third = CHARGER
    frames = [event for event in heard(first + b"\x00" + second + third) if isinstance(event, Frame)]
    assert frames == [Frame(first), Frame(third)]
