"""M-Bus: what a frame says: the records of real meters, headers, the fixed structure, the acknowledgement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.mbus import application, link
from protocols.mbus.description import describe
from protocols.mbus.link import ACKNOWLEDGEMENT, AcknowledgementFramer, Message, StreamFramer
from protocols.toolkit.framing import Event, Frame, Noise
from tests.protocols.vectors import vectors

VECTORS = [
    pytest.param(vector, id=vector["id"])
    for vector in vectors("mbus")
    if vector["valid"] and vector["direction"] != "stream"
]
SPOILED = [vector for vector in vectors("mbus") if vector.get("application_valid") is False]

HEADER = "78563412 4041 01 07 55 00 0000"
SHORT = link.build(Message(link.REQ_UD2, 5))
LONG = link.build(Message(link.RSP_UD, 5, application.NO_HEADER, ACKNOWLEDGEMENT * 4))
unhurried = settings(deadline=None)
messages = st.builds(
    Message,
    st.sampled_from([link.RSP_UD, 0x28, link.SND_UD, 0x73]),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=link.MAX_DATA),
)


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def carried(ci: int, data: str) -> dict[str, Any]:
    """Return the fields of a meter's frame with these data."""
    return describe(heard(link.build(Message(link.RSP_UD, 1, ci, bytes.fromhex(data)))))


@pytest.mark.parametrize("vector", VECTORS)
def test_every_record_of_a_vector_is_read_as_libmbus_reads_it(vector: dict[str, Any]) -> None:
    expected = vector["expected"].get("decoded", {}).get("records", [])
    fields = describe(Frame(bytes.fromhex(vector["hex"])))
    found = fields.get("records", []) if expected else []
    assert len(found) == len(expected)
    for record, stated in zip(found, expected, strict=True):
        value, number = record["value"], stated["value"]
        is_number = isinstance(number, int | float)
        assert value == (pytest.approx(number, abs=vector["tolerance"]["records"]) if is_number else number)
        assert record | stated | {"value": value} == record


def test_there_are_records_to_compare() -> None:
    counts = [len(v["expected"].get("decoded", {}).get("records", [])) for v in vectors("mbus")]
    assert sum(counts) > 390


@pytest.mark.parametrize("vector", SPOILED, ids=lambda vector: vector["device"])
def test_of_a_malformed_telegram_the_whole_records_stand_and_the_rest_is_told(vector: dict[str, Any]) -> None:
    fields = describe(Frame(bytes.fromhex(vector["hex"])))
    assert "the telegram ends within a record" in fields["fault"]
    assert list(fields["values"]) in (
        ["volume", "volume_flow_max_storage5"],
        ["digital_input", "text_rh", "text_rh_min"],
    )


@unhurried
@given(messages)
def test_a_message_that_is_built_is_read(message: Message) -> None:
    assert link.parse(heard(link.build(message))) == message


@unhurried
@given(st.binary(max_size=60))
def test_no_octets_raise(octets: bytes) -> None:
    for ci in (application.LONG_HEADER, application.SHORT_HEADER, application.NO_HEADER, application.FIXED):
        assert describe(heard(link.build(Message(link.RSP_UD, 1, ci, octets))))["ci"] == ci


def test_the_fixed_data_structure_of_an_old_meter() -> None:
    # The example of "The M-Bus: A Documentation", Rev. 4.8, chapter 6.2.
    fields = describe(heard(bytes.fromhex("68131368 0805 73 78563412 0a 00 e97e 01000000 35010000 3c16")))
    assert fields | {"id": "12345678", "access_number": 10, "status": 0, "medium": "Water"} == fields
    assert fields["values"] == {"volume": 0.001, "volume_storage1": 0.135}


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ("78563412 0a 01 0521 ffffffff 0a000000", {"energy": -1000, "power_joule": 100_000_000}),
        ("78563412 0a 02 0505 01000000 02000000", {"energy_storage1": 1000, "energy_storage1_2": 2000}),
        ("78563412 0a 00 0038 00230100 ad0b0000", {}),
        ("78563412 0a 00 3f3a 01000000 02000000", {"counter": 1, "fixed_3a": 2}),
        ("78563412 0a 00 0505 01000000", {}),
    ],
)
def test_counters_of_the_fixed_data_structure(data: str, values: dict[str, object]) -> None:
    assert carried(application.FIXED, data).get("values") == values


@pytest.mark.parametrize("mode", [1, 2, 5, 7, 15])
def test_what_is_encrypted_is_said_and_has_no_value(mode: int) -> None:
    fields = carried(application.LONG_HEADER, HEADER[:-4] + f"00{mode:02x}" + "0103 07")
    assert fields["encryption_mode"] == mode
    assert fields["values"] == {}
    assert "records" not in fields


@pytest.mark.parametrize("signature", ["0000", "2000", "27b6", "ffff"])
def test_what_old_meters_write_into_the_signature_is_no_encryption(signature: str) -> None:
    fields = carried(application.LONG_HEADER, HEADER[:-4] + signature + "0103 07")
    assert fields["values"] == {"energy": 7}


def test_records_come_with_a_short_header_or_none() -> None:
    assert carried(application.SHORT_HEADER, "55 00 0000 0103 07")["values"] == {"energy": 7}
    assert carried(application.NO_HEADER, "0103 07")["values"] == {"energy": 7}
    assert carried(application.LONG_HEADER, "0103 07")["fault"] == "the telegram ends within its header"
    assert carried(0x99, "0103")["data"] == "0103"
    assert carried(application.ERROR, "63")["error_text"] == "application error 99, not in the standard"


def events(*pieces: bytes | None, make: type[StreamFramer] = StreamFramer) -> list[Event]:
    """Return what is heard of these pieces; None is a silence."""
    framer = make()
    found: list[Event] = []
    for piece in pieces:
        found += framer.silence() if piece is None else framer.feed(piece)
    return found


def test_an_acknowledgement_is_one_where_nothing_but_frames_stands_before_it() -> None:
    request = link.build(Message(link.SND_NKE, 1))
    e5 = heard(ACKNOWLEDGEMENT)
    assert events(ACKNOWLEDGEMENT * 2) == [e5, e5]
    assert events(request + ACKNOWLEDGEMENT + request) == [heard(request), e5, heard(request)]
    assert events(ACKNOWLEDGEMENT, b"\x00", ACKNOWLEDGEMENT)[1:] == [
        Noise(b"\x00", "noise"),
        Noise(ACKNOWLEDGEMENT, "noise"),
    ]
    assert events(b"\x00", None, ACKNOWLEDGEMENT)[-1] == e5
    assert events(b"\x00" + request + ACKNOWLEDGEMENT)[1:] == [heard(request), e5]
    cut = link.build(Message(link.RSP_UD, 1, 0x78, ACKNOWLEDGEMENT * 4))[:-1]
    assert events(cut, None) == [Noise(cut, "cut")]


def test_where_an_acknowledgement_is_waited_for_the_last_octet_is_one_behind_noise() -> None:
    def waiting(*pieces: bytes | None) -> list[Event]:
        return events(*pieces, make=AcknowledgementFramer)

    e5, stray = heard(ACKNOWLEDGEMENT), Noise(b"\x00", "noise")
    assert waiting(ACKNOWLEDGEMENT) == [e5], "at once"
    assert waiting(b"\x00" + ACKNOWLEDGEMENT) == [stray], "something may follow"
    assert waiting(b"\x00" + ACKNOWLEDGEMENT, None) == [stray, e5]
    assert waiting(b"\x68" + ACKNOWLEDGEMENT, None) == [Noise(b"\x68", "cut"), e5]
    assert waiting(b"\x00", ACKNOWLEDGEMENT, b"", b"\x00", None) == [
        stray,
        Noise(ACKNOWLEDGEMENT, "noise"),
        stray,
    ]
    telegram = link.build(Message(link.RSP_UD, 1, 0x78, b"\x01\x03\x07"))
    assert waiting(b"\x00" + ACKNOWLEDGEMENT + telegram + ACKNOWLEDGEMENT, None)[-2:] == [heard(telegram), e5]


@unhurried
@given(
    st.lists(st.sampled_from([b"\x00", ACKNOWLEDGEMENT, b"\x68", SHORT, SHORT[:3], LONG, LONG[:9]])),
    st.data(),
)
def test_how_an_acknowledgement_is_cut_up_changes_nothing(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    at = data.draw(st.integers(0, len(stream)))
    framer = AcknowledgementFramer()
    found = framer.feed(stream[:at]) + framer.feed(stream[at:])
    assert b"".join(event.data for event in found) + framer.pending == stream
    found += framer.silence()
    assert (b"".join(event.data for event in found), framer.pending) == (stream, b"")
    frames = [event for event in found if isinstance(event, Frame)]
    whole = events(stream, None, make=AcknowledgementFramer)
    assert frames == [event for event in whole if isinstance(event, Frame)]
    assert not stream.endswith(ACKNOWLEDGEMENT) or found[-1] == heard(ACKNOWLEDGEMENT)
